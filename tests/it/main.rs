//! All integration tests in one binary, so that candle is linked once.

// Tests start the command itself.
#![allow(clippy::disallowed_methods)]

mod bench;
mod checkpoint;
mod command;
mod devices;
mod hostile;
mod learning;
mod oracle;
mod parity;
mod reproducible;
mod rflo;
mod settings;
mod support;
mod task_file;
mod tasks;
