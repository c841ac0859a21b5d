//! A run, resolved: its configuration, and the task, rule and neuron model that it names. Whether they go together is checked
//! here, before anything runs.

use super::{find_task, FILE_TASK};
use crate::config::{lay_over, text, Config, ModulatorSource, Output, Setting, Stage, LARGEST};
use crate::config::{FastWeightsConfig, InputWeights};
use crate::error::{bail, ensure, Error, Result};
use crate::model::{find_neuron_model, Leak, NeuronModel};
use crate::ranges::expect;
use crate::rules::{find_rule, optional_keys, Credit, LearningRule, Source};
use crate::tasks::{file, gives_gradient, Task, TrialShape};
use std::fmt;
use std::sync::Arc;
use toml::{Table, Value};

/// A configuration and what the names in it stand for.
#[derive(Clone)]
pub struct Setup {
    /// The configuration, complete.
    pub config: Config,
    /// Its task.
    pub task: Arc<dyn Task>,
    /// Its learning rule.
    pub rule: Arc<dyn LearningRule>,
    /// Its neuron model.
    pub neurons: Arc<dyn NeuronModel>,
}

/// What a user brought along, to be used in place of what the configuration names. The configuration then notes its name.
#[derive(Clone, Default)]
pub struct Own {
    /// A task.
    pub task: Option<Arc<dyn Task>>,
    /// A learning rule.
    pub rule: Option<Arc<dyn LearningRule>>,
    /// A neuron model.
    pub neurons: Option<Arc<dyn NeuronModel>>,
}

impl Setup {
    /// Builds what a configuration names, and checks that all of it goes together.
    ///
    /// # Errors
    /// A name that nothing has, a value out of range, or settings that do not go together.
    pub fn new(config: Config) -> Result<Self> {
        Self::with(config, Own::default())
    }

    /// The same with a task, rule or neuron model of one's own.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub fn with(mut config: Config, own: Own) -> Result<Self> {
        let neurons = match own.neurons {
            Some(own) => {
                config.network.dynamics = own.name().into();
                own
            }
            None => find_neuron_model(&config.network.dynamics)?,
        };
        let rule = match own.rule {
            Some(own) => {
                config.rule.name = own.name().into();
                own
            }
            None => find_rule(&config.rule.name)?.build(&config, &*neurons)?,
        };
        let task = match own.task {
            Some(own) => {
                config.task.insert("name".into(), own.name().into());
                own
            }
            None => build_task(&mut config)?,
        };
        config.network.fill_output_neurons(task.n_out());
        let setup = Setup { config, task, rule, neurons };
        setup.check()?;
        Ok(setup)
    }

    /// The defaults of a task, with `settings` laid over them, later ones over earlier ones.
    ///
    /// The defaults depend on the rule, so `rule.name` is looked for first. `task` may be `None` where a setting gives
    /// `task.name`.
    ///
    /// # Errors
    /// An unknown task, rule or key (with the nearest known one), a value of the wrong type, or one out of range.
    pub fn resolve(task: Option<&str>, settings: &[Setting]) -> Result<Self> {
        Self::new(resolved(task, settings)?)
    }

    /// The same with a task, rule or neuron model of one's own.
    ///
    /// # Errors
    /// As [`Setup::resolve`].
    pub fn resolve_with(task: Option<&str>, settings: &[Setting], own: Own) -> Result<Self> {
        Self::with(resolved(task, settings)?, own)
    }

    /// The sizes of a trial.
    pub fn shape(&self) -> TrialShape {
        TrialShape::of(&*self.task)
    }

    /// How long a step lasts in ms; `None`: time is counted in steps.
    pub fn step_ms(&self) -> Option<f64> {
        self.neurons.has_time().then_some(self.config.network.dt_ms)
    }

    /// Whether anything reads the reward of each step: a rule gated online, a readout that explores, or the fast weights.
    pub fn reads_reward_online(&self) -> bool {
        let FastWeightsConfig { stage, modulator, .. } = self.config.fast_weights;
        self.rule.credit() == Credit::Online
            || self.config.readout_explores()
            || (stage != Stage::None && modulator == ModulatorSource::Reward)
    }

    /// Whether anything is told the difference of each output from its target.
    pub fn reads_error_online(&self) -> bool {
        let told = self.config.readout.rule == crate::config::ReadoutRule::Delta;
        self.rule.credit() == Credit::Supervised || (self.config.network.output == Output::Readout && told)
    }

    /// What the user brought along, or would have if nothing had a name.
    pub(crate) fn own(&self) -> Own {
        Own { task: Some(self.task.clone()), rule: Some(self.rule.clone()), neurons: Some(self.neurons.clone()) }
    }

    fn check(&self) -> Result<()> {
        let (config, task) = (&self.config, &*self.task);
        let sizes =
            [("steps", task.steps()), ("inputs", task.n_in()), ("outputs", task.n_out()), ("types", task.n_types())];
        for (what, found) in sizes {
            let name = task.name();
            ensure!(found <= LARGEST, Usage, "task `{name}` has {found} {what} or more; expected at most {LARGEST}");
        }
        config.check()?;
        if let Some(Leak::Activation(leak) | Leak::Rate(leak)) = self.neurons.leak(&config.network) {
            expect(leak <= 1.0, "network.dt_ms", config.network.dt_ms, "at most network.tau_ms")?;
        }
        self.check_sizes()?;
        self.rule.check(config)?;
        let online = self.reads_reward_online() || self.reads_error_online();
        let where_ = "credit is given step by step here (rule.name, readout.rule or trace.modulator)";
        if online && config.modulator.energy_cost > 0.0 {
            bail!(Usage, "modulator.energy_cost is {}, but {where_}; expected 0", config.modulator.energy_cost);
        }
        if online && !task.judged_online() {
            bail!(Usage, "task `{}` judges whole trials, but {where_}: choose a rule such as `delta-x`", task.name());
        }
        if matches!(self.rule.source(), Source::Gradient) && !gives_gradient(task) {
            bail!(
                Usage,
                "task `{}` judges what comes of the outputs and gives no gradient (Task::judged_gradient), which rule.name `{}` needs",
                task.name(),
                self.rule.name()
            );
        }
        Ok(())
    }

    /// Whether the network has room for the task's inputs and outputs.
    fn check_sizes(&self) -> Result<()> {
        let (network, n_in, n_out) = (&self.config.network, self.task.n_in(), self.task.n_out());
        let room = |of: usize, what: &str| {
            let expected = format!("at least {of}, one for each {what} of task `{}`", self.task.name());
            expect(network.neurons >= of, "network.neurons", network.neurons, expected)
        };
        if network.output == Output::Neurons {
            room(n_out, "output")?;
            let (found, task) = (network.output_neurons.len(), self.task.name());
            let expected = format!("{n_out} neurons, one for each output of task `{task}`, or [] for the first");
            expect(found == n_out, "network.output_neurons", found, expected)?;
        }
        if network.input_weights == InputWeights::OneToOne {
            room(n_in, "input")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Setup").field(&self.config).finish()
    }
}

/// The task of a configuration; its table is completed by what only the task can find out: a file's full path and hash.
fn build_task(config: &mut Config) -> Result<Arc<dyn Task>> {
    let info = find_task(config.task_name()?)?;
    if info.name == FILE_TASK {
        file::complete(&mut config.task)?;
    }
    (info.build)(&config.task)
}

/// The configuration of a task with settings laid over its defaults.
fn resolved(task: Option<&str>, settings: &[Setting]) -> Result<Config> {
    let last = |key: &str| settings.iter().rev().find(|s| s.key == key);
    let named = last("task.name").map(text).transpose()?;
    let name = match (task, named) {
        (Some(task), Some(named)) if task != named => {
            bail!(Usage, "the command names task `{task}`, but task.name is `{named}`")
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => bail!(Usage, "no task is named"),
    };
    let info = find_task(name)?;
    let rule = find_rule(last("rule.name").map(text).transpose()?.unwrap_or(info.rule))?;
    let defaults = info.defaults(rule);
    let mut table = Table::try_from(&defaults).map_err(|error| Error::Bug(format!("writing the defaults: {error}")))?;
    // What a complete configuration may lack.
    let mut optional = optional_keys();
    optional.extend(["train.trials", "train.updates"].map(|key| (key.to_string(), Value::Integer(1))));
    lay_over(&mut table, settings, &optional)?;
    serde_path_to_error::deserialize(Value::Table(table))
        .map_err(|error| Error::Usage(format!("{}: {}", error.path(), error.inner().message().trim())))
}
