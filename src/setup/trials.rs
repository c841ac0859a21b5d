//! A run's configuration with the task, rule and neuron model that it names. Their compatibility is checked before anything runs.

use crate::config::{lay_over, stage_name, Config, CurriculumStage, FastWeightsConfig};
use crate::config::{ModulatorSource, Output, ReadoutRule, Setting, Stage};
use crate::error::{bail, ensure, At, Error, Result};
use crate::model::{find_neuron_model, NeuronModel};
use crate::presets::{find_task, optional_parameters, resolve_config};
use crate::rules::{find_rule, optional_keys, Credit, LearningRule, Source};
use crate::tasks::{Problem, TrialShape};
use std::fmt;
use std::sync::Arc;
use toml::Value;

/// A complete configuration, and the task, rule and neuron model that it names. It was checked as a whole: [`Setup::changed`] makes
/// another one.
#[derive(Clone)]
pub struct Setup {
    /// The configuration.
    pub(crate) config: Config,
    /// The task or environment.
    pub(crate) task: Problem,
    /// Its learning rule.
    pub(crate) rule: Arc<dyn LearningRule>,
    /// Its neuron model.
    pub(crate) neurons: Arc<dyn NeuronModel>,
}

/// A task or environment, rule or neuron model of your own. Each replaces the one that the configuration names, and the configuration
/// takes over its name.
#[derive(Clone, Default)]
pub struct Own {
    /// A task or environment.
    pub task: Option<Problem>,
    /// A learning rule.
    pub rule: Option<Arc<dyn LearningRule>>,
    /// A neuron model.
    pub neurons: Option<Arc<dyn NeuronModel>>,
}

impl Setup {
    /// Builds the parts that a configuration names, and checks that everything is compatible.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown name, [`Error::Setting`] for a value out of range, [`Error::Usage`] for
    /// incompatible settings; with a task file also [`Error::Io`], [`Error::Tensor`] and [`Error::Content`].
    pub fn new(config: Config) -> Result<Self> {
        Self::with(config, Own::default())
    }

    /// Like [`Setup::new`], with a task, rule or neuron model of your own.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub fn with(config: Config, own: Own) -> Result<Self> {
        let setup = Self::alone(config, own)?;
        for k in 0..setup.config.curriculum.len() {
            let stage = setup.stage(k).at(stage_name(k))?;
            let sizes = |setup: &Setup| (setup.shape().n_in, setup.shape().n_out, setup.task.n_types());
            ensure!(
                sizes(&stage) == sizes(&setup),
                Usage,
                "{} has {:?} inputs, outputs and trial types; expected {:?}, as in the run's own settings",
                stage_name(k),
                sizes(&stage),
                sizes(&setup)
            );
        }
        Ok(setup)
    }

    /// As [`Setup::with`], but without checking the stages of the curriculum.
    fn alone(mut config: Config, own: Own) -> Result<Self> {
        let neurons = own.neurons.map_or_else(|| find_neuron_model(&config.network.dynamics), Ok)?;
        config.network.dynamics = neurons.name().into();
        let rule = own.rule.map_or_else(|| find_rule(&config.rule.name)?.build(&config, &*neurons), Ok)?;
        config.rule.name = rule.name().into();
        let task = match own.task {
            Some(task) => own_task(&mut config.task, task)?,
            None => (find_task(config.task_name()?)?.build)(&mut config.task)?,
        };
        // Before its sizes are asked for, which may overflow.
        task.check()?;
        config.network.fill_output_neurons(task.n_out());
        let setup = Setup { config, task, rule, neurons };
        setup.check()?;
        Ok(setup)
    }

    /// The setup of stage `k` of the curriculum, counted from 0; after the last listed stage, the setup of the run itself.
    pub(crate) fn stage(&self, k: usize) -> Result<Self> {
        let Some(CurriculumStage { set, .. }) = self.config.curriculum.get(k) else { return Ok(self.clone()) };
        let known = CurriculumStage::TABLES;
        if let Some(table) = set.keys().find(|table| !known.contains(&&table[..])) {
            return Err(Error::unknown("table", table, known));
        }
        let parameters = optional_keys();
        let settings = Setting::from_table(set, "set");
        if let Some(name) = settings.iter().find(|setting| ["task.name", "rule.name"].contains(&&setting.key[..])) {
            bail!(Usage, "set.{} is {}; expected the run's own task, with other parameters", name.key, name.value);
        }
        let config = lay_over(&self.config, &settings, &parameters)?;
        let mut own = self.own();
        if set.contains_key("task") {
            own.task = None;
        }
        if settings.iter().any(|setting| parameters.iter().any(|(key, _)| *key == setting.key)) {
            own.rule = None;
        }
        Self::alone(config, own)
    }

    /// A task's defaults overlaid with `settings`; later ones take precedence.
    ///
    /// The defaults depend on the rule, so `rule.name` is read first. `task` can be `None` if settings give
    /// `task.name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an unknown task, rule or key, [`Error::Setting`] for a value of the wrong type; otherwise as
    /// [`Setup::new`].
    pub fn resolve(task: Option<&str>, settings: &[Setting]) -> Result<Self> {
        Self::new(resolve_config(task, settings)?)
    }

    /// Like [`Setup::resolve`], with a task, rule or neuron model of your own.
    ///
    /// # Errors
    /// As [`Setup::resolve`].
    pub fn resolve_with(task: Option<&str>, settings: &[Setting], own: Own) -> Result<Self> {
        Self::with(resolve_config(task, settings)?, own)
    }

    /// The same run with some settings changed, and with the same task, rule and neuron model.
    ///
    /// # Errors
    /// As [`Setup::resolve`].
    pub fn changed(&self, settings: &[Setting]) -> Result<Self> {
        Self::with(lay_over(&self.config, settings, &optional_parameters())?, self.own())
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The task or environment.
    pub fn task(&self) -> &Problem {
        &self.task
    }

    /// The learning rule of `w_rec`.
    pub fn rule(&self) -> &Arc<dyn LearningRule> {
        &self.rule
    }

    /// The neuron model.
    pub fn neurons(&self) -> &Arc<dyn NeuronModel> {
        &self.neurons
    }

    /// The sizes of a trial.
    pub fn shape(&self) -> TrialShape {
        self.task.shape()
    }

    /// The duration of a step in ms; `None` if time is counted in steps.
    pub fn step_ms(&self) -> Option<f64> {
        self.neurons.has_time().then_some(self.config.network.dt_ms)
    }

    /// Whether a rule gated online, an exploring readout or the fast weights use the reward at each step.
    pub fn reads_reward_online(&self) -> bool {
        let FastWeightsConfig { stage, modulator, .. } = self.config.fast_weights;
        self.rule.credit() == Credit::Online
            || self.config.readout_explores()
            || (stage != Stage::None && modulator == ModulatorSource::Reward)
    }

    /// Whether the readout or, in an environment, the critic learns.
    pub(crate) fn outputs_learn(&self) -> bool {
        self.config.readout_learns() || self.critic()
    }

    /// Whether there is a critic, the last of the outputs.
    pub(crate) fn critic(&self) -> bool {
        self.task.episodes().is_some_and(|episodes| episodes.settings.critic())
    }

    /// Whether weights learn by the gradient of a loss.
    pub fn follows_gradient(&self) -> bool {
        matches!(self.rule.source(), Source::Gradient)
    }

    /// Whether the difference of each output from its target is used.
    pub fn reads_error_online(&self) -> bool {
        self.rule.credit() == Credit::Supervised
            || (self.config.network.output == Output::Readout && self.config.readout.rule == ReadoutRule::Delta)
    }

    /// The task, rule and neuron model, for use with another configuration.
    pub(crate) fn own(&self) -> Own {
        Own { task: Some(self.task.clone()), rule: Some(self.rule.clone()), neurons: Some(self.neurons.clone()) }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setup").field(&self.config).finish()
    }
}

/// A user-defined task or environment. The settings of episodes are read from the table `task`, or added to it.
fn own_task(table: &mut toml::Table, task: Problem) -> Result<Problem> {
    let name = Value::from(task.name());
    if table.get("name") != Some(&name) {
        // The parameters of the task that it replaces do not apply to it.
        *table = [("name".to_string(), name)].into_iter().collect();
    }
    match task {
        Problem::Episodes(episodes) => Ok(episodes.with_settings(table)?.into()),
        Problem::Trials(_) => Ok(task),
    }
}
