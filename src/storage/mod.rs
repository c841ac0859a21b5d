//! The files of a run: checkpoints, metrics and configuration, each written whole or not at all.

mod checkpoint;
mod envelope;
mod folder;
mod kinds;
mod life_checkpoint;
mod life_rows;
mod life_synapses;
mod life_values;
mod lock;
mod merge;
mod metrics;
mod metrics_rows;
mod run;

pub use checkpoint::layout;
pub use envelope::holds_a_life;
pub use folder::{holds_a_checkpoint, holds_a_run};
pub use folder::{CIRCUIT_PICTURE, CONFIG_FILE, LEARNING_CURVE, LIFE_PICTURE, REPORT_FILE, SAMPLE_TRIALS};
pub(crate) use life_rows::holds_life_rows;
pub use life_rows::read_life_rows;
pub use lock::Lock;
pub(crate) use merge::copy_run;
pub use merge::merge_runs;
pub use metrics::Metrics;
pub(crate) use metrics_rows::newest;
pub use metrics_rows::{metrics_rows, read_metrics, METRICS_FILE};
pub use run::{Persistent, Run, Saved};

use crate::error::{Error, Result};
use serde::Serialize;

/// Rows as text, below a line of column names if `header` is set and there are rows.
pub(crate) fn to_csv(rows: &[impl Serialize], header: bool) -> Result<Vec<u8>> {
    let bug = |error: String| Error::Bug(format!("writing rows as CSV: {error}"));
    let mut csv = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    rows.iter().try_for_each(|row| csv.serialize(row)).map_err(|error| bug(error.to_string()))?;
    csv.into_inner().map_err(|error| bug(error.to_string()))
}
