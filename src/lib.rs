//! Recurrent neural networks that learn by reward-modulated Hebbian plasticity: many networks and many trials in parallel, on candle
//! tensors, without backpropagation.
//!
//! ```
//! use hebbian_rnn::Trainer;
//!
//! let mut trainer = Trainer::builder("echo").networks(2).updates(3).build()?;
//! trainer.train()?;
//! println!("{:?}", trainer.weights()?.w_rec.dims());
//! # Ok::<(), hebbian_rnn::Error>(())
//! ```
//!
//! - **A run**: [`Trainer::builder`] takes a task of [`TASKS`] by its name, or a [`Setup`] made of a [`Config`]. [`Trainer::update`]
//!   makes one update; an [`Observer`] sees each of them. [`evaluate`] and [`simulate`] run trained networks with frozen weights.
//! - **Keeping it**: [`Checkpoint`] is the complete state; [`Run`] keeps it on disk with its configuration and metrics, so that
//!   a run resumes exactly where it stopped.
//! - **Your own**: a [`Task`] draws trials, an [`Environment`] is a world that answers, a [`LearningRule`] changes weights, a
//!   [`NeuronModel`] updates neurons; [`OwnLife`] has a world, neurons and rules of lives. The examples `custom_task`, `custom_world`,
//!   `custom_rule` and `custom_life` each fit on a page.
//! - **Sweeps**: a [`SweepPlan`] of settings times networks becomes a [`Sweep`] of jobs, which any batch system can run.
//! - **Lives**: [`Lives`] runs networks of spiking or rate neurons whose weights change at every step, in a world of
//!   [`LIVES`].
//! - **Looking at results**: with the feature `report`, [`ANALYSES`] turn a checkpoint into tables and pictures, and
//!   [`write_report`] writes a page.
//!
//! Errors are [`Error`]: they name the file, tensor, key or flag, what was found and what was expected.
//!
//! # Features
//!
//! `command` (default): the program `hebbian-rnn`. `report` (part of it): analyses and pictures. `cuda`, `metal`, `mkl`,
//! `accelerate`: passed on to candle; `cuda` also compiles this crate's kernels. `default-features = false` leaves only the numerical
//! core.

// These macros panic if the output cannot be written.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

/// The examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "report")]
mod analysis;
mod config;
mod device;
mod engine;
mod environments;
mod error;
mod files;
mod held;
mod keys;
mod model;
mod papers;
#[cfg(feature = "report")]
mod plot;
mod presets;
mod quantile;
mod random;
mod ranges;
mod reader;
#[cfg(feature = "report")]
mod report;
mod rules;
mod runs;
mod storage;
mod sweep;
mod tasks;
mod text;
mod training;
mod worlds;

// Tensors and devices are part of the interface.
pub use candle_core;

#[cfg(feature = "report")]
pub use analysis::{
    find_analysis, Analysis, Figure, Findings, Logistic, Options, Picture, Point, Subject, Table, ANALYSES,
};
pub use config::{
    Association, Baseline, BpttConfig, Config, Connect, CurriculumStage, Distribution, FastWeightsConfig,
    FastWeightsForm, InitialSynapses, InputWeights, Kernels, LifeConfig, LifeSettings, Loss, ModulatorSource,
    NetworkConfig, NetworkRange, Output, Parameters, PerturbationConfig, PopulationConfig, Precision, ProjectionConfig,
    ReadoutConfig, ReadoutRule, RewardConfig, RuleConfig, Setting, Sign, Stage, TrainConfig, TransferFunction, Until,
};
pub use device::{list_devices, open_devices, parse_devices, Cache, ChosenDevices, DeviceName, FoundDevice, Processor};
pub use engine::gradient::gradient;
pub use engine::{
    automatic_batch, check_memory, choose, why_plain, Concern, DensePerturbation, Draw, DrawnTrial, Eligibility,
    Engine, Ensemble, Episode, EpisodeCredit, EpisodeDraws, Exact, Gradients, LifeEngine, LifeRecord, LifeState, Part,
    Perturbation, PlasticState, Product, Record, Refusal, TrialBatch,
};
pub use environments::{
    Acrobot, Actions, Bandit, CartPole, Copies, Environment, Instance, OpenField, Outcome, Pendulum,
    PerceptualDecision, Sketch, Start, TwoStep,
};
pub use error::{Error, Result, Shortage};
pub use files::write_atomically;
pub use model::{
    Cell, Circuit, Draws, FastWeights, FusedPopulation, Leak, NeuronModel, PopulationModel, State, Synapses, Weights,
};
pub use papers::{Paper, Published};
pub use presets::{
    all_tasks, find_life, find_task, resolve_config, BuildWorld, LifeInfo, LifeSetup, Own, OwnLife, Setup, TaskInfo,
    FILE_TASK, LIVES, TASKS,
};
pub use quantile::{quantile, quantile_with_missing};
pub use random::{events, gaussian, stream, uniform, Counter, Phase, Purpose, Stream};
#[cfg(feature = "report")]
pub use report::{
    cite, cite_life, draw_learning_curves, draw_life, draw_sample_trials, report_life, reported, write_report,
    LearningCurve, RunReport,
};
pub use rules::{
    find_rule, Credit, EscapeRate, Exploratory, Factors, Filter, FusedRule, FusedSynapseRule, Increment, LearningRule,
    Moment, Needs, PairRule, PlasticSynapses, RewardBaseline, RuleInfo, Simultaneous, Source, StepRule, SynapseMoment,
    SynapseRule, SynapseRuleInfo, ThirdFactor, RULES, SYNAPSE_RULES,
};
pub use runs::{
    by_type, compare_engines, config_schema, draw_fresh, evaluate, explain, life_schema, measure_throughput,
    name_trials, parse_inputs, read_inputs, reference, run_fresh, simulate, Comparison, FrozenNetworks, Inputs,
    Returns, Score, Throughput, TypeScore,
};
pub use storage::{
    holds_a_checkpoint, holds_a_life, holds_a_run, layout, merge_runs, metrics_rows, read_life_rows, read_metrics,
    Lock, Mergeable, Metrics, Persistent, Run, Saved, CIRCUIT_PICTURE, CONFIG_FILE, LEARNING_CURVE, LIFE_PICTURE,
    METRICS_FILE, REPORT_FILE, SAMPLE_TRIALS,
};
pub use sweep::{
    job_numbers, BatchSystem, Collected, Job, JobNews, JobState, SettingResult, Sweep, SweepPlan, PLAN_FILE,
    RESULTS_FILE,
};
pub use tasks::{
    Acting, Coherences, Condition, EpisodeSettings, Episodes, ErrorMeasure, FileTask, Label, Problem,
    SelectiveIntegration, Task, Trajectory, Trial, TrialNumbers, TrialShape,
};
pub use text::printable;
pub use training::{
    verdicts, Checkpoint, Criterion, Divergence, Frozen, InitialWeights, Integrity, LifeCheckpoint, Lives,
    NetworkReport, Observer, Plastic, Process, StageProgress, StopReason, Trainer, TrainerBuilder, UpdateReport,
    CHECKPOINT_FILE, FORMAT, METADATA_KEY, MORE_THAN, REMEDY, WINDOW,
};
pub use worlds::{
    ActorCritic, Block, Curve, DistalReward, Given, LifeRow, Pattern, Pavlovian, Places, Verdict, View, Wiring, World,
    WorldState, Xor,
};
