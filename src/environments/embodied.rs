//! The bodies of lives as environments. A step lasts some milliseconds, during which the action is held; the body moves as in a life,
//! by steps of a millisecond.

use super::*;
use crate::bodies::{Axis, Body};
use std::f64::consts::TAU;
use std::sync::Arc;

/// A body, and what episodes need besides.
#[derive(Clone)]
pub(super) struct Embodied {
    pub body: Arc<dyn Body>,
    /// The names of its coordinates.
    pub coordinates: &'static [&'static str],
    /// The largest absolute value of each component of an action.
    pub bounds: Vec<f64>,
    /// The reward of the goal.
    pub goal_reward: f64,
    pub step_ms: f64,
    pub limit: usize,
}

impl Embodied {
    pub fn check(&self) -> Result<()> {
        expect(self.limit >= 1, "task.limit", self.limit, "at least 1")?;
        self.body.check().map_err(|error| error.in_table("world.body", "task"))
    }

    /// The coordinates; for angles, their cosines and sines.
    pub fn observations(&self) -> Vec<(String, f64)> {
        let axes = self.body.axes();
        let of_axis = |(name, axis): (&&str, &Axis)| match axis.period() {
            Some(_) => vec![(format!("cos {name}"), 1.0), (format!("sin {name}"), 1.0)],
            None => vec![(name.to_string(), axis.reach())],
        };
        self.coordinates.iter().zip(&axes).flat_map(of_axis).collect()
    }

    pub fn actions(&self) -> Actions {
        Actions::Continuous { low: self.bounds.iter().map(|most| -most).collect(), high: self.bounds.clone() }
    }

    pub fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| Moving {
            state: self.body.start(&mut start.rng, start.index),
            axes: self.body.axes(),
            own: self.clone(),
        })
    }
}

struct Moving {
    own: Embodied,
    axes: Vec<Axis>,
    state: Vec<f64>,
}

impl Instance for Moving {
    fn observe(&self, observation: &mut [f64]) {
        let coordinates = self.own.body.coordinates(&self.state);
        let values = coordinates.iter().zip(&self.axes).flat_map(|(at, axis)| match axis.period() {
            Some(period) => {
                let (sin, cos) = libm::sincos(TAU * at / period);
                vec![cos, sin]
            }
            None => vec![*at],
        });
        observation.iter_mut().zip(values).for_each(|(observed, value)| *observed = value);
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let steps = self.own.step_ms.ceil();
        let dt_ms = self.own.step_ms / steps;
        let mut outcome = Outcome::default();
        for _ in 0..steps as usize {
            let happened = self.own.body.act(&mut self.state, action, dt_ms);
            let goal = if happened.goal { self.own.goal_reward } else { 0.0 };
            outcome.reward += happened.event + happened.flow * dt_ms / 1000.0 + goal;
            if let Some(reached) = happened.end {
                return Outcome { terminated: true, correct: Some(reached), ..outcome };
            }
        }
        Outcome { correct: Some(self.own.body.endures(&self.state)), ..outcome }
    }

    /// The surroundings, and where the body is.
    fn sketch(&self) -> Sketch {
        let [x, y] = self.own.body.drawn(&self.state);
        let mut lines = self.own.body.outline();
        lines.push(vec![(x, y)]);
        lines
    }
}
