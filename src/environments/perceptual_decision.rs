//! `perceptual-decision`: which of two noisy inputs is stronger on average? (Britten et al. 1992; a trial ends with the
//! choice, so the time it takes is a reaction time.)

use super::*;

/// Its parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerceptualDecision {
    /// The number of steps of the stimulus.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// The mean of the stimulus in each trial is one of these, with a random sign.
    #[schemars(inner(range(min = 0)))]
    pub strengths: Vec<f64>,
    /// Standard deviation of the stimulus around its mean, step by step.
    #[schemars(range(min = 0))]
    pub noise: f64,
    /// Whether the choice can be made at any step; if not, it is made at the last one.
    pub reaction_time: bool,
}

impl Default for PerceptualDecision {
    fn default() -> Self {
        PerceptualDecision { steps: 20, strengths: vec![0.3], noise: 1.0, reaction_time: false }
    }
}

impl Environment for PerceptualDecision {
    fn name(&self) -> &str {
        "perceptual-decision"
    }

    fn check(&self) -> Result<()> {
        expect(!self.strengths.is_empty(), "task.strengths", "[]", "at least one strength")?;
        check_ranges("task", self)
    }

    fn observations(&self) -> Vec<(String, f64)> {
        named(&[("stimulus", 1.0)])
    }

    /// Left, right and, if the choice can be made at any step, waiting.
    fn actions(&self) -> Actions {
        Actions::Discrete(if self.reaction_time { 3 } else { 2 })
    }

    fn limit(&self) -> usize {
        self.steps
    }

    fn solved(&self) -> f64 {
        0.8
    }

    /// One for each strength.
    fn conditions(&self) -> Vec<String> {
        self.strengths.iter().map(|strength| format!("±{strength}")).collect()
    }

    fn start(&self, episodes: Vec<Start>) -> Box<dyn Copies> {
        copies(episodes, |mut start| {
            let (condition, right) = (start.rng.random_range(0..self.strengths.len()), start.rng.random::<bool>());
            let strength = self.strengths[condition];
            let mean = if right { strength } else { -strength };
            let mut trial =
                Stimulus { environment: self.clone(), condition, right, mean, now: 0.0, step: 0, rng: start.rng };
            trial.draw();
            trial
        })
    }
}

struct Stimulus {
    environment: PerceptualDecision,
    condition: usize,
    right: bool,
    mean: f64,
    /// The stimulus at this step.
    now: f64,
    step: usize,
    rng: Stream,
}

impl Stimulus {
    fn draw(&mut self) {
        let noise: f64 = StandardNormal.sample(&mut self.rng);
        self.now = self.mean + self.environment.noise * noise;
    }
}

impl Instance for Stimulus {
    fn condition(&self) -> usize {
        self.condition
    }

    fn observe(&self, observation: &mut [f64]) {
        observation[0] = self.now;
    }

    fn step(&mut self, action: &[f64]) -> Outcome {
        self.step += 1;
        self.draw();
        let chosen = if self.environment.reaction_time { action[0] < 2.0 } else { self.step == self.environment.steps };
        let correct = (action[0] == 1.0) == self.right && action[0] < 2.0;
        let correct = chosen && correct;
        Outcome {
            reward: f64::from(u8::from(correct)),
            terminated: chosen,
            correct: Some(correct),
            ..Outcome::default()
        }
    }
}
