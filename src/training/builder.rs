//! Describes a training run in a chain of calls.

use super::Trainer;
use crate::config::{NetworkRange, Setting};
use crate::error::Result;
use crate::model::NeuronModel;
use crate::rules::LearningRule;
use crate::setup::{Own, Setup};
use crate::tasks::Problem;
use candle_core::Device;
use std::sync::Arc;

/// The description of a training run: the default settings of a task, and any changes to them.
///
/// The defaults are complete, so every call is optional; later calls override earlier ones. Nothing is checked before
/// [`build`](TrainerBuilder::build).
///
/// ```
/// # use hebbian_rnn::{Error, Trainer};
/// let mut trainer = Trainer::builder("echo").networks(2).batch(4).updates(3).seed(7).build()?;
/// trainer.train()?;
/// assert_eq!((trainer.updates(), trainer.trials()), (3, 12));
///
/// // A misspelt key is refused when the trainer is built, and the nearest one is named.
/// let error = Trainer::builder("echo").set("network.neuron", 50).build().err().unwrap();
/// assert!(error.to_string().contains("did you mean `network.neurons`?"));
/// # Ok::<(), Error>(())
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

    /// S, the number of independent networks: `train.networks`.
    pub fn networks(self, networks: u64) -> Self {
        self.network_range(0..networks)
    }

    /// The indices of the networks to train: `train.networks`. A network draws the same random numbers whichever others
    /// are trained with it, so a large population can be trained in parts.
    pub fn network_range(self, networks: std::ops::Range<u64>) -> Self {
        self.set("train.networks", NetworkRange::from(networks).to_string())
    }

    /// B, the number of trials per network in each update: `train.batch`.
    pub fn batch(self, trials: u64) -> Self {
        self.set_number("train.batch", trials)
    }

    /// Stop after this many updates: `train.updates`.
    pub fn updates(self, updates: u64) -> Self {
        self.set_number("train.updates", updates)
    }

    /// Stop after this many trials of each network, rounded up to whole updates: `train.trials`.
    pub fn trials(self, trials: u64) -> Self {
        self.set_number("train.trials", trials)
    }

    /// Stop as soon as every network has reached the criterion ([`Criterion`](crate::training::Criterion)):
    /// `train.until_criterion`.
    pub fn until_criterion(self) -> Self {
        self.set("train.until_criterion", true)
    }

    /// The seed from which all random numbers derive: `train.seed`.
    pub fn seed(self, seed: u64) -> Self {
        self.set_number("train.seed", seed)
    }

    /// The learning rule, one of [`RULES`](crate::RULES) by name: `rule.name`. The defaults are then those for this
    /// rule.
    pub fn rule(self, name: &str) -> Self {
        self.set("rule.name", name)
    }

    /// TOML integers end at 2⁶³ − 1. A larger number is passed on as text, which the configuration refuses.
    fn set_number(self, key: &str, number: u64) -> Self {
        match i64::try_from(number) {
            Ok(number) => self.set(key, number),
            Err(_) => self.set(key, number.to_string()),
        }
    }

    /// Sets any key of the configuration ([`Config`](crate::Config)), such as `network.neurons`.
    pub fn set(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.settings.push(Setting::flag("TrainerBuilder::set", key, value));
        self
    }

    /// Your own [`Task`](crate::Task), or [`Episodes`](crate::Episodes) in your own environment. The settings remain those
    /// of the task that the builder was made with.
    pub fn own_task(mut self, task: impl Into<Problem>) -> Self {
        self.own.task = Some(task.into());
        self
    }

    /// Your own learning rule. The settings remain those of the task's usual rule, or of [`TrainerBuilder::rule`].
    pub fn own_rule(mut self, rule: Arc<dyn LearningRule>) -> Self {
        self.own.rule = Some(rule);
        self
    }

    /// Your own neuron model.
    pub fn own_neurons(mut self, neurons: Arc<dyn NeuronModel>) -> Self {
        self.own.neurons = Some(neurons);
        self
    }

    /// The devices to train on; the default is the CPU. Several devices share the networks between them.
    pub fn devices(mut self, devices: &[Device]) -> Self {
        self.devices = devices.to_vec();
        self
    }

    /// Resolves and checks the settings without drawing any network.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) for an unknown task, rule or key,
    /// [`Error::Setting`](crate::Error::Setting) for a value out of range, [`Error::Usage`](crate::Error::Usage) for
    /// settings that are incompatible.
    pub fn setup(self) -> Result<Setup> {
        Setup::resolve_with(Some(&self.task), &self.settings, self.own)
    }

    /// Resolves and checks the settings, and draws the networks.
    ///
    /// # Errors
    /// As [`TrainerBuilder::setup`] and [`Trainer::new`].
    pub fn build(self) -> Result<Trainer> {
        let devices = self.devices.clone();
        Trainer::new(self.setup()?, &devices)
    }
}
