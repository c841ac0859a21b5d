//! The places of a network's neurons and its time step, for the world in which it lives.

use crate::error::{Error, Result};
use crate::ranges::expect;
use std::ops::Range;

/// The populations of the network that lives in a world.
#[non_exhaustive]
pub struct Places<'a> {
    /// The name of each population and the places of its neurons.
    pub populations: &'a [(String, Range<usize>)],
    /// Δt in ms.
    pub dt_ms: f64,
    /// The duration of the life in seconds.
    pub seconds: f64,
}

impl Places<'_> {
    /// The places of a population that the world needs; its size must satisfy `fits`.
    ///
    /// # Errors
    /// [`Error::Unknown`] if there is no such population, [`Error::Setting`] if it has another size; `expected` describes the right one.
    pub fn of(&self, name: &str, fits: impl Fn(usize) -> bool, expected: &str) -> Result<Range<usize>> {
        let known = || self.populations.iter().map(|(name, _)| name.as_str());
        let found = self.populations.iter().find(|(known, _)| known == name);
        let (_, places) = found.ok_or_else(|| Error::unknown("population, which this world needs", name, known()))?;
        match fits(places.len()) {
            true => Ok(places.clone()),
            false => Err(Error::setting(format!("population.{name}.size"), places.len(), expected)),
        }
    }

    /// The longest random time, in whole steps; it can be 0.
    pub(super) fn jitter(&self, key: &str, ms: f64) -> Result<u64> {
        let steps = (ms / self.dt_ms).round();
        expect((0.0..1e9).contains(&steps), &format!("world.{key}"), ms, "0 to 1e9 steps")?;
        Ok(steps as u64)
    }

    /// A duration in steps.
    pub(super) fn steps(&self, key: &str, ms: f64) -> Result<usize> {
        let steps = ms / self.dt_ms;
        let whole = (1.0..1e9).contains(&steps) && (steps - steps.round()).abs() < 1e-6;
        let expected = || format!("a multiple of life.dt_ms ({}), at least one step", self.dt_ms);
        if whole {
            Ok(steps.round() as usize)
        } else {
            Err(Error::setting(format!("world.{key}"), ms, expected()))
        }
    }
}
