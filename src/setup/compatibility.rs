//! The compatibility of a configuration with the task, rule and neuron model that it names.

use super::Setup;
use crate::config::{Config, InputWeights, Output, ReadoutRule, Stage, LARGEST};
use crate::error::{ensure, Result};
use crate::model::Leak;
use crate::ranges::expect;
use crate::rules::{Credit, Source};
use crate::tasks::{gives_gradient, Episodes, Problem, Task};

impl Setup {
    /// Refuses settings that are out of range or contradict each other.
    pub(super) fn check(&self) -> Result<()> {
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
