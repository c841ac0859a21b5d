//! Writes small valid files into `corpus/TARGET` as seeds for the fuzzer: `cargo run --bin seeds`.

use hebbian_rnn::TASKS;
use hebbian_rnn::sweep::PLAN_FILE;
use hebbian_rnn::training::METADATA_KEY;
use hebbian_rnn_fuzz::{checkpoint, life_checkpoint, sweep, LIFE_KEY};
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
    for life in ["distal-reward", "xor-temporal", "linear-track"] {
        let bytes = life_checkpoint(life).to_bytes().expect("a checkpoint");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let entry = &metadata.metadata().as_ref().expect("metadata")[LIFE_KEY];
        write("life_checkpoint", life, &[&[0], &bytes[..]].concat())?;
        write("life_checkpoint", &format!("{life}-metadata"), &[&[1], entry.as_bytes()].concat())?;
    }
    let sweep = sweep();
    let job = &sweep.jobs()[0];
    assert!(sweep.run(job, &|_, _| (), &|| false).expect("a job"));
    write("plan", "whole", &std::fs::read(sweep.folder().join(PLAN_FILE))?)?;
    write("sweep_settings", "whole", &std::fs::read(sweep.folder().join("settings/1.toml"))?)?;
    write("scores", "whole", &std::fs::read(sweep.job_folder(job).join("scores.csv"))?)?;
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
    for task in TASKS {
        let text = task.config().expect("its defaults").to_toml().expect("TOML");
        write("config", task.name, text.as_bytes())?;
        write("set", task.name, text.replace(" = ", "=").as_bytes())?;
    }
    write("set", "dotted", b"trace.eta=0.1\nnetwork.neurons=1e3\ntrain.networks=2..4")?;
    let rows = "update,trials,network,error,fraction_correct,recent_correct,mean_abs_dw,fraction_clipped,criterion_trials\n\
                1,2,0,0.5,0.5,0.5,0.001,0.0,\n1,2,1,0.25,1.0,1.0,0.001,0.0,2\n2,4,0,NaN,0.5,0.5,0.001,0.0,\n";
    write("metrics", "rows", rows.as_bytes())
}
