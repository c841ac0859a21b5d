//! Everything that decides a run's result, in one value that can be written as TOML and read back.
//!
//! Units stand in the names (`_ms`); a key without a unit is dimensionless. [`Config::validate`] checks ranges before any
//! work starts. How files and `--set` are laid over the defaults is [`crate::settings`].

mod bptt;
mod network;

pub use crate::networks::Networks;
pub use bptt::{BpttConfig, Loss, Parameters};
pub use network::{Dynamics, InputWeights, NetworkConfig, Output, Response};

use crate::task::{self, Task};
use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

/// A complete description of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Size, dynamics and initial weights.
    pub network: NetworkConfig,
    /// The Hebbian trace (fast weights).
    pub trace: TraceConfig,
    /// The exploratory perturbation of the neurons.
    pub perturbation: PerturbationConfig,
    /// How `w_rec` learns.
    pub rule: RuleConfig,
    /// How `w_out` and `b_out` learn, where the output is a readout.
    pub readout: ReadoutConfig,
    /// Backpropagation through time, where that is the rule.
    #[serde(default)]
    pub bptt: BpttConfig,
    /// The neuromodulator.
    pub modulator: ModulatorConfig,
    /// The task's name and its own parameters.
    pub task: toml::Table,
    /// How many networks, how many trials, where, and when to stop.
    pub train: TrainConfig,
}

/// How the trace H changes at each step (docs/model.md, "The Hebbian trace").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// There is no trace.
    None,
    /// H_ij ← η a_i b_j for every pair: the change of this step alone, pair by pair.
    Hebb,
    /// H ← η a bᵀ: the same for the whole layer at once.
    Outer,
    /// H ← H + η a bᵀ.
    Accumulate,
    /// H ← (1 − η) H + η a bᵀ.
    Decay,
    /// H ← (1 − η) H + η m a bᵀ.
    Modulated,
    /// H ← H + η m (a bᵀ − a² H): Oja's rule.
    Oja,
    /// e ← (1 − η) e + η a bᵀ, then H ← clip(H + m e).
    Retroactive,
}

/// Which two vectors the trace associates; entry [i, j] is a_i b_j.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Association {
    /// a = b = r(t), the rates before the step.
    Auto,
    /// a = r(t+1), b = r(t): what drove the step, and what came of it.
    PostPre,
    /// a = r(t), b = r(t+1).
    PrePost,
}

impl Association {
    /// a and b, out of what belongs to the time before a step and after it.
    pub fn pair<T: Copy>(self, before: T, after: T) -> (T, T) {
        match self {
            Association::Auto => (before, before),
            Association::PostPre => (after, before),
            Association::PrePost => (before, after),
        }
    }
}

/// What the m(t) of the trace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceModulator {
    /// m = 1.
    Constant,
    /// The task's m(t); 1 where the task gives none.
    Task,
    /// R(t) − R̄(t), the surprise in the reward at this step; 0 on steps that are not scored.
    Reward,
}

/// How the fused kernels hold H. Both forms are exact; results differ by rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceForm {
    /// Whichever costs less.
    #[default]
    Auto,
    /// A matrix, read and written at every step.
    Written,
    /// The list of what was added, folded into a matrix now and then. Where H is clipped, it is written all the same.
    History,
}

/// The Hebbian trace: one fast-weight matrix H [N, N] for each trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// How H changes at each step.
    pub stage: Stage,
    /// Which two vectors are associated.
    pub association: Association,
    /// Where m(t) comes from.
    pub modulator: TraceModulator,
    /// α: the drive contains α H r.
    pub alpha: f64,
    /// η of the trace.
    pub eta: f64,
    /// H is clipped to ±clip after each step; 0: never.
    pub clip: f64,
    /// Keep H from one trial to the next instead of starting each from zero.
    pub persistent: bool,
    /// How the fused kernels hold H.
    #[serde(default)]
    pub form: TraceForm,
}

impl TraceConfig {
    /// One line on the trace; `None` where there is none.
    pub fn describe(&self) -> Option<String> {
        let kept = if self.persistent { "kept across trials" } else { "reset for each trial" };
        let (stage, association) = (kebab(&self.stage), kebab(&self.association));
        let line = format!("trace {stage} ({association}), alpha {}, eta {}, {kept}", self.alpha, self.eta);
        (self.stage != Stage::None).then_some(line)
    }
}

/// The name that an enum's value has in files.
fn kebab(value: &impl Serialize) -> String {
    toml::Value::try_from(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

/// Exploratory perturbation: ξ ~ U(−amplitude, amplitude), rare, independent for each neuron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerturbationConfig {
    /// Probability for each neuron and step.
    pub probability: f64,
    /// Bound of the uniform draw; enters the drive, so leaky dynamics scale it by dt/τ.
    pub amplitude: f64,
    /// The first step that may be perturbed.
    pub start_step: usize,
}

/// What is accumulated as eligibility (docs/model.md, "Learning rules").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// (r_pre δx_post)³ (Miconi 2017).
    DeltaX,
    /// ξ_post r_pre (Fiete & Seung 2006).
    NodePerturbation,
    /// The Hebbian trace H at the end of the trial.
    HebbianTrace,
    /// r_pre (x_post − x̄_post), gated online by R − R̄ (Legenstein 2010; Hoerzer 2014).
    Eh,
    /// Local filtered activity times the error fed back through random weights (Murray 2019).
    Rflo,
    /// Backpropagation through time, for comparison.
    Bptt,
    /// w_rec does not learn.
    None,
}

impl RuleName {
    /// Every rule with one line on what it is.
    pub const ALL: [(RuleName, &'static str); 7] = [
        (RuleName::DeltaX, "cubed product of presynaptic rate and fluctuation of the postsynaptic activation (Miconi 2017)"),
        (RuleName::NodePerturbation, "presynaptic rate times exploratory perturbation (Fiete & Seung 2006)"),
        (RuleName::HebbianTrace, "the Hebbian trace H itself, in any stage: decaying and modulated, Oja's, retroactive, …"),
        (RuleName::Eh, "exploratory Hebb: rate times deviation from the running mean, gated online by reward (Legenstein 2010; Hoerzer 2014)"),
        (RuleName::Rflo, "random feedback local online learning: filtered rates times the readout's error, fed back at random (Murray 2019)"),
        (RuleName::Bptt, "for comparison, no rule of the brain: backpropagation through time and AdamW (Werbos 1990; Loshchilov & Hutter 2019)"),
        (RuleName::None, "w_rec stays as drawn (a readout can still learn)"),
    ];

    /// The name used on the command line and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            RuleName::DeltaX => "delta-x",
            RuleName::NodePerturbation => "node-perturbation",
            RuleName::HebbianTrace => "hebbian-trace",
            RuleName::Eh => "eh",
            RuleName::Rflo => "rflo",
            RuleName::Bptt => "bptt",
            RuleName::None => "none",
        }
    }
}

/// How `w_rec` learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// The eligibility.
    pub name: RuleName,
    /// η, the learning rate of the summed update of a batch.
    pub eta: f64,
    /// Largest change of a weight in an update of one trial; 0: no bound.
    pub max_dw: f64,
    /// The bound of a batch of B trials is max_dw · max(1, clip_growth · √B).
    pub clip_growth: f64,
    /// Decay of the running mean x̄ (`delta-x`: x̄ ← decay·x̄ + (1−decay)·x; likewise `eh`).
    pub x_mean_decay: f64,
    /// The first step whose activity enters the eligibility.
    pub start_step: usize,
}

/// How the readout learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadoutRule {
    /// It stays as drawn.
    None,
    /// (R − R̄) ξ rᵀ / perturbation², ξ the readout's own noise.
    NodePerturbation,
    /// (R − R̄) (z − z̄) rᵀ.
    Eh,
    /// (target − z) rᵀ: the delta rule, told the target itself (Widrow & Hoff 1960).
    Delta,
}

/// How `w_out` and `b_out` learn. Credit is given online: the output of a step is judged by the reward of that step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadoutConfig {
    /// The eligibility.
    pub rule: ReadoutRule,
    /// Learning rate of the mean over trials and scored steps.
    pub eta: f64,
    /// Standard deviation of the Gaussian noise added to the output while training.
    pub perturbation: f64,
    /// Decay of z̄ (`eh`).
    pub mean_decay: f64,
}

/// What the error of a trial is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// The mean error of the other trials of the same type in the batch; where there is none, the expected error.
    LeaveOneOut,
    /// The expected error of the trial type, a running mean over trials.
    ExpectedError,
}

/// The neuromodulator M = −(error − expectation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulatorConfig {
    /// The expectation.
    pub baseline: Baseline,
    /// a of Ē ← a Ē + (1−a) error, kept per trial type.
    pub expected_error_decay: f64,
    /// Multiply M by the expectation, as Miconi does: learning slows as performance improves.
    pub expected_error_factor: bool,
    /// Trials before the running expectation is trusted; until then it drives no learning.
    pub warmup_trials: u64,
    /// Decay of R̄ within a trial, for rules gated online; R̄ starts from −Ē of the trial type.
    pub reward_decay: f64,
    /// Online, learn with 1 where R > R̄ and with 0 elsewhere, in place of R − R̄ (Hoerzer et al. 2014).
    #[serde(default)]
    pub binary: bool,
    /// Judge a trial by its error plus this times the mean |output| over all steps (hebbRNN); 0: by its error alone.
    #[serde(default)]
    pub energy_cost: f64,
}

/// The floating-point type of every tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl From<Precision> for candle_core::DType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => candle_core::DType::F32,
            Precision::F64 => candle_core::DType::F64,
        }
    }
}

/// Which implementation of a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Plain candle operations: slow, obvious, and on every device.
    Reference,
    /// One vectorised pass per step, where it exists for the network, rule and device; plain operations elsewhere.
    Fused,
    /// On CUDA one launch for each step, which `fused` falls back to where whole trials do not fit; elsewhere plain operations.
    Stepwise,
}

/// How many networks, how many trials, where, and when to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Which networks.
    pub networks: Networks,
    /// B, trials of each network in parallel; one update for each batch.
    pub batch: usize,
    /// The seed of every stream.
    pub seed: u64,
    /// Stop after this many trials of each network, rounded up to whole updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trials: Option<u64>,
    /// Stop after this many updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub updates: Option<u64>,
    /// Stop as soon as every network has reached the criterion.
    pub until_criterion: bool,
    /// Write the checkpoint every so many updates (and at the end); 0: only at the end.
    pub checkpoint_every: u64,
    /// Keep so many checkpoints from before the newest.
    #[serde(default = "one")]
    pub keep: u64,
    /// `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
    pub device: String,
    /// The type of every tensor.
    pub dtype: Precision,
    /// Which implementation of a step runs.
    pub kernels: Kernels,
    /// Stop as soon as a network diverges, with the state of the update before, instead of freezing that network.
    #[serde(default)]
    pub strict_numbers: bool,
}

fn one() -> u64 {
    1
}

impl TrainConfig {
    /// How many updates the run makes at most.
    pub fn max_updates(&self) -> u64 {
        match (self.updates, self.trials) {
            (Some(updates), _) => updates,
            (None, Some(trials)) => trials.div_ceil(self.batch as u64),
            (None, None) => u64::MAX,
        }
    }
}

impl Config {
    /// The task's name.
    pub fn task_name(&self) -> Result<&str> {
        self.task.get("name").and_then(|name| name.as_str()).context("task.name is missing")
    }

    /// The defaults of `task` with the rule it is usually trained with.
    pub fn for_task(task: &str) -> Result<Config> {
        let info = task::find(task)?;
        Ok(info.defaults(info.rule))
    }

    /// Fills in what depends on the task and is not said: its file's hash, and the output neurons. Returns the task.
    ///
    /// # Errors
    /// Where the task's parameters are wrong.
    pub fn complete(&mut self) -> Result<Box<dyn Task>> {
        task::complete(&mut self.task)?;
        let task = task::build(&self.task)?;
        self.network.fill_output_neurons(&*task);
        Ok(task)
    }

    /// Whether anything reads the reward of each step: a rule gated online, a readout that explores, or the trace.
    pub fn reads_reward_online(&self) -> bool {
        self.rule.name == RuleName::Eh
            || self.readout_explores()
            || (self.trace.stage != Stage::None && self.trace.modulator == TraceModulator::Reward)
    }

    /// Whether anything is told the difference of each output from its target.
    pub fn reads_error_online(&self) -> bool {
        self.rule.name == RuleName::Rflo
            || (self.network.output == Output::Readout && self.readout.rule == ReadoutRule::Delta)
    }

    /// Whether there is a readout that learns from the reward of its own noisy outputs.
    pub fn readout_explores(&self) -> bool {
        self.network.output == Output::Readout
            && matches!(self.readout.rule, ReadoutRule::NodePerturbation | ReadoutRule::Eh)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("writing the configuration as TOML")
    }

    /// Checks every range, every dependence between keys, and that the network fits the task.
    ///
    /// # Errors
    /// Names the first key that is wrong, what was found and what is expected.
    pub fn validate(&self, task: &dyn Task) -> Result<()> {
        let net = &self.network;
        net.validate(task)?;

        number("trace.alpha", self.trace.alpha)?;
        fraction("trace.eta", self.trace.eta)?;
        not_negative("trace.clip", self.trace.clip)?;

        fraction("perturbation.probability", self.perturbation.probability)?;
        not_negative("perturbation.amplitude", self.perturbation.amplitude)?;

        not_negative("rule.eta", self.rule.eta)?;
        not_negative("rule.max_dw", self.rule.max_dw)?;
        not_negative("rule.clip_growth", self.rule.clip_growth)?;
        fraction("rule.x_mean_decay", self.rule.x_mean_decay)?;
        if self.rule.name == RuleName::HebbianTrace && self.trace.stage == Stage::None {
            bail!(
                "trace.stage is `none`, but rule.name is `hebbian-trace`, which learns from the trace: choose a stage"
            );
        }
        if self.rule.name == RuleName::NodePerturbation
            && self.perturbation.probability * self.perturbation.amplitude == 0.0
        {
            bail!("rule.name is `node-perturbation`, but perturbation.probability or perturbation.amplitude is 0: nothing could be learnt");
        }

        if self.rule.name == RuleName::Rflo && !(net.error_feedback_scale > 0.0 && net.output == Output::Readout) {
            bail!("rule.name is `rflo`, which feeds the readout's error back: set network.output to `readout` and network.error_feedback_scale above 0");
        }

        not_negative("readout.eta", self.readout.eta)?;
        not_negative("readout.perturbation", self.readout.perturbation)?;
        fraction("readout.mean_decay", self.readout.mean_decay)?;
        if self.readout.rule == ReadoutRule::NodePerturbation && net.output == Output::Readout {
            positive("readout.perturbation", self.readout.perturbation)?;
        }

        self.bptt.validate(self, task)?;

        fraction("modulator.expected_error_decay", self.modulator.expected_error_decay)?;
        fraction("modulator.reward_decay", self.modulator.reward_decay)?;
        not_negative("modulator.energy_cost", self.modulator.energy_cost)?;
        let online = self.reads_reward_online() || self.reads_error_online();
        if online && self.modulator.energy_cost > 0.0 {
            bail!("modulator.energy_cost is {}, but credit is given step by step here (rule.name, readout.rule or trace.modulator); expected 0", self.modulator.energy_cost);
        }
        if online && !task.judged_online() {
            bail!("task `{}` judges whole trials, but credit is given step by step here (rule.name, readout.rule or trace.modulator): choose a rule such as `delta-x`", task.name());
        }

        let train = &self.train;
        expect(train.batch >= 1, "train.batch", train.batch, "at least 1")?;
        let most = task::LARGEST;
        expect(train.batch <= most, "train.batch", train.batch, &format!("at most {most}"))?;
        expect(train.networks.count() <= most, "train.networks", train.networks, &format!("at most {most} networks"))?;
        if train.trials.is_some() && train.updates.is_some() {
            bail!("train.trials and train.updates are both set: give one of them");
        }
        if train.trials.is_none() && train.updates.is_none() && !train.until_criterion {
            bail!("the run would never stop: set train.trials, train.updates or train.until_criterion");
        }
        Ok(())
    }
}

fn expect(fine: bool, key: &str, found: impl std::fmt::Display, expected: &str) -> Result<()> {
    if !fine {
        bail!("{key} is {found}; expected {expected}");
    }
    Ok(())
}

/// No number is larger: what is drawn with it would not be finite in single precision.
const LARGE: f64 = 1e30;

/// Refuses everything but finite numbers.
pub(crate) fn number(key: &str, found: f64) -> Result<()> {
    expect(found.abs() <= LARGE, key, found, &format!("a finite number from -{LARGE:e} to {LARGE:e}"))
}

/// Refuses everything but finite numbers above zero.
pub(crate) fn positive(key: &str, found: f64) -> Result<()> {
    expect(found > 0.0 && found <= LARGE, key, found, &format!("a finite number above 0, at most {LARGE:e}"))
}

/// Refuses everything but finite numbers from zero upward.
pub(crate) fn not_negative(key: &str, found: f64) -> Result<()> {
    expect((0.0..=LARGE).contains(&found), key, found, &format!("a finite number from 0 to {LARGE:e}"))
}

/// Refuses everything outside [0, 1].
pub(crate) fn fraction(key: &str, found: f64) -> Result<()> {
    expect((0.0..=1.0).contains(&found), key, found, "a number from 0 to 1")
}
