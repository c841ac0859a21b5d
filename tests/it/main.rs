//! All integration tests in one binary, so that candle is linked once.

mod analyse;
mod bench;
mod bptt;
mod checkpoint;
mod command;
mod devices;
mod learning;
mod oracle;
mod parity;
mod report;
mod reproducible;
mod rflo;
mod settings;
mod support;
mod task_file;
mod tasks;
