//! Damaged inputs for `simulate`; those accepted are simulated.

use crate::{damage, held_to_account, valid};
use candle_core::Device;
use hebbian_rnn::engine::Record;
use hebbian_rnn::runs::parse_inputs;
use hebbian_rnn::{simulate, Checkpoint};
use safetensors::Dtype;

const MUTATIONS: u64 = 15_000;

fn read(what: &str, checkpoint: &Checkpoint, bytes: &[u8]) -> bool {
    let inputs = held_to_account(what, bytes.len(), || parse_inputs(bytes, checkpoint, &Device::Cpu));
    let Some(inputs) = inputs else { return false };
    // Inputs may ask for something these networks cannot do, which is an error.
    let _ = simulate(checkpoint, inputs, Record { rates: true, ..Record::default() }, 1);
    true
}

#[test]
fn damaged_inputs_are_simulated_or_refused() {
    let small = ["network.neurons=3", "train.batch=2", "train.networks=2"];
    let with = |more: &[&str]| valid::checkpoint("echo", &[&small, more].concat());
    let checkpoints = [
        with(&["trace.modulator=task", "trace.stage=retroactive"]),
        with(&["trace.stage=none", "train.dtype=f64", "trace.modulator=constant"]),
        with(&["trace.persistent=true", "network.feedback_scale=0.5"]),
    ];
    let full = valid::tensors(&[
        ("inputs", Dtype::F32, &[2, 2, 4, 1], valid::floats(16)),
        ("x", Dtype::F32, &[2, 3], valid::floats(6)),
        ("hebbian_trace", Dtype::F32, &[2, 2, 3, 3], valid::floats(36)),
        ("modulator", Dtype::F32, &[2, 4], valid::floats(8)),
    ]);
    let plain = valid::tensors(&[("inputs", Dtype::F64, &[2, 2, 1], valid::floats(8))]);
    for checkpoint in &checkpoints {
        assert!(read("the whole file", checkpoint, &full) && read("the whole file", checkpoint, &plain));
    }
    let mut accepted = 0;
    for index in 0..MUTATIONS {
        let mut rng = damage::generator(3, index);
        let checkpoint = &checkpoints[(index % 3) as usize];
        let file = if index / 3 % 2 == 0 { &full } else { &plain };
        let damaged = if index / 6 % 2 == 0 { damage::bytes(&mut rng, file) } else { damage::header(&mut rng, file) };
        accepted += u64::from(read(&format!("inputs mutation {index}"), checkpoint, &damaged));
    }
    assert!((MUTATIONS / 100..MUTATIONS / 2).contains(&accepted), "{accepted} of {MUTATIONS} were accepted");
}
