//! All integration tests in one binary, so that candle is linked once.

// Tests start the command itself.
#![allow(clippy::disallowed_methods)]

mod actor_critic;
mod analyse;
mod begun;
mod bench;
mod bptt;
mod checkpoint;
mod command;
mod crash;
mod curriculum;
mod devices;
mod divergence;
mod episodes;
mod episodes_oracle;
mod faults;
mod floors;
mod formats;
mod hostile;
mod initial;
mod integrity;
mod kinds;
mod learning;
mod life_environment;
mod life_oracle;
mod limits;
mod lives;
mod merge;
mod numbers;
mod oracle;
mod own_life;
mod own_neurons;
mod parity;
mod pinned;
mod process;
mod published;
mod record;
mod report;
mod reproducible;
mod rflo;
mod scan;
mod settings;
mod signals;
#[cfg(target_os = "linux")]
mod soak;
mod support;
mod sweep;
mod sweep_integrity;
mod sweep_plan;
mod task_file;
mod tasks;
mod weights;
