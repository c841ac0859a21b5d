//! `two-step`: a choice leads to one of two places, where a second choice is rewarded or not (Daw et al. 2011, doi
//! 10.1016/j.neuron.2011.02.027). An agent that knows how choices lead to places does not simply repeat rewarded
//! choices.

use super::*;
use rand::seq::SliceRandom;

/// The places: where the first choice is made, and the two to which it leads.
const PLACES: usize = 3;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwoStep {
    /// The probability that a first choice leads to its common place; else it leads to the other.
    #[schemars(range(min = 0, max = 1))]
    pub common: f64,
    /// The bounds of the probabilities of reward. At first they are spread evenly from one to the other.
    #[schemars(inner(range(min = 0, max = 1)))]
    pub bounds: [f64; 2],
    /// Standard deviation of the random walk of each probability from trial to trial, reflected at the bounds.
    #[schemars(range(min = 0))]
    pub drift: f64,
}

impl Default for TwoStep {
    fn default() -> Self {
        TwoStep { common: 0.7, bounds: [0.25, 0.75], drift: 0.025 }
    }
}

impl TwoStep {
    /// The probabilities of reward in a trial, of both choices at the first place and both at the second.
    fn rewarded(&self, mut shared: Stream, trial: u64) -> [f64; 4] {
        let [low, high] = self.bounds;
        let mut probabilities: [f64; 4] = std::array::from_fn(|k| low + (high - low) * k as f64 / 3.0);
        probabilities.shuffle(&mut shared);
        walk(&mut probabilities, (low, high), self.drift, trial, &mut shared);
        probabilities
    }
}

impl Environment for TwoStep {
    fn name(&self) -> &str {
        "two-step"
    }

    fn check(&self) -> Result<()> {
        check_ranges("task", self)?;
        expect(self.bounds[0] < self.bounds[1], "task.bounds", format!("{:?}", self.bounds), "the lower one first")
    }

    /// The current place.
    fn observations(&self) -> Vec<(String, f64)> {
        named(&[("start", 1.0), ("place 1", 1.0), ("place 2", 1.0)])
    }

    fn actions(&self) -> Actions {
        Actions::Discrete(2)
    }

    fn limit(&self) -> usize {
        2
    }

    /// No such return is published; chance earns the midpoint of the bounds, and this is three fifths of the way
    /// between them.
    fn solved(&self) -> f64 {
        let [low, high] = self.bounds;
        low + 0.6 * (high - low)
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |start| Trial {
            place: 0,
            common: self.common,
            rewarded: self.rewarded(start.shared, start.index),
            rng: start.rng,
        })
    }
}

struct Trial {
    place: usize,
    common: f64,
    rewarded: [f64; 4],
    rng: Stream,
}

impl Instance for Trial {
    fn observe(&self, observation: &mut [f64]) {
        for (place, observed) in observation.iter_mut().enumerate().take(PLACES) {
            *observed = f64::from(u8::from(place == self.place));
        }
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        let (action, chance) = (action[0] as usize, self.rng.random::<f64>());
        if self.place == 0 {
            self.place = if chance < self.common { 1 + action } else { 2 - action };
            return Outcome::default();
        }
        let pays = chance < self.rewarded[2 * (self.place - 1) + action];
        Outcome { reward: f64::from(u8::from(pays)), terminated: true, ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};

    fn starts(world: &TwoStep, trials: u64) -> Box<dyn Copies> {
        let start = |index| Start {
            index,
            rng: stream(1, 0, index, Phase::Train, Purpose::Task),
            shared: stream(1, 0, 0, Phase::Train, Purpose::Task),
        };
        world.start((0..trials).map(start).collect())
    }

    #[test]
    fn choices_lead_to_their_common_places_and_pay_as_often_as_they_should() {
        let world = TwoStep { drift: 0.0, ..TwoStep::default() };
        let expected = world.rewarded(stream(1, 0, 0, Phase::Train, Purpose::Task), 0);
        let mut copies = starts(&world, 4000);
        let (mut common, mut paid, mut seen) = (0, [0.0; 4], [0.0; PLACES]);
        let mut came = [0.0; 4];
        for k in 0..4000 {
            let (first, second) = (k % 2, k / 2 % 2);
            assert_eq!(copies.step(k, &[first as f64]), Outcome::default());
            copies.observe(k, &mut seen);
            assert_eq!((seen[0], seen.iter().sum::<f64>()), (0.0, 1.0));
            common += usize::from(seen[1 + first] == 1.0);
            let outcome = copies.step(k, &[second as f64]);
            assert!(outcome.terminated);
            let way = if seen[1] == 1.0 { second } else { 2 + second };
            (paid[way], came[way]) = (paid[way] + outcome.reward, came[way] + 1.0);
        }
        assert!((common as f64 / 4000.0 - 0.7).abs() < 0.03, "{common}");
        for way in 0..4 {
            assert!((paid[way] / came[way] - expected[way]).abs() < 0.06, "{way}: {paid:?} of {came:?}, {expected:?}");
        }
    }

    #[test]
    fn probabilities_walk_between_their_bounds() {
        let world = TwoStep::default();
        let at = |trial| world.rewarded(stream(1, 0, 0, Phase::Train, Purpose::Task), trial);
        let (mut least, mut most, mut moved) = (1.0f64, 0.0f64, 0.0);
        for trial in 1..1000 {
            for (now, before) in at(trial).into_iter().zip(at(trial - 1)) {
                (least, most) = (least.min(now), most.max(now));
                moved += (now - before) * (now - before) / 3996.0;
            }
        }
        assert!((0.25..0.28).contains(&least) && (0.72..=0.75).contains(&most), "{least} {most}");
        assert!((moved.sqrt() - 0.025).abs() < 0.002, "{moved}");
    }
}
