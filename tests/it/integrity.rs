//! Altered checkpoints: damaged structure, damaged values, edited by hand, or of an older format.

use crate::command::{bytes, fine, hebbian, one_line_error, Ran};
use crate::process::TINY;
use candle_core::Device;
use hebbian_rnn::training::METADATA_KEY;
use hebbian_rnn::{Checkpoint, Integrity};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A run of three updates, and its newest checkpoint.
fn run() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    fine(hebbian(&[&TINY[..], &["--updates", "3", "--out", "run"]].concat(), dir.path()));
    let checkpoint = dir.path().join("run/checkpoint.safetensors");
    (dir, checkpoint)
}

fn metadata(file: &[u8]) -> String {
    let (_, metadata) = SafeTensors::read_metadata(file).unwrap();
    metadata.metadata().as_ref().unwrap()[METADATA_KEY].clone()
}

/// Rewrites the file, as Python's safetensors would, with other metadata and the first value of `w_rec` changed.
fn rewritten(file: &[u8], metadata: String, first_value: Option<f32>) -> Vec<u8> {
    let old = SafeTensors::deserialize(file).unwrap();
    let changed = |name: &str, data: &[u8]| match first_value {
        Some(value) if name == "w_rec" => [&value.to_le_bytes(), &data[4..]].concat(),
        _ => data.to_vec(),
    };
    let tensors: Vec<_> =
        old.tensors().into_iter().map(|(n, v)| (changed(&n, v.data()), n, v.dtype(), v.shape().to_vec())).collect();
    let views = tensors.iter().map(|(d, n, t, s)| (n.clone(), TensorView::new(*t, s.clone(), d).unwrap()));
    safetensors::serialize(views, Some(HashMap::from([(METADATA_KEY.to_string(), metadata)]))).unwrap()
}

fn edited(file: &[u8]) -> Vec<u8> {
    rewritten(file, metadata(file), Some(0.125))
}

/// Writes the checkpoint as a file of format 1.
fn of_format_1(file: &[u8]) -> Vec<u8> {
    let json = metadata(file);
    let end = json.find(",\"sha256\":\"").unwrap();
    let json = format!("{}}}", &json[..end]).replace("\"format\":2", "\"format\":1").replace("\"keep\":1,", "");
    rewritten(file, json, None)
}

fn read(file: &[u8]) -> Checkpoint {
    Checkpoint::from_bytes(file, &Device::Cpu).unwrap()
}

fn write_inputs(path: &Path) {
    let view = TensorView::new(Dtype::F32, vec![2, 10, 1], &[0; 80]).unwrap();
    std::fs::write(path, safetensors::serialize([("inputs", view)], None).unwrap()).unwrap();
}

fn simulate(dir: &TempDir) -> Ran {
    write_inputs(&dir.path().join("in.safetensors"));
    hebbian(&["simulate", "run", "--inputs", "in.safetensors", "--out", "out.safetensors"], dir.path())
}

#[test]
fn the_checksum_is_the_documented_one() {
    let (_dir, path) = run();
    let file = bytes(path);
    let json = metadata(&file);
    let found = json.rsplit('"').nth(1).unwrap();
    let mut hash = Sha256::new_with_prefix(json.replace(found, ""));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    for name in names {
        let tensor = tensors.tensor(name).unwrap();
        hash.update(format!("\n{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()));
        hash.update(tensor.data());
    }
    assert_eq!(format!("{:x}", hash.finalize()), found);
}

#[test]
fn one_changed_bit_anywhere_is_noticed() {
    let (_dir, path) = run();
    let file = bytes(path);
    assert_eq!(read(&file).integrity, Integrity::Whole);
    assert_eq!(read(&rewritten(&file, metadata(&file), None)).integrity, Integrity::Whole, "another order of tensors");
    let data = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut refused = 0;
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 1 << (place % 8);
        match Checkpoint::from_bytes(&damaged, &Device::Cpu) {
            // If the JSON is still valid, no value that is read may have changed.
            Ok(checkpoint) => assert_eq!(checkpoint.integrity, Integrity::Changed, "byte {place} of {data} + data"),
            Err(_) => refused += 1,
        }
    }
    println!("{} bits changed, one in each byte: {refused} refused, the others noticed", file.len());
    assert!(refused > data / 4, "broken structure is refused whatever the checksum: {refused}");
}

#[test]
fn an_edited_checkpoint_runs_with_a_warning_and_trains_only_if_accepted() {
    let (dir, path) = run();
    let good = bytes(&path);
    std::fs::write(&path, edited(&good)).unwrap();
    let warning = "run/checkpoint.safetensors: its checksum does not match: it was damaged, or edited by hand; \
                   the checkpoint before it is intact: run/checkpoint.1.safetensors (update 2)";
    for command in ["evaluate", "plot", "analyse", "report"] {
        let ran = fine(hebbian(&[command, "run"], dir.path()));
        // In a log, long work says what it is doing.
        let said: Vec<&str> = ran.stderr.lines().filter(|line| !line.ends_with(" …")).collect();
        assert_eq!(said, [format!("warning: {warning}")], "{command}");
    }
    assert_eq!(fine(simulate(&dir)).stderr, format!("warning: {warning}\n"));
    for more in [&[][..], &["--json"]] {
        let inspected = hebbian(&[&["inspect", "run"], more].concat(), dir.path());
        assert!(inspected.stdout.contains("w_rec"), "its contents are shown all the same");
        one_line_error(inspected, 1, warning);
    }
    let more = ["train", "--resume", "--updates", "5", "--out", "run"];
    one_line_error(hebbian(&more, dir.path()), 1, &format!("{warning}; --accept-edited continues from it"));
    assert!(bytes(&path) == edited(&good), "a refused file is left alone");
    fine(hebbian(&[&more[..], &["--accept-edited"]].concat(), dir.path()));
    assert_eq!(read(&bytes(&path)).integrity, Integrity::Whole);
    // It continued from the edited weights: without the edit the result differs.
    fine(hebbian(&[&TINY[..], &["--updates", "5", "--out", "whole"]].concat(), dir.path()));
    assert!(bytes(dir.path().join("whole/checkpoint.safetensors")) != bytes(&path));
    // For an intact checkpoint the flag has no effect.
    assert_eq!(hebbian(&["train", "echo", "--accept-edited"], dir.path()).code, 2);
    let json = fine(hebbian(&["inspect", "run", "--json"], dir.path())).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["format"], &json["integrity"]), (&2.into(), &"whole".into()));
}

#[test]
fn a_damaged_structure_is_refused_and_the_way_back_is_named() {
    let (dir, path) = run();
    let good = bytes(&path);
    let refused = |message: &str| {
        for args in [
            &["inspect", "run"][..],
            &["evaluate", "run"],
            &["plot", "run"],
            &["train", "--resume", "--out", "run"],
            &["train", "--resume", "--accept-edited", "--out", "run"],
        ] {
            one_line_error(hebbian(args, dir.path()), 1, message);
        }
        one_line_error(simulate(&dir), 1, message);
        assert!(!dir.path().join("out.safetensors").exists());
    };
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    let way_back = "run/checkpoint.safetensors cannot be read, but the checkpoint before it can: \
                    run/checkpoint.1.safetensors (update 2): run/checkpoint.safetensors: ";
    refused(&format!("{way_back}not a whole safetensors file"));
    std::fs::remove_file(&path).unwrap();
    refused(&way_back.replace(": run/checkpoint.safetensors: ", ": reading run/checkpoint.safetensors: No such file"));
    // The previous one is damaged too, so the message names none.
    std::fs::write(&path, &good[..100]).unwrap();
    std::fs::write(path.with_file_name("checkpoint.1.safetensors"), &good[..90]).unwrap();
    refused("error: run/checkpoint.safetensors: not a whole safetensors file");
}

#[test]
fn a_file_of_format_1_has_no_checksum_and_goes_on() {
    let (dir, path) = run();
    let good = bytes(&path);
    std::fs::write(&path, of_format_1(&good)).unwrap();
    let inspected = fine(hebbian(&["inspect", "run"], dir.path())).stdout;
    assert!(inspected.contains("format 1, program") && inspected.contains("format 1 has no checksum"), "{inspected}");
    assert_eq!(fine(hebbian(&["evaluate", "run"], dir.path())).stderr, "");
    fine(hebbian(&["train", "--resume", "--updates", "5", "--out", "run"], dir.path()));
    fine(hebbian(&[&TINY[..], &["--updates", "5", "--out", "whole"]].concat(), dir.path()));
    for file in ["checkpoint.safetensors", "metrics.csv", "config.toml"] {
        assert!(bytes(dir.path().join("run").join(file)) == bytes(dir.path().join("whole").join(file)), "{file}");
    }
    // Newer formats are refused with both version numbers; format 2 must have a checksum.
    let newer = rewritten(&good, metadata(&good).replace("\"format\":2", "\"format\":3"), None);
    let error = format!("{:#}", Checkpoint::from_bytes(&newer, &Device::Cpu).unwrap_err());
    assert!(error.contains("written in format 3") && error.contains("reads formats up to 2"), "{error}");
    let bare = rewritten(&good, metadata(&of_format_1(&good)).replace("\"format\":1", "\"format\":2"), None);
    assert_eq!(read(&bare).integrity, Integrity::Changed);
}

#[test]
fn damaged_metrics_are_not_believed_and_cost_no_training() {
    let (dir, path) = run();
    let metrics = path.with_file_name("metrics.csv");
    let good = String::from_utf8(bytes(&metrics)).unwrap();
    std::fs::write(&metrics, good.replacen("2,8,0", "2,8,?", 1)).unwrap();
    let more = ["train", "--resume", "--updates", "4", "--out", "run"];
    one_line_error(hebbian(&more, dir.path()), 1, "run/metrics.csv: restore the file, or move it away");
    std::fs::remove_file(&metrics).unwrap();
    fine(hebbian(&more, dir.path()));
    let rows = hebbian_rnn::storage::read_metrics(&metrics).unwrap();
    assert_eq!(rows.iter().map(|row| row.update).collect::<Vec<_>>(), [4, 4]);
}
