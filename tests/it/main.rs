//! All integration tests in one binary, so that candle is linked once.

mod bench;
mod bptt;
mod checkpoint;
mod command;
mod devices;
mod divergence;
mod formats;
mod learning;
mod numbers;
mod oracle;
mod parity;
mod pinned;
mod reproducible;
mod rflo;
mod settings;
#[cfg(target_os = "linux")]
mod soak;
mod support;
mod task_file;
mod tasks;
