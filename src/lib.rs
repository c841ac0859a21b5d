#![doc = include_str!("../README.md")]

// Tensors and devices are part of the interface.
pub use candle_core;

pub mod config;
mod hash;
mod networks;
pub mod settings;
mod untrusted;

pub mod random;

pub mod task;

pub mod batch;
pub mod network;
pub mod trace;
mod weights;

pub mod bptt;
pub mod eligibility;
pub mod episode;
mod online;
pub mod ops;
pub mod rule;

mod attempt;
pub mod criterion;
mod dale;
pub mod divergence;
pub mod modulator;
pub mod split;
pub mod trainer;
pub mod training;

mod files;
pub mod lock;
pub mod metrics;
pub mod run_folder;

pub mod checkpoint;
mod checksum;
pub mod device;
pub mod memory;

pub mod bench;
pub mod compare;
pub mod evaluate;
pub mod simulate;

pub mod analysis;
pub mod figures;
pub mod plot;
pub mod report;
