//! `environment`: an actor and a critic in any environment. The parameters, and their checks.

use super::Places;
use crate::bodies::Axis;
use crate::environments::{Actions, Environment};
use crate::error::{ensure, Error, Result};
use crate::keys::OtherKeys;
use crate::ranges::expect;
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

/// The most place cells on the whole grid.
const MOST_CELLS: usize = 1_000_000;

/// The table `world.body` of a life in an environment.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InEnvironment {
    /// The name of the environment, one of the tasks that are worlds, and those of its parameters that differ from their defaults.
    #[serde(default)]
    #[schemars(with = "OtherKeys")]
    pub environment: Table,
    /// The duration of a step of the environment. At its end the actor neurons' votes become an action.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_ms: f64,
    /// The factor by which rewards of the environment are multiplied before the network receives them.
    pub reward_scale: f64,
    /// The grid of place cells, an entry for each axis, the last the fastest: the name of the `observation`, the centres `low` and
    /// `high` of the first and the last cell, the number of `cells`, and the `width` (σ) of their fields.
    pub axes: Vec<GridAxis>,
    /// Width of the lateral connections between actor neurons that vote along the same component of an action, in neurons.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub kin: f64,
    /// The return from which a trial is a success. Without it, a trial is a success if its last action was the right one or, where the
    /// environment does not know, if its return is one at which the environment counts as solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_return: Option<f64>,
}

/// An axis of the grid of place cells.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GridAxis {
    /// The name of the observation along this axis.
    pub observation: String,
    /// The centre of the first cell. Observations below it count as it.
    pub low: f64,
    /// The centre of the last cell. Observations above it count as it.
    pub high: f64,
    /// The number of cells.
    #[schemars(range(min = 2, max = 1000))]
    pub cells: usize,
    /// σ: a cell fires with exp(−d²/2σ²) of its rate at a distance of d.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub width: f64,
}

impl GridAxis {
    /// Checks the axis number `k`.
    fn check(&self, k: usize) -> Result<()> {
        let key = |name: &str| format!("world.body.axes.{k}.{name}");
        expect(self.low < self.high, &key("high"), self.high, format!("above low ({})", self.low))?;
        let least = self.apart() / 10.0;
        let expected = format!("at least a tenth of the distance between cells ({least})");
        expect(self.width >= least, &key("width"), self.width, expected)
    }

    /// The distance between neighbouring cells.
    fn apart(&self) -> f64 {
        (self.high - self.low) / (self.cells - 1) as f64
    }

    pub fn centres(&self) -> Axis {
        Axis::new(self.low, self.apart(), self.cells, self.width, false)
    }
}

impl InEnvironment {
    /// The index of the observation of each axis, and the steps of the life in a step of the environment. Everything is checked.
    pub fn check(&self, environment: &dyn Environment, places: &Places) -> Result<(Vec<usize>, usize)> {
        environment.check().map_err(|error| error.in_table("task", "world.body.environment"))?;
        let name = environment.name();
        ensure!(environment.limit() >= 1, Usage, "episodes of `{name}` have a limit of 0 steps");
        ensure!(
            environment.together().is_none(),
            Usage,
            "copies of `{name}` only step together, but each network lives alone"
        );
        let actions = environment.actions();
        let bounded = match &actions {
            Actions::Discrete(n) => *n >= 1,
            Actions::Continuous { low, high } => {
                let mut bounds = low.iter().zip(high);
                !low.is_empty() && bounds.all(|(low, high)| low < high && low.is_finite() && high.is_finite())
            }
        };
        ensure!(bounded, Usage, "an actor needs actions with finite bounds; those of `{name}` are {actions:?}");
        let steps = places.steps("body.step_ms", self.step_ms)?;
        Ok((self.observed(environment)?, steps))
    }

    /// The index of the observation of each axis, which are checked.
    fn observed(&self, environment: &dyn Environment) -> Result<Vec<usize>> {
        ensure!(!self.axes.is_empty(), Usage, "world.body.axes is empty; expected at least one axis");
        let names: Vec<String> = environment.observations().into_iter().map(|(name, _)| name).collect();
        let mut observed = Vec::new();
        let mut cells = 1usize;
        for (k, axis) in self.axes.iter().enumerate() {
            axis.check(k)?;
            let known = names.iter().map(String::as_str);
            let place = names.iter().position(|name| *name == axis.observation);
            observed.push(place.ok_or_else(|| Error::unknown("observation", &axis.observation, known))?);
            cells = cells.saturating_mul(axis.cells);
        }
        ensure!(
            cells <= MOST_CELLS,
            Usage,
            "the grid world.body.axes has {cells} place cells; expected at most {MOST_CELLS}"
        );
        Ok(observed)
    }
}
