//! Bugs that mutations and fuzzing found, each with the input that revealed it.

use crate::valid;
use candle_core::Device;
use hebbian_rnn::runs::parse_inputs;
use hebbian_rnn::tasks::{ErrorMeasure, FileTask};
use hebbian_rnn::{Checkpoint, Trainer};
use safetensors::Dtype;

/// The safetensors reader added lengths unchecked: near 2^64 it panicked or, without overflow checks, read beyond the
/// file.
#[test]
fn lengths_near_two_to_the_64() {
    let mut start = 0u64;
    let lengths = [(1u64 << 61) - 1; 8].into_iter().chain([7]);
    let entries: Vec<String> = lengths
        .enumerate()
        .map(|(i, length)| {
            start += length;
            let from = start - length;
            format!("\"t{i}\":{{\"dtype\":\"U8\",\"shape\":[{length}],\"data_offsets\":[{from},{start}]}}")
        })
        .collect();
    let bytes = crate::damage::assembled(format!("{{{}}}", entries.join(",")).as_bytes(), &[0; 64]);
    let networks = valid::checkpoint("echo", &["network.neurons=3", "train.batch=1", "train.networks=1"]);
    let errors = [
        Checkpoint::from_bytes(&bytes, &Device::Cpu).map(drop).unwrap_err(),
        FileTask::from_bytes(&bytes, ErrorMeasure::Squared, 0.5).map(drop).unwrap_err(),
        parse_inputs(&bytes, &networks, &Device::Cpu).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("not a whole safetensors file"), "{error}");
    }
}

/// A number with seventeen digits came back from the metadata with a rounding error, so a resumed run was no longer the
/// same run.
#[test]
fn numbers_survive_the_metadata_to_the_bit() {
    let setup = valid::setup("echo", &["network.bias_scale=1.0998712029211295", "train.networks=1"]).unwrap();
    let bytes = Trainer::new(setup, &[Device::Cpu]).unwrap().checkpoint().unwrap().to_bytes().unwrap();
    let read = Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap();
    assert_eq!(read.setup.config().network.bias_scale, 1.0998712029211295);
}

/// Settings that nothing reads could be NaN; JSON has no NaN, so the run's checkpoint could not be read back.
#[test]
fn numbers_that_are_not_read_are_finite_all_the_same() {
    for key in ["dale_inhibition", "dale_weight", "dale_density", "excitatory", "response_offset", "response_max"] {
        let error = valid::setup("dnms", &[&format!("network.{key}=nan")]).unwrap_err().to_string();
        assert!(error.contains(&format!("network.{key} is NaN")), "{error}");
    }
    let error = valid::setup("reach", &["task.segments=[nan, 3.0]"]).unwrap_err().to_string();
    assert!(error.contains("task.segments is NaN"), "{error}");
}

/// Scales that are finite in double precision produced infinite weights in single precision, so the checkpoint could
/// not be read back.
#[test]
fn scales_beyond_single_precision_are_refused() {
    for key in ["network.gain", "network.input_scale", "network.bias_scale", "trace.alpha"] {
        let error = valid::setup("dnms", &[&format!("{key}=1e300")]).unwrap_err().to_string();
        assert!(error.contains(&format!("{key} is 1")) && error.contains("1e30"), "{error}");
    }
}

/// Inputs that are finite in double precision became infinite in single precision after they had been checked.
#[test]
fn inputs_are_checked_in_the_precision_they_are_used_in() {
    let networks = valid::checkpoint("echo", &["network.neurons=3", "train.batch=1", "train.networks=1"]);
    let data: Vec<u8> = [1e300f64, 0.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let bytes = valid::tensors(&[("inputs", Dtype::F64, &[2, 1, 1], data)]);
    let error = parse_inputs(&bytes, &networks, &Device::Cpu).map(drop).unwrap_err().to_string();
    assert!(error.contains("`inputs` holds values that are not finite"), "{error}");
}

/// Bytes were not checked: a connectivity of 200 multiplied every weight change, and an invalid outcome was dropped.
#[test]
fn bytes_that_mean_nothing_are_refused() {
    let small = ["network.neurons=3", "train.batch=1", "train.networks=1", "network.connectivity=0.5"];
    let bytes = valid::checkpoint("echo", &small).to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, message) in [("connectivity", "expected integers from 0 to 1"), ("recent_correct", "from 0 to 2")] {
        let place = file.tensor(name).unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
        let mut damaged = bytes.clone();
        damaged[place] = 200;
        let error = Checkpoint::from_bytes(&damaged, &Device::Cpu).map(drop).unwrap_err().to_string();
        assert!(error.contains(&format!("tensor `{name}` holds 200")) && error.contains(message), "{error}");
    }
    // Ē was the only tensor whose values were not checked.
    let place = file.tensor("expected_error").unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize;
    let mut damaged = bytes.clone();
    damaged[place..place + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    let error = Checkpoint::from_bytes(&damaged, &Device::Cpu).map(drop).unwrap_err().to_string();
    assert!(error.contains("`expected_error` holds values that are not finite"), "{error}");
}
