//! Damaged files: every command prints one line with the file and the cause, and writes nothing.

use crate::command::{bytes, fine, hebbian, one_line_error, train};
use safetensors::{tensor::TensorView, Dtype};
use tempfile::TempDir;

#[test]
fn every_command_refuses_a_damaged_checkpoint_in_one_line() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    let path = dir.path().join("run/checkpoint.safetensors");
    let whole = bytes(&path);
    let text = |from: &str, to: &str| {
        let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let header = String::from_utf8(whole[8..8 + length].to_vec()).unwrap().replacen(from, to, 1);
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &whole[8 + length..]].concat()
    };
    let damages = [
        (whole[..whole.len() / 2].to_vec(), "not a whole safetensors file"),
        (text("\"w_in\"", "\"w\\n\\u001b[31m\""), "w\\n\\u{1b}[31m"),
        (text("\\\"neurons\\\":24", "\\\"neurons\\\":1000000000"), "network.neurons is 1000000000"),
        (text("\\\"steps\\\":60", "\\\"steps\\\":1000000000000"), "1000000000000 steps"),
        (text("\\\"batch\\\":8", "\\\"batch\\\":\\\"many\\\""), "the `hebbian_rnn` metadata"),
    ];
    let inputs = [2.0f32.to_le_bytes(), 1.0f32.to_le_bytes()].concat();
    let inputs = [("inputs", TensorView::new(Dtype::F32, vec![1, 1, 2], &inputs).unwrap())];
    std::fs::write(dir.path().join("in.safetensors"), safetensors::serialize(inputs, None).unwrap()).unwrap();
    for (damaged, cause) in damages {
        std::fs::write(&path, damaged).unwrap();
        for command in [
            &["inspect", "run"][..],
            &["evaluate", "run"],
            &["plot", "run"],
            &["train", "--resume", "--out", "run"],
            &["simulate", "run", "--inputs", "in.safetensors", "--out", "out.safetensors"],
        ] {
            let ran = hebbian(command, dir.path());
            assert!(ran.stderr.contains("run/checkpoint.safetensors"), "{command:?}: {}", ran.stderr);
            one_line_error(ran, 1, cause);
        }
    }
    assert!(!dir.path().join("out.safetensors").exists());
}

#[test]
fn trials_that_a_file_only_claims_are_refused_with_their_size() {
    let dir = TempDir::new().unwrap();
    fine(train(dir.path(), &["--updates", "1", "--out", "run"]));
    let path = dir.path().join("run/checkpoint.safetensors");
    let whole = bytes(&path);
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(whole[8..8 + length].to_vec()).unwrap();
    let header = header.replacen("\\\"steps\\\":60", "\\\"steps\\\":4294967295", 1);
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &whole[8 + length..]].concat())
        .unwrap();
    for command in [["evaluate", "run"], ["plot", "run"]] {
        let ran = hebbian(&command, dir.path());
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!((ran.code, lines.len()), (1, 2), "{}", ran.stderr);
        assert!(lines[0].contains("its checksum does not match"), "{}", lines[0]);
        assert!(lines[1].contains("of memory on its device"), "{}", lines[1]);
    }
    one_line_error(hebbian(&["inspect", "run"], dir.path()), 1, "its checksum does not match");
}

#[test]
fn a_configuration_that_is_not_toml_is_refused_with_its_line() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("run.toml"), "[network]\nneurons = = 5\n").unwrap();
    let ran = hebbian(&["train", "dnms", "--config", "run.toml", "--out", "run"], dir.path());
    one_line_error(ran, 2, "run.toml is not TOML: line 2: ");
    std::fs::write(dir.path().join("run.toml"), b"[network]\n# \xff\n").unwrap();
    one_line_error(hebbian(&["train", "dnms", "--config", "run.toml", "--out", "run"], dir.path()), 1, "run.toml");
    assert!(!dir.path().join("run").exists());
}
