//! The bodies of lives as environments. A step lasts some milliseconds, during which the action is held; the body moves as in a life,
//! by steps of a millisecond.

use super::*;
use crate::bodies::{Axis, Body};
use std::f64::consts::TAU;
use std::sync::Arc;

/// The parameters of an environment that is a body.
pub(crate) trait Embody: JsonSchema + Serialize + Send + Sync + 'static {
    /// The name of the environment.
    const NAME: &'static str;

    /// The number of steps after which an episode is truncated.
    fn longest(&self) -> usize;

    /// The mean return from which the environment counts as solved.
    fn solved_from(&self) -> f64;

    /// The body, and the rest.
    fn embodied(&self) -> Embodied;
}

impl<E: Embody> Environment for E {
    fn name(&self) -> &str {
        E::NAME
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)
    }

    /// The coordinates; for angles, their cosines and sines.
    fn observations(&self) -> Vec<(String, f64)> {
        let Embodied { body, coordinates, .. } = self.embodied();
        let observed = |(name, axis): (&&str, &Axis)| match axis.period() {
            Some(_) => vec![(format!("cos {name}"), 1.0), (format!("sin {name}"), 1.0)],
            None => vec![(name.to_string(), axis.reach())],
        };
        coordinates.iter().zip(&body.axes()).flat_map(observed).collect()
    }

    fn actions(&self) -> Actions {
        let high = self.embodied().bounds;
        Actions::Continuous { low: high.iter().map(|most| -most).collect(), high }
    }

    fn limit(&self) -> usize {
        self.longest()
    }

    fn solved(&self) -> f64 {
        self.solved_from()
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        let own = self.embodied();
        copies(episodes, |mut start| Moving {
            state: own.body.start(&mut start.rng, start.index),
            axes: own.body.axes(),
            own: own.clone(),
        })
    }
}

/// A body, and what episodes need besides.
#[derive(Clone)]
pub(crate) struct Embodied {
    pub body: Arc<dyn Body>,
    /// The names of its coordinates.
    pub coordinates: &'static [&'static str],
    /// The largest absolute value of each component of an action.
    pub bounds: Vec<f64>,
    /// The reward of the goal.
    pub goal_reward: f64,
    pub step_ms: f64,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    /// Steps of an environment, and of its body directly.
    fn compare(
        environment: &dyn Environment,
        embodied: &Embodied,
        seed: u64,
        angles: usize,
        action: impl Fn(usize) -> Vec<f64>,
    ) -> (f64, Outcome) {
        let rng = || stream(seed, 0, 0, Phase::Train, Purpose::Task);
        let mut copies = environment.start(vec![Start { index: 0, rng: rng(), shared: rng() }]);
        let mut state = embodied.body.start(&mut rng(), 0);
        let (mut returned, mut last) = (0.0, Outcome::default());
        for step in 0..environment.limit() {
            let (mut reward, mut ended) = (0.0, None);
            for _ in 0..embodied.step_ms as usize {
                let happened = embodied.body.act(&mut state, &action(step), 1.0);
                reward +=
                    happened.event + happened.flow / 1000.0 + if happened.goal { embodied.goal_reward } else { 0.0 };
                ended = happened.end;
                if ended.is_some() {
                    break;
                }
            }
            last = copies.step(0, &action(step));
            assert_eq!((last.reward, last.terminated), (reward, ended.is_some()), "step {step}");
            let mut seen = vec![0.0; environment.observations().len()];
            copies.observe(0, &mut seen);
            let at = embodied.body.coordinates(&state);
            let circles = at[..angles].iter().flat_map(|angle| [angle.cos(), angle.sin()]);
            for (found, expected) in seen.iter().zip(circles.chain(at[angles..].iter().copied())) {
                assert!((found - expected).abs() < 1e-12, "step {step}: {found} {expected}");
            }
            returned += reward;
            if last.terminated {
                break;
            }
        }
        (returned, last)
    }

    #[test]
    fn steps_are_those_of_the_bodies() {
        let maze = Maze::default();
        let start = |seed| maze.embodied().body.start(&mut stream(seed, 0, 0, Phase::Train, Purpose::Task), 0);
        let right = (0..).find(|seed| start(*seed) == [7.5, 0.0]).unwrap();
        // From the right, around the U, to the goal from the north.
        let around = |step: usize| match step {
            0..18 => vec![0.0, 5.0],
            18..33 => vec![-5.0, 0.0],
            _ => vec![0.0, -5.0],
        };
        let (returned, last) = compare(&maze, &maze.embodied(), right, 0, around);
        assert_eq!((returned, last.terminated, last.correct), (100.0, true, Some(true)));
        let (returned, last) = compare(&maze, &maze.embodied(), right, 0, |_| vec![-5.0, 0.0]);
        assert!(returned < -10.0 && !last.terminated, "{returned}");
        let acrobot = AcrobotSwingUp { limit: 30, ..AcrobotSwingUp::default() };
        let (returned, last) =
            compare(&acrobot, &acrobot.embodied(), 0, 2, |step| vec![if step % 20 < 10 { 0.75 } else { -0.75 }]);
        assert!((returned + 3.0).abs() < 1e-9 && !last.terminated, "{returned}");
    }
}
