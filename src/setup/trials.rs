//! A run's configuration with the task, rule and neuron model that it names. Their compatibility is checked here,
//! before anything runs.

use crate::config::{lay_over, stage_name, Config, CurriculumStage, FastWeightsConfig, InputWeights, LARGEST};
use crate::config::{ModulatorSource, Output, ReadoutRule, Setting, Stage};
use crate::error::{bail, ensure, At, Error, Result};
use crate::model::{find_neuron_model, Leak, NeuronModel};
use crate::presets::{find_task, optional_parameters, resolve_config};
use crate::ranges::expect;
use crate::rules::{find_rule, optional_keys, Credit, LearningRule, Source};
use crate::tasks::{gives_gradient, Episodes, Problem, Task, TrialShape};
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

    fn check(&self) -> Result<()> {
        let (config, task) = (&self.config, &self.task);
        let sizes =
            [("steps", task.steps()), ("inputs", task.n_in()), ("outputs", task.n_out()), ("types", task.n_types())];
        for (unit, found) in sizes {
            let name = task.name();
            ensure!(found <= LARGEST, Usage, "task `{name}` has {found} {unit} or more; expected at most {LARGEST}");
        }
        config.check()?;
        if let Some(Leak::Activation(leak) | Leak::Rate(leak)) = self.neurons.leak(&config.network) {
            expect(leak <= 1.0, "network.dt_ms", config.network.dt_ms, "at most network.tau_ms")?;
        }
        self.neurons.check(&config.network)?;
        self.check_sizes()?;
        let alone = config.modulator.shuffle == Some(true) && config.train.batch < 2;
        expect(!alone, "train.batch", config.train.batch, "at least 2 with modulator.shuffle")?;
        self.rule.check(config)?;
        match task {
            Problem::Trials(task) => self.check_trials(&**task),
            Problem::Episodes(episodes) => self.check_episodes(episodes),
        }
    }

    /// Checks that networks can act and learn in an environment.
    fn check_episodes(&self, episodes: &Episodes) -> Result<()> {
        let (Config { network, fast_weights, readout, modulator, train, .. }, rule) = (&self.config, &self.rule);
        let name = episodes.environment.name();
        let summed = match rule.source() {
            Source::Steps(_) => rule.credit() != Credit::Supervised,
            Source::Nothing | Source::Gradient => true,
            Source::FastWeights => false,
        };
        ensure!(
            summed,
            Usage,
            "rule.name is `{}`, which cannot learn from what an episode of `{name}` was worth; expected `node-perturbation`, \
             `delta-x`, `eh`, `r-stdp`, `bptt` or `none`",
            rule.name()
        );
        let learnable = matches!(readout.rule, ReadoutRule::None | ReadoutRule::NodePerturbation);
        ensure!(
            learnable || network.output == Output::Neurons,
            Usage,
            "readout.rule needs a target at each step, which `{name}` does not have; expected `node-perturbation` or `none`"
        );
        for (key, set) in [
            ("trace.stage", fast_weights.stage != Stage::None),
            ("network.feedback_scale", network.feedback_scale > 0.0),
            ("modulator.binary", modulator.binary),
            ("modulator.energy_cost", modulator.energy_cost > 0.0),
            ("modulator.expected_error_factor", modulator.expected_error_factor),
        ] {
            ensure!(!set, Usage, "{key} is set, but in environments, such as `{name}`, it has no effect yet");
        }
        let (most, networks) = (episodes.environment.together(), train.networks.count());
        let copies = networks.saturating_mul(train.batch);
        ensure!(
            most.is_none_or(|most| copies <= most),
            Usage,
            "train.networks times train.batch is {networks} × {}, but `{name}` has {} copies; expected at most as many",
            train.batch,
            most.unwrap_or(copies)
        );
        ensure!(
            most.is_none() || self.config.curriculum.is_empty(),
            Usage,
            "there is a curriculum, but all copies of `{name}` take their steps together; expected none"
        );
        let discount = episodes.settings.discount;
        ensure!(
            discount == 1.0 || train.batch > 1 || self.critic(),
            Usage,
            "task.discount is {discount}, for which episodes are compared step by step; expected train.batch above 1, \
             or a critic"
        );
        ensure!(
            !self.critic() || network.output == Output::Readout,
            Usage,
            "task.critic_eta is above 0, but network.output is `neurons`; a critic needs a `readout`"
        );
        ensure!(
            !self.critic() || !self.follows_gradient(),
            Usage,
            "task.critic_eta is above 0, but rule.name is `{}`, which compares episodes; expected 0",
            rule.name()
        );
        Ok(())
    }

    /// Checks that the network has room for the task's inputs and outputs.
    fn check_sizes(&self) -> Result<()> {
        let (network, task, n_out) = (&self.config.network, self.task.name(), self.task.n_out());
        let room = |needed: usize, unit: &str| {
            let expected = format!("at least {needed}, one for each {unit} of task `{task}`");
            expect(network.neurons >= needed, "network.neurons", network.neurons, expected)
        };
        if network.output == Output::Neurons {
            room(n_out, "output")?;
            let found = network.output_neurons.len();
            let expected = format!("{n_out} neurons, one for each output of task `{task}`, or [] for the first");
            expect(found == n_out, "network.output_neurons", found, expected)?;
        }
        if network.input_weights == InputWeights::OneToOne {
            room(self.task.n_in(), "input")?;
        }
        Ok(())
    }

    /// Checks that there are no settings for environments, and that the task can be judged as the learning rules require.
    fn check_trials(&self, task: &dyn Task) -> Result<()> {
        let Config { modulator, rule, readout, .. } = &self.config;
        let normalise = modulator.normalise == Some(true);
        ensure!(!normalise, Usage, "modulator.normalise is for environments; expected false");
        for (key, found) in
            [("rule.rms_decay", rule.rms_decay), ("readout.max_dw", readout.max_dw), ("readout.forget", readout.forget)]
        {
            let found = found.unwrap_or(0.0);
            ensure!(found <= 0.0, Usage, "{key} is {found}, but it is for environments; expected 0");
        }
        let (name, energy_cost) = (task.name(), modulator.energy_cost);
        let given_after = !self.reads_reward_online() && !self.reads_error_online() && !self.follows_gradient();
        ensure!(
            given_after || modulator.shuffle != Some(true),
            Usage,
            "modulator.shuffle is set, but here credit is not given after a trial (rule.name, readout.rule or trace.modulator)"
        );
        if self.reads_reward_online() || self.reads_error_online() {
            let culprit = "credit is given step by step here (rule.name, readout.rule or trace.modulator)";
            ensure!(energy_cost <= 0.0, Usage, "modulator.energy_cost is {energy_cost}, but {culprit}; expected 0");
            ensure!(
                task.judged_online(),
                Usage,
                "task `{name}` judges whole trials, but {culprit}: choose a rule such as `delta-x`"
            );
        }
        ensure!(
            !self.follows_gradient() || gives_gradient(task),
            Usage,
            "task `{name}` judges what comes of the outputs and gives no gradient (Task::judged_gradient), which rule.name \
             `{}` needs",
            self.rule.name()
        );
        Ok(())
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
