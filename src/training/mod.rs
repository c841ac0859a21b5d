//! Training on one or more devices: running and judging trials, changing weights, and freezing networks that diverge.

mod activity;
mod adamw;
mod builder;
mod change;
mod checkpoint;
mod criterion;
mod divergence;
mod initial;
mod judge;
mod lives;
mod plastic;
mod process;
mod progress;
mod recorded;
mod share;
mod trainer;
mod update;

pub use builder::TrainerBuilder;
pub use checkpoint::{Checkpoint, Integrity, StageProgress, CHECKPOINT_FILE, FORMAT, LIFE_METADATA_KEY, METADATA_KEY};
pub use criterion::Criterion;
pub use criterion::{MORE_THAN, WINDOW};
pub use divergence::{Divergence, Frozen, REMEDY};
pub use initial::InitialWeights;
pub(crate) use judge::judge;
#[cfg(feature = "report")]
pub(crate) use lives::check_rows;
pub use lives::{verdicts, LifeCheckpoint, Lives};
pub use plastic::Plastic;
pub use process::{Observer, Process, StopReason};
pub use progress::{NetworkReport, UpdateReport};
pub use recorded::record_update;
pub use trainer::Trainer;
