//! Damaged trial files.

use crate::{damage, held_to_account, valid};
use hebbian_rnn::random::{stream, Phase, Purpose};
use hebbian_rnn::tasks::{ErrorMeasure, FileTask};
use hebbian_rnn::Task;
use safetensors::Dtype;

const MUTATIONS: u64 = 20_000;

fn whole() -> Vec<Vec<u8>> {
    let kinds: Vec<u8> = [0i64, 1, 0].iter().flat_map(|k| k.to_le_bytes()).collect();
    vec![
        valid::tensors(&[
            ("inputs", Dtype::F32, &[3, 4, 2], valid::floats(24)),
            ("targets", Dtype::F32, &[3, 4, 1], valid::floats(12)),
            ("mask", Dtype::U8, &[3, 4], vec![1; 12]),
            ("type", Dtype::I64, &[3], kinds),
            ("modulator", Dtype::F32, &[3, 4], valid::floats(12)),
        ]),
        valid::tensors(&[
            ("inputs", Dtype::U8, &[4, 3, 1], vec![1; 12]),
            ("targets", Dtype::I32, &[4, 3, 1], valid::floats(12)),
        ]),
    ]
}

fn read(what: &str, bytes: &[u8]) -> bool {
    let task = held_to_account(what, bytes.len(), || FileTask::from_bytes(bytes, ErrorMeasure::Absolute, 0.5));
    let Some(task) = task else { return false };
    for index in 0..3 {
        let trial = task.trial(index, &mut stream(0, 0, index, Phase::Train, Purpose::Task));
        assert_eq!(trial.inputs.len(), task.steps() * task.n_in(), "{what}");
        assert_eq!(trial.targets.len(), task.steps() * task.n_out(), "{what}");
        assert!(trial.trial_type < task.n_types() && trial.scored.contains(&true), "{what}");
        assert!(trial.inputs.iter().chain(&trial.targets).all(|v| v.is_finite()), "{what}");
    }
    true
}

#[test]
fn damaged_task_files_are_read_or_refused() {
    let whole = whole();
    assert!(whole.iter().all(|bytes| read("the whole file", bytes)));
    let mut accepted = 0;
    for index in 0..MUTATIONS {
        let mut rng = damage::generator(2, index);
        let file = &whole[(index % 2) as usize];
        let damaged = if index / 2 % 2 == 0 { damage::bytes(&mut rng, file) } else { damage::header(&mut rng, file) };
        accepted += u64::from(read(&format!("task file mutation {index}"), &damaged));
    }
    assert!((MUTATIONS / 100..MUTATIONS / 2).contains(&accepted), "{accepted} of {MUTATIONS} were accepted");
}
