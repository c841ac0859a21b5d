//! Reach: two outputs turn the joints of an arm; bring its hand from the centre to one of the targets around it
//! (hebbRNN, Michaels & Scherberger 2016, doi 10.21105/joss.00060).
//!
//! The cue is on for the whole trial; a hold signal goes off when the arm may move, and then the outputs turn the joints by a
//! small angle at each step. Only where the hand is in the end is judged, so credit can be given for whole trials alone.

use super::{ErrorMeasure, Task, Trial};
use crate::error::Result;
use crate::random::Stream;
use crate::ranges::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Lengths in units of the targets' distance from the centre; times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Targets, evenly around the centre.
    pub targets: usize,
    /// T.
    pub steps: usize,
    /// Steps in which the arm moves, at the end of the trial.
    pub move_steps: usize,
    /// Last steps in which the hand is judged.
    pub judged_steps: usize,
    /// Length of the upper arm and of the forearm.
    pub segments: [f64; 2],
    /// By how many radians an output of 1 turns its joint in a step.
    pub angle_step: f64,
    /// A trial whose hand is off by less, as a mean over x and y, is correct.
    pub correct_below: f64,
}

impl Default for Reach {
    fn default() -> Self {
        Reach {
            targets: 4,
            steps: 150,
            move_steps: 100,
            judged_steps: 1,
            segments: [3.0, 3.0],
            angle_step: 1.0 / 150.0,
            correct_below: 0.25,
        }
    }
}

/// The joints' angles at the start: with equal segments the hand is then in front of the shoulder.
const START: [f64; 2] = [0.8 * PI, 0.4 * PI];
/// The joints' ranges.
const SHOULDER: (f64, f64) = (0.0, 3.0 * FRAC_PI_2);
const ELBOW: (f64, f64) = (PI / 20.0, PI - PI / 20.0);

impl Reach {
    /// Refuses arms that never move and hands that are never judged.
    pub fn checked(self) -> Result<Self> {
        expect(self.targets >= 1, "task.targets", self.targets, "at least 1")?;
        expect(
            (1..=self.steps).contains(&self.move_steps),
            "task.move_steps",
            self.move_steps,
            format!("1 to task.steps ({})", self.steps),
        )?;
        expect(
            (1..=self.move_steps).contains(&self.judged_steps),
            "task.judged_steps",
            self.judged_steps,
            format!("1 to task.move_steps ({})", self.move_steps),
        )?;
        self.segments.iter().try_for_each(|segment| positive("task.segments", *segment))?;
        positive("task.angle_step", self.angle_step)?;
        positive("task.correct_below", self.correct_below)?;
        Ok(self)
    }

    /// Where the hand is, from the shoulder, for given angles of shoulder and elbow.
    fn hand(&self, [shoulder, elbow]: [f64; 2]) -> [f64; 2] {
        let [upper, fore] = self.segments;
        let forearm = shoulder + elbow;
        [
            -upper * libm::cos(shoulder) + fore * libm::cos(forearm),
            upper * libm::sin(shoulder) - fore * libm::sin(forearm),
        ]
    }
}

impl Task for Reach {
    fn name(&self) -> &str {
        "reach"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        (1..=self.targets).map(|k| format!("target {k}")).chain(["hold".into()]).collect()
    }

    fn n_in(&self) -> usize {
        self.targets.saturating_add(1)
    }

    fn n_out(&self) -> usize {
        2
    }

    fn trial_types(&self) -> Vec<String> {
        (1..=self.targets).map(|k| format!("target {k}")).collect()
    }

    fn n_types(&self) -> usize {
        self.targets
    }

    /// Targets follow one another in turn.
    fn trial(&self, index: u64, _rng: &mut Stream) -> Trial {
        let trial_type = (index % self.targets as u64) as usize;
        let width = self.targets + 1;
        let mut inputs = vec![0.0; self.steps * width];
        for (step, input) in inputs.chunks_exact_mut(width).enumerate() {
            input[trial_type] = 1.0;
            input[self.targets] = f32::from(u8::from(step < self.steps - self.move_steps));
        }
        let angle = TAU * trial_type as f64 / self.targets as f64;
        Trial {
            trial_type,
            inputs,
            targets: [libm::sin(angle) as f32, libm::cos(angle) as f32].repeat(self.steps),
            scored: (0..self.steps).map(|step| step >= self.steps - self.judged_steps).collect(),
            modulator: None,
        }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Absolute
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    /// x and y of the hand at each step, from the centre; (0, 0) until the arm may move.
    fn judged<'a>(&self, outputs: &'a [f64]) -> Cow<'a, [f64]> {
        let centre = self.hand(START);
        let mut angles = START;
        let place = |(step, rates): (usize, &[f64])| {
            if step < self.steps - self.move_steps {
                return [0.0; 2];
            }
            for (joint, (low, high)) in [SHOULDER, ELBOW].into_iter().enumerate() {
                angles[joint] = (angles[joint] + rates[joint] * self.angle_step).clamp(low, high);
            }
            let [x, y] = self.hand(angles);
            // As exact as the targets are.
            [x - centre[0], y - centre[1]].map(|place| f64::from(place as f32))
        };
        Cow::Owned(outputs.chunks_exact(2).enumerate().flat_map(place).collect())
    }

    /// An angle at a limit no longer depends on what came before; until then it is a sum of outputs.
    fn judged_gradient(&self, outputs: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
        let first = self.steps - self.move_steps;
        let (mut angles, mut free) = (START, Vec::with_capacity(self.move_steps));
        let mut path = Vec::with_capacity(self.move_steps);
        for rates in outputs.chunks_exact(2).skip(first) {
            let mut inside = [true; 2];
            for (joint, (low, high)) in [SHOULDER, ELBOW].into_iter().enumerate() {
                let turned = angles[joint] + rates[joint] * self.angle_step;
                inside[joint] = (low..=high).contains(&turned);
                angles[joint] = turned.clamp(low, high);
            }
            path.push(angles);
            free.push(inside);
        }
        let [upper, fore] = self.segments;
        let mut result = vec![0.0; outputs.len()];
        // What later steps make of each angle.
        let mut reached = [0.0; 2];
        for (k, ([shoulder, elbow], inside)) in path.into_iter().zip(free).enumerate().rev() {
            let at = (first + k) * 2;
            let (x, y, forearm) = (gradient[at], gradient[at + 1], shoulder + elbow);
            let by_forearm = -fore * (x * libm::sin(forearm) + y * libm::cos(forearm));
            let by_shoulder = upper * (x * libm::sin(shoulder) + y * libm::cos(shoulder));
            for (joint, slope) in [by_shoulder + by_forearm, by_forearm].into_iter().enumerate() {
                reached[joint] = if inside[joint] { reached[joint] + slope } else { 0.0 };
                result[at + joint] = reached[joint] * self.angle_step;
            }
        }
        Some(result)
    }

    fn judged_online(&self) -> bool {
        false
    }

    /// Not worked out for more targets than anyone can tell apart.
    fn chance(&self) -> Option<(f64, String)> {
        if self.targets > 1_000_000 {
            return None;
        }
        let off = |k: usize| {
            let angle = TAU * k as f64 / self.targets as f64;
            (libm::sin(angle).abs() + libm::cos(angle).abs()) / 2.0
        };
        Some(((0..self.targets).map(off).sum::<f64>() / self.targets as f64, "not moving at all".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    #[test]
    fn outputs_turn_the_joints_and_the_hand_is_judged_in_the_end() {
        let task = Reach { steps: 4, move_steps: 3, angle_step: 0.1, ..Reach::default() }.checked().unwrap();
        // The first step is before the movement; then the shoulder turns by 0.1 − 0.05 + 0, the elbow by 0, 0.1, −0.1.
        let outputs = [9.0, 9.0, 1.0, 0.0, -0.5, 1.0, 0.0, -1.0];
        let hand = task.judged(&outputs);
        let at = |a: f64, b: f64| [-3.0 * a.cos() + 3.0 * (a + b).cos(), 3.0 * a.sin() - 3.0 * (a + b).sin()];
        let centre = at(0.8 * PI, 0.4 * PI);
        for (step, (a, b)) in [(1, (0.1, 0.0)), (2, (0.05, 0.1)), (3, (0.05, 0.0))] {
            let expected = at(0.8 * PI + a, 0.4 * PI + b);
            for k in 0..2 {
                assert!((hand[step * 2 + k] - (expected[k] - centre[k])).abs() < 1e-6, "step {step}");
            }
        }
        assert_eq!(hand[..2], [0.0, 0.0]);
        let trial = task.trial(1, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
        assert_eq!((trial.targets[6], trial.scored), (1.0, vec![false, false, false, true]));
        let off = ((hand[6] - 1.0).abs() + hand[7].abs()) / 2.0;
        let trial = task.trial(1, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
        assert!((task.error(&trial, &outputs) - off).abs() < 1e-6);
    }

    #[test]
    fn joints_stop_at_their_limits_and_every_target_can_be_reached() {
        let task = Reach::default();
        let hand = task.judged(&[1.0; 300]);
        assert!(hand.iter().all(|v| v.is_finite()));
        // Some constant pair of outputs brings the hand near each target.
        for k in 0..4 {
            let trial = task.trial(k, &mut stream(0, 0, 0, Phase::Train, Purpose::Task));
            let best = (-20..=20)
                .flat_map(|a| (-20..=20).map(move |b| [f64::from(a) / 20.0, f64::from(b) / 20.0]))
                .map(|rates| task.error(&trial, &rates.repeat(150)))
                .fold(f64::MAX, f64::min);
            assert!(best < 0.05, "target {k}: {best}");
        }
    }
}
