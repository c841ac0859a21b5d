//! A custom neuron model with a third state variable trains, is saved, resumes and is split over devices.

use crate::support::{small_dnms, values};
use candle_core::{DType, Device, Result, Tensor};
use hebbian_rnn::model::{Cell, State};
use hebbian_rnn::{Checkpoint, NeuronModel, Own, Setting, Trainer, TrainerBuilder};
use safetensors::SafeTensors;
use std::sync::Arc;

/// Neurons with adaptation: x ← x + (dt/τ)(−x + drive − strength · a), r = φ(x), a ← a + 0.1 (r − a), a(0) = 0.
struct Adapting {
    strength: f64,
}

impl NeuronModel for Adapting {
    fn name(&self) -> &str {
        "adapting"
    }

    fn start(&self, cell: &Cell, x: Tensor) -> Result<State> {
        let variables = [("a", x.zeros_like()?)].into();
        Ok(State { r: cell.rate(&x)?, x, variables })
    }

    fn step(&self, cell: &Cell, state: &State, drive: Tensor) -> Result<State> {
        let a = &state.variables["a"];
        let x = cell.clamped(cell.moved(&state.x, (drive - (a * self.strength)?)?)?)?;
        let r = cell.rate(&x)?;
        let a = (a + ((&r - a)? * 0.1)?)?;
        Ok(State { x, r, variables: [("a", a)].into() })
    }

    fn variables(&self) -> Vec<&'static str> {
        vec!["a"]
    }
}

fn own(strength: f64) -> Own {
    Own { neurons: Some(Arc::new(Adapting { strength })), ..Own::default() }
}

fn builder() -> TrainerBuilder {
    let settings = small_dnms(&["train.networks=3", "train.updates=4"]);
    settings.iter().fold(Trainer::builder("dnms"), |builder, text| {
        let Setting { key, value, .. } = Setting::parse(text).unwrap();
        builder.set(&key, value)
    })
}

fn trained(strength: f64, updates: usize, devices: &[Device]) -> Trainer {
    let builder = builder().own_neurons(Arc::new(Adapting { strength })).devices(devices);
    let mut trainer = builder.build().unwrap();
    for _ in 0..updates {
        let report = trainer.update().unwrap();
        assert!(report.networks.iter().all(|network| network.mean_abs_dw > 0.0), "nothing is learnt");
    }
    trainer
}

#[test]
fn a_third_variable_trains_is_saved_and_resumes() {
    let one = [Device::Cpu];
    let saved = trained(2.0, 2, &one).checkpoint().unwrap().to_bytes().unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    assert_eq!(file.tensor("a").unwrap().shape(), file.tensor("x").unwrap().shape());

    let checkpoint = Checkpoint::from_bytes_with(&saved, own(2.0), &Device::Cpu).unwrap();
    assert!(values(&checkpoint.plastic.state.variables["a"]).iter().any(|a| a.abs() > 0.1), "no neuron adapts");
    let mut resumed = Trainer::resume(&checkpoint, &one).unwrap();
    for _ in 0..2 {
        resumed.update().unwrap();
    }
    let whole = trained(2.0, 4, &one).checkpoint().unwrap().to_bytes().unwrap();
    assert!(resumed.checkpoint().unwrap().to_bytes().unwrap() == whole, "a resumed run differs");
}

#[test]
fn a_third_variable_is_split_over_devices() {
    let whole = trained(2.0, 3, &[Device::Cpu]).checkpoint().unwrap().to_bytes().unwrap();
    let split = trained(2.0, 3, &[Device::Cpu, Device::Cpu]).checkpoint().unwrap().to_bytes().unwrap();
    assert!(whole == split, "two devices train a different network");
}

#[test]
fn without_adaptation_they_are_leaky_neurons() {
    let settings = ["train.kernels=reference"];
    let leaky = settings.iter().fold(builder(), |builder, text| {
        let Setting { key, value, .. } = Setting::parse(text).unwrap();
        builder.set(&key, value)
    });
    let mut leaky = leaky.build().unwrap();
    leaky.update().unwrap();
    let weights = |trainer: &Trainer| values(&trainer.weights().unwrap().w_rec.to_dtype(DType::F64).unwrap());
    assert_eq!(weights(&trained(0.0, 1, &[Device::Cpu])), weights(&leaky));
    assert_ne!(weights(&trained(2.0, 1, &[Device::Cpu])), weights(&leaky));
}

#[test]
fn a_file_with_a_variable_needs_its_neuron_model() {
    let saved = trained(2.0, 1, &[Device::Cpu]).checkpoint().unwrap().to_bytes().unwrap();
    let error = Checkpoint::from_bytes(&saved, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("network.dynamics") && error.contains("`adapting`"), "{error}");
}
