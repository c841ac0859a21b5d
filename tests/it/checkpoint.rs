//! Checkpoints: round trips, strict reading, and one hostile file for each reason to refuse it.

use crate::support::*;
use candle_core::Device;
use hebbian_rnn::training::METADATA_KEY;
use hebbian_rnn::{Checkpoint, Integrity};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};

fn saved(settings: &[&str]) -> Vec<u8> {
    let mut trainer = trainer("echo", settings);
    trainer.update().unwrap();
    trainer.checkpoint().unwrap().to_bytes().unwrap()
}

fn small() -> Vec<u8> {
    saved(&["network.neurons=4", "train.batch=3", "train.networks=2", "trace.persistent=true"])
}

fn refused(bytes: &[u8]) -> String {
    format!("{:#}", Checkpoint::from_bytes(bytes, &Device::Cpu).expect_err("a damaged file was read"))
}

type Stored = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;
type Parts = (Stored, String);

/// Splits a file into its parts, lets `change` edit them, and joins them again.
fn edited(bytes: &[u8], change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let json = metadata.metadata().as_ref().unwrap()[METADATA_KEY].clone();
    let file = SafeTensors::deserialize(bytes).unwrap();
    let tensors =
        file.tensors().into_iter().map(|(k, v)| (k, (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect();
    let mut parts = (tensors, json);
    change(&mut parts);
    let (tensors, json) = parts;
    let views: Vec<_> =
        tensors.iter().map(|(k, (d, s, v))| (k.clone(), TensorView::new(*d, s.clone(), v).unwrap())).collect();
    safetensors::serialize(views, Some(HashMap::from([(METADATA_KEY.to_string(), json)]))).unwrap()
}

#[test]
fn the_contract_s_tensors_are_there_with_their_shapes() {
    let file = small();
    let file = SafeTensors::deserialize(&file).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("w_in"), [2, 4, 1]);
    assert_eq!(shape("w_rec"), [2, 4, 4]);
    assert_eq!(shape("b_rec"), [2, 4]);
    assert_eq!(shape("w_out"), [2, 1, 4]);
    assert_eq!(shape("b_out"), [2, 1]);
    assert_eq!(shape("hebbian_trace"), [2, 3, 4, 4]);
    assert_eq!(shape("x"), [2, 3, 4]);
    assert_eq!(shape("r"), [2, 3, 4]);
    assert_eq!(shape("expected_error"), [2, 1]);
}

#[test]
fn reading_and_writing_again_gives_the_same_bytes() {
    for settings in [&["train.networks=2..4"][..], &["train.dtype=f64", "network.connectivity=0.5"]] {
        let bytes = saved(settings);
        assert!(Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap().to_bytes().unwrap() == bytes);
    }
}

#[test]
fn weights_changed_by_hand_are_used() {
    let bytes = edited(&small(), |(tensors, _)| {
        let (_, _, data) = tensors.get_mut("w_rec").unwrap();
        data[..4].copy_from_slice(&0.125f32.to_le_bytes());
    });
    let checkpoint = Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap();
    assert_eq!(checkpoint.integrity, Integrity::Changed);
    assert_eq!(values(&checkpoint.plastic.weights.w_rec)[0], 0.125);
    let mut trainer = hebbian_rnn::Trainer::resume(&checkpoint, &[Device::Cpu]).unwrap();
    trainer.update().unwrap();
}

#[test]
fn damaged_files_are_refused_by_name() {
    let good = small();
    assert!(refused(&good[..good.len() - 1]).contains("not a whole safetensors file"));
    assert!(refused(&good[..20]).contains("not a whole safetensors file"));
    assert!(refused(b"").contains("not a whole safetensors file"));
    assert!(refused(b"PK\x03\x04 some other kind of file").contains("not a whole safetensors file"));

    let foreign =
        safetensors::serialize([("w", TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap())], None).unwrap();
    assert!(refused(&foreign).contains("from another program"));

    let json = |change: &dyn Fn(String) -> String| refused(&edited(&good, |(_, json)| *json = change(json.clone())));
    assert!(json(&|j| j.replace("\"format\":2", "\"format\":3")).contains("format 3"));
    assert!(json(&|_| "{".into()).contains("not JSON"));
    assert!(json(&|j| j.replace("\"name\":\"echo\"", "\"name\":\"ecko\"")).contains("unknown task `ecko`"));
    assert!(json(&|j| j.replace("\"neurons\":4", "\"neurons\":5")).contains("expected f32 [2, 5"));
    assert!(json(&|j| j.replace("\"criterion_trials\":[null,null]", "\"criterion_trials\":[null]"))
        .contains("criterion_trials"));

    let tensor = |change: &dyn Fn(&mut Stored)| refused(&edited(&good, |(t, _)| change(t)));
    assert!(tensor(&|t| drop(t.remove("x"))).contains("tensor `x` is missing; expected f32 [2, 3, 4]"));
    let added = tensor(&|t| drop(t.insert("w_more".into(), (Dtype::U8, vec![1], vec![0]))));
    assert!(added.contains("unexpected tensor `w_more`"));
    let reshaped = tensor(&|t| t.get_mut("w_rec").unwrap().1 = vec![2, 16]);
    assert!(reshaped.contains("tensor `w_rec` is f32 [2, 16]; expected f32 [2, 4, 4]"), "{reshaped}");
    let retyped = tensor(&|t| t.get_mut("w_rec").unwrap().0 = Dtype::I32);
    assert!(retyped.contains("tensor `w_rec` is i32"));
    for bad in [f32::NAN, f32::INFINITY] {
        let infinite = tensor(&|t| t.get_mut("w_in").unwrap().2[..4].copy_from_slice(&bad.to_le_bytes()));
        assert!(infinite.contains("tensor `w_in` holds values that are not finite"), "{infinite}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_makes_reading_panic(place in 0.0f64..1.0, value: u8, cut in 0.0f64..1.0) {
        let mut bytes = small();
        // Most possible damage is in the header.
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
        bytes[(place * header as f64) as usize] = value;
        let _ = Checkpoint::from_bytes(&bytes, &Device::Cpu);
        let _ = Checkpoint::from_bytes(&bytes[..(cut * bytes.len() as f64) as usize], &Device::Cpu);
    }
}
