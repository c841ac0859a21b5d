//! Training: trials are run and judged, weights change, networks that diverge are frozen; on one device or several.

mod adamw;
mod builder;
mod change;
mod checkpoint;
mod criterion;
mod divergence;
mod plastic;
mod progress;
mod proposal;
mod share;
mod trainer;

pub use adamw::Moments;
pub use builder::TrainerBuilder;
pub use checkpoint::{Checkpoint, Integrity, FORMAT};
pub use criterion::{Criterion, MORE_THAN, WINDOW};
pub use divergence::{Frozen, Why, REMEDY};
pub use plastic::{Expected, Plastic};
pub use progress::{NetworkReport, Observer, StopReason, UpdateReport};
pub(crate) use share::errors;
pub use trainer::Trainer;
