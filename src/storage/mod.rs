//! The files of a run: checkpoints, metrics and configuration, each written whole or not at all.

mod checkpoint;
mod checksum;
mod life_checkpoint;
mod lives;
mod lock;
mod merge;
mod metrics;
mod run_folder;

pub use checkpoint::layout;
pub use lives::{holds_a_life, read_life_rows, LifeFolder, CIRCUIT_PICTURE, LIFE_PICTURE};
pub use lock::Lock;
pub(crate) use merge::copy_run;
pub use merge::merge_runs;
pub(crate) use metrics::newest_update;
pub use metrics::{metrics_rows, read_metrics, Metrics, METRICS_FILE};
pub use run_folder::{holds_a_checkpoint, RunFolder, CONFIG_FILE, LEARNING_CURVE, REPORT_FILE, SAMPLE_TRIALS};
