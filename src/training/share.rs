//! Networks of a run that train together: on one device, in the same stage of the curriculum. `update.rs` updates them.

use super::activity::Limits;
use super::{Checkpoint, Integrity, FORMAT};
use crate::engine::{choose, Engine, TrialBatch};
use crate::error::Result;
use crate::rules::RewardBaseline;

/// A device's share of a run's networks or, with a curriculum, those of the share that are in the same stage.
pub(super) struct Share {
    /// Everything on which the next update depends, except Ē, which `baseline` holds. Its setup is the stage's.
    pub current: Checkpoint,
    /// The stage, counted from 0.
    pub stage: usize,
    pub baseline: RewardBaseline,
    pub limits: Limits,
    pub engine: Box<dyn Engine>,
    /// The batch drawn in advance while a GPU was running trials, preceded by the number of updates before it.
    pub drawn_ahead: Option<(u64, TrialBatch)>,
}

impl Share {
    /// Continues from a checkpoint of networks in one stage, on the device that holds its tensors. New checkpoints have
    /// the current format.
    pub fn resume(mut checkpoint: Checkpoint) -> Result<Self> {
        let stage = checkpoint.stages.first().map_or(0, |progress| progress.stage);
        checkpoint.setup = checkpoint.setup.stage(stage)?;
        let setup = &checkpoint.setup;
        let networks = setup.config.train.networks.count();
        let mut baseline = RewardBaseline::new(&setup.config, networks, setup.task.n_types());
        baseline.restore(std::mem::take(&mut checkpoint.expected_error));
        Ok(Share {
            limits: Limits::new(&setup.config.network),
            engine: choose(setup, checkpoint.plastic.weights.w_rec.device(), true)?,
            baseline,
            stage,
            drawn_ahead: None,
            current: Checkpoint {
                program: env!("CARGO_PKG_VERSION").to_string(),
                format: FORMAT,
                integrity: Integrity::Whole,
                ..checkpoint
            },
        })
    }

    /// Whether a network has moved on to the next stage, so that these networks no longer belong together.
    pub fn has_moved(&self) -> bool {
        self.current.stages.iter().any(|progress| progress.stage != self.stage)
    }

    /// Everything on which the next update depends.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { expected_error: self.baseline.expected_error().to_vec(), ..self.current.clone() }
    }
}
