//! Writes small valid files into `corpus/TARGET` as seeds for the fuzzer: `cargo run --bin seeds`.

use hebbian_rnn::{find_rule, METADATA_KEY, TASKS};
use hebbian_rnn_fuzz::checkpoint;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

type Entry<'a> = (&'a str, Dtype, &'a [usize], usize);

fn tensors(entries: &[Entry]) -> Vec<u8> {
    let data: Vec<Vec<u8>> = entries.iter().map(|(.., bytes)| vec![0; *bytes]).collect();
    let views = entries
        .iter()
        .zip(&data)
        .map(|((name, dtype, shape, _), data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn main() -> std::io::Result<()> {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes)
    };
    for (i, settings) in [&["trace.persistent=true"][..], &["rule.name=rflo", "train.dtype=f64"]].iter().enumerate() {
        let bytes = checkpoint("echo", settings).to_bytes().expect("a checkpoint");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let entry = &metadata.metadata().as_ref().expect("metadata")[METADATA_KEY];
        write("checkpoint", &format!("whole-{i}"), &[&[0], &bytes[..]].concat())?;
        write("checkpoint", &format!("metadata-{i}"), &[&[1], entry.as_bytes()].concat())?;
    }
    let trials = [("inputs", Dtype::F32, &[2, 3, 1][..], 24), ("targets", Dtype::U8, &[2, 3, 2], 12)];
    write("task_file", "least", &tensors(&trials))?;
    let more = [("mask", Dtype::BOOL, &[2, 3][..], 6), ("type", Dtype::I32, &[2], 8), ("modulator", Dtype::F64, &[2, 3], 48)];
    write("task_file", "all", &tensors(&[&trials[..], &more].concat()))?;
    write("inputs", "least", &tensors(&[("inputs", Dtype::F32, &[2, 2, 1], 16)]))?;
    let all = [
        ("inputs", Dtype::F64, &[2, 2, 2, 1][..], 64),
        ("modulator", Dtype::F32, &[2, 2], 16),
        ("x", Dtype::F16, &[2, 3], 12),
        ("hebbian_trace", Dtype::F32, &[2, 2, 3, 3], 144),
    ];
    write("inputs", "all", &tensors(&all))?;
    for task in &TASKS {
        let text = task.defaults(find_rule(task.rule).expect("a rule")).to_toml().expect("TOML");
        write("config", task.name, text.as_bytes())?;
        write("set", task.name, text.replace(" = ", "=").as_bytes())?;
    }
    write("set", "dotted", b"trace.eta=0.1\nnetwork.neurons=1e3\ntrain.networks=2..4")?;
    let rows = "update,trials,network,error,fraction_correct,recent_correct,mean_abs_dw,fraction_clipped,criterion_trials\n\
                1,2,0,0.5,0.5,0.5,0.001,0.0,\n1,2,1,0.25,1.0,1.0,0.001,0.0,2\n2,4,0,NaN,0.5,0.5,0.001,0.0,\n";
    write("metrics", "rows", rows.as_bytes())
}
