//! Describes a training, one thing after the other.

use super::Trainer;
use crate::config::{NetworkRange, Setting};
use crate::error::Result;
use crate::model::NeuronModel;
use crate::presets::{Own, Setup};
use crate::rules::LearningRule;
use crate::tasks::Task;
use candle_core::Device;
use std::sync::Arc;

/// A training to be: the defaults of a task, and what is to be different.
///
/// ```
/// # use hebbian_rnn::Trainer;
/// let mut trainer = Trainer::builder("echo").networks(2).updates(3).build()?;
/// trainer.train()?;
/// assert_eq!(trainer.updates(), 3);
/// # Ok::<(), hebbian_rnn::Error>(())
/// ```
pub struct TrainerBuilder {
    task: String,
    settings: Vec<Setting>,
    own: Own,
    devices: Vec<Device>,
}

impl TrainerBuilder {
    pub(super) fn new(task: &str) -> Self {
        TrainerBuilder { task: task.into(), settings: Vec::new(), own: Own::default(), devices: vec![Device::Cpu] }
    }

    /// S, the number of independent networks.
    pub fn networks(self, networks: u64) -> Self {
        self.network_range(0..networks)
    }

    /// The indices of the networks: each draws the same values alone and in company.
    pub fn network_range(self, networks: std::ops::Range<u64>) -> Self {
        self.set("train.networks", NetworkRange::from(networks).to_string())
    }

    /// B, trials of each network in parallel; one update for each batch.
    pub fn batch(self, trials: i64) -> Self {
        self.set("train.batch", trials)
    }

    /// Stop after so many updates.
    pub fn updates(self, updates: i64) -> Self {
        self.set("train.updates", updates)
    }

    /// Stop after so many trials of each network, rounded up to whole updates.
    pub fn trials(self, trials: i64) -> Self {
        self.set("train.trials", trials)
    }

    /// Stop as soon as every network has reached the criterion.
    pub fn until_criterion(self) -> Self {
        self.set("train.until_criterion", true)
    }

    /// The seed of everything random.
    pub fn seed(self, seed: i64) -> Self {
        self.set("train.seed", seed)
    }

    /// The learning rule, by its name.
    pub fn rule(self, name: &str) -> Self {
        self.set("rule.name", name)
    }

    /// Any key of the configuration.
    pub fn set(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.settings.push(Setting::flag("TrainerBuilder::set", key, value));
        self
    }

    /// A task of your own, in place of the one whose settings this training begins with.
    pub fn own_task(mut self, task: Arc<dyn Task>) -> Self {
        self.own.task = Some(task);
        self
    }

    /// A learning rule of your own.
    pub fn own_rule(mut self, rule: Arc<dyn LearningRule>) -> Self {
        self.own.rule = Some(rule);
        self
    }

    /// A neuron model of your own.
    pub fn own_neurons(mut self, neurons: Arc<dyn NeuronModel>) -> Self {
        self.own.neurons = Some(neurons);
        self
    }

    /// Where it runs; several devices split the networks. The CPU, unless this is said.
    pub fn devices(mut self, devices: &[Device]) -> Self {
        self.devices = devices.to_vec();
        self
    }

    /// What is to be trained, resolved and checked.
    ///
    /// # Errors
    /// An unknown task, rule or key, a value out of range, or settings that do not go together.
    pub fn setup(self) -> Result<Setup> {
        Setup::resolve_with(Some(&self.task), &self.settings, self.own)
    }

    /// Draws the networks.
    ///
    /// # Errors
    /// As [`TrainerBuilder::setup`], or where a device fails.
    pub fn build(self) -> Result<Trainer> {
        let devices = self.devices.clone();
        Trainer::new(self.setup()?, &devices)
    }
}
