//! All integration tests in one binary, so that candle is linked once.

mod bench;
mod checkpoint;
mod command;
mod crash;
mod devices;
mod faults;
mod integrity;
mod learning;
mod oracle;
mod parity;
mod process;
mod reproducible;
mod rflo;
mod settings;
mod support;
mod task_file;
mod tasks;
