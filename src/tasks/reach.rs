//! Reach: two outputs turn the joints of an arm; bring its hand from the centre to one of the targets around it
//! (hebbRNN, Michaels & Scherberger 2016, doi 10.21105/joss.00060).
//!
//! The cue is on for the whole trial. When the hold signal ends, the outputs begin to turn the joints by a small angle
//! at each step. Only the final position of the hand is judged, so credit can be assigned to whole trials only.

use super::*;
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// The parameters; lengths in units of the targets' distance from the centre, times in steps (of 1 ms by default).
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The number of targets, evenly spaced around the centre.
    #[schemars(range(min = 1))]
    pub targets: usize,
    /// T, the number of steps.
    pub steps: usize,
    /// Duration of the movement at the end of the trial.
    pub move_steps: usize,
    /// The number of steps at the end in which the position of the hand is scored.
    pub judged_steps: usize,
    /// Length of the upper arm and of the forearm.
    pub segments: [f64; 2],
    /// The angle in radians by which an output of 1 turns its joint in a step.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub angle_step: f64,
    /// A trial with an error below this, the mean over x and y, is correct.
    #[schemars(extend("exclusiveMinimum" = 0))]
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

/// The initial angles of shoulder and elbow; with segments of equal length the hand is then in front of the shoulder.
const START: [f64; 2] = [0.8 * PI, 0.4 * PI];
/// The ranges of the two angles.
const RANGES: [(f64, f64); 2] = [(0.0, 3.0 * FRAC_PI_2), (PI / 20.0, PI - PI / 20.0)];

impl Reach {
    /// The position of the hand relative to the shoulder.
    fn hand(&self, [shoulder, elbow]: [f64; 2]) -> [f64; 2] {
        let [upper, fore] = self.segments;
        let forearm = shoulder + elbow;
        [
            -upper * libm::cos(shoulder) + fore * libm::cos(forearm),
            upper * libm::sin(shoulder) - fore * libm::sin(forearm),
        ]
    }

    /// The first step of the movement.
    fn start(&self) -> usize {
        self.steps - self.move_steps
    }

    /// Turns the joints by the outputs of a step, within their ranges; returns which joints stayed off their limits.
    fn turn(&self, angles: &mut [f64; 2], outputs: &[f64]) -> [bool; 2] {
        [0, 1].map(|joint| {
            let (low, high) = RANGES[joint];
            let turned = angles[joint] + outputs[joint] * self.angle_step;
            angles[joint] = turned.clamp(low, high);
            (low..=high).contains(&turned)
        })
    }

    /// The direction of a target from the centre, in radians.
    fn direction(&self, target: usize) -> f64 {
        TAU * target as f64 / self.targets as f64
    }
}

impl Task for Reach {
    fn name(&self) -> &str {
        "reach"
    }

    /// Refuses arms that never move and hands that are never scored.
    fn check(&self) -> Result<()> {
        check_ranges("task", self)?;
        within("task.move_steps", self.move_steps, "task.steps", self.steps)?;
        within("task.judged_steps", self.judged_steps, "task.move_steps", self.move_steps)?;
        self.segments.iter().try_for_each(|segment| positive("task.segments", *segment))
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        self.trial_types().into_iter().chain(["hold".into()]).collect()
    }

    fn n_in(&self) -> usize {
        self.targets.saturating_add(1)
    }

    fn n_out(&self) -> usize {
        2
    }

    fn outputs(&self) -> Vec<String> {
        ["hand, x", "hand, y"].map(String::from).to_vec()
    }

    fn in_plane(&self) -> bool {
        true
    }

    fn trial_types(&self) -> Vec<String> {
        (1..=self.targets).map(|k| format!("target {k}")).collect()
    }

    fn n_types(&self) -> usize {
        self.targets
    }

    /// The targets take turns.
    fn trial(&self, index: u64, _rng: &mut Stream) -> Trial {
        let trial_type = (index % self.targets as u64) as usize;
        let width = self.targets + 1;
        let mut inputs = vec![0.0; self.steps * width];
        for (step, input) in inputs.chunks_exact_mut(width).enumerate() {
            input[trial_type] = 1.0;
            input[self.targets] = f32::from(u8::from(step < self.start()));
        }
        let angle = self.direction(trial_type);
        let target = [libm::sin(angle) as f32, libm::cos(angle) as f32];
        Trial::with_response(trial_type, inputs, &target, self.steps, self.judged_steps)
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    /// x and y of the hand at each step, relative to the centre; (0, 0) until the arm can move.
    fn judged<'a>(&self, outputs: &'a [f64]) -> Cow<'a, [f64]> {
        let centre = self.hand(START);
        let mut angles = START;
        let position = |(step, outputs): (usize, &[f64])| {
            if step < self.start() {
                return [0.0; 2];
            }
            self.turn(&mut angles, outputs);
            let [x, y] = self.hand(angles);
            // Rounded to the targets' precision.
            [x - centre[0], y - centre[1]].map(|place| f64::from(place as f32))
        };
        Cow::Owned(outputs.chunks_exact(2).enumerate().flat_map(position).collect())
    }

    /// An angle is the sum of the outputs since its joint was last at a limit.
    fn judged_gradient(&self, outputs: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
        let mut angles = START;
        let moving = outputs.chunks_exact(2).skip(self.start());
        let path: Vec<_> = moving.map(|outputs| (self.turn(&mut angles, outputs), angles)).collect();
        let [upper, fore] = self.segments;
        let mut result = vec![0.0; outputs.len()];
        // The gradient with respect to each angle, through this step and all later ones.
        let mut through = [0.0; 2];
        for (k, (free, [shoulder, elbow])) in path.into_iter().enumerate().rev() {
            let at = (self.start() + k) * 2;
            let (x, y, forearm) = (gradient[at], gradient[at + 1], shoulder + elbow);
            let by_forearm = -fore * (x * libm::sin(forearm) + y * libm::cos(forearm));
            let by_shoulder = upper * (x * libm::sin(shoulder) + y * libm::cos(shoulder));
            for (joint, slope) in [by_shoulder + by_forearm, by_forearm].into_iter().enumerate() {
                through[joint] = if free[joint] { through[joint] + slope } else { 0.0 };
                result[at + joint] = through[joint] * self.angle_step;
            }
        }
        Some(result)
    }

    fn judged_online(&self) -> bool {
        false
    }

    /// The mean error of a hand that stays at the centre; not computed for absurdly many targets.
    fn chance(&self) -> Option<(f64, String)> {
        if self.targets > 1_000_000 {
            return None;
        }
        let error = |target| (libm::sin(self.direction(target)).abs() + libm::cos(self.direction(target)).abs()) / 2.0;
        Some(((0..self.targets).map(error).sum::<f64>() / self.targets as f64, "not moving at all".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_turn_the_joints_and_the_hand_is_judged_in_the_end() {
        let task = Reach { steps: 4, move_steps: 3, angle_step: 0.1, ..Reach::default() };
        task.check().unwrap();
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
        let trial = draw(&task, 1);
        assert_eq!((trial.targets[6], &trial.scored[..]), (1.0, &[false, false, false, true][..]));
        let error = ((hand[6] - 1.0).abs() + hand[7].abs()) / 2.0;
        assert!((task.error(&trial, &outputs) - error).abs() < 1e-6);
    }

    #[test]
    fn joints_stop_at_their_limits_and_every_target_can_be_reached() {
        let task = Reach::default();
        let hand = task.judged(&[1.0; 300]);
        assert!(hand.iter().all(|v| v.is_finite()));
        // Some constant pair of outputs brings the hand near each target.
        for k in 0..4 {
            let trial = draw(&task, k);
            let best = (-20..=20)
                .flat_map(|a| (-20..=20).map(move |b| [f64::from(a) / 20.0, f64::from(b) / 20.0]))
                .map(|rates| task.error(&trial, &rates.repeat(150)))
                .fold(f64::MAX, f64::min);
            assert!(best < 0.05, "target {k}: {best}");
        }
    }
}
