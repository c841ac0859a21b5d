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
//! - **Training**: [`Trainer::builder`] takes the name of a task in [`TASKS`]; [`Trainer::new`] takes a [`Setup`] made from a [`Config`].
//!   [`Trainer::update`] makes one update; an [`Observer`] sees each of them. [`evaluate`] and [`simulate`] run trained networks with
//!   frozen weights.
//! - **Saving**: a [`Checkpoint`] is the complete state; a [`Run`] keeps it on disk with its configuration and metrics, so that
//!   it resumes exactly where it stopped.
//! - **Your own parts**: a [`Task`] draws trials, an [`Environment`] responds to actions, a [`LearningRule`] changes
//!   weights, and a [`NeuronModel`] updates neurons. [`OwnLife`] holds a world, neuron models and rules for lives. The examples
//!   `custom_task`, `custom_world`, `custom_rule` and `custom_life` each fit on a page.
//! - **Sweeps**: a [`SweepPlan`] of settings times networks becomes a [`Sweep`] of jobs, which any batch system can run.
//! - **Lives**: [`Lives`] simulates networks of spiking or rate neurons whose weights change at every step, in a world of
//!   [`LIVES`](worlds::LIVES).
//! - **Looking at results**: with the feature `report`, the analyses in `analysis::ANALYSES` turn a checkpoint into tables and
//!   pictures, and `report::write_report` writes a page.
//!
//! The names that most programs need are here; everything else is in the module to which it belongs.
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
pub mod analysis;
mod bodies;
pub mod config;
pub mod device;
pub mod engine;
pub mod environments;
pub mod error;
pub mod files;
mod held;
pub mod inference;
mod keys;
pub mod model;
pub mod papers;
#[cfg(feature = "report")]
mod plot;
pub mod presets;
pub mod quantile;
pub mod random;
mod ranges;
mod reader;
#[cfg(feature = "report")]
pub mod report;
pub mod rules;
pub mod runs;
pub mod setup;
pub mod storage;
pub mod sweep;
pub mod tasks;
pub mod text;
pub mod training;
pub mod worlds;

// Tensors and devices are part of the interface.
pub use candle_core;

pub use config::{Config, LifeConfig, Setting};
pub use device::open_devices;
pub use environments::Environment;
pub use error::{Error, Result};
pub use model::{NeuronModel, PopulationModel, Weights};
pub use presets::TASKS;
pub use rules::{LearningRule, SynapseRule, RULES};
pub use runs::{evaluate, explain, simulate, Score};
pub use setup::{LifeSetup, Own, OwnLife, Setup};
pub use storage::{Run, Saved};
pub use sweep::{Sweep, SweepPlan};
pub use tasks::{Episodes, Task, Trial};
pub use training::{
    Checkpoint, Integrity, LifeCheckpoint, Lives, NetworkReport, Observer, Process, StopReason, Trainer,
    TrainerBuilder, UpdateReport,
};
pub use worlds::{World, WorldState};
