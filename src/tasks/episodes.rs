//! Episodes in a world that answers, as trials of a task: a network's outputs become actions, and what the world then
//! shows becomes its input. The error of an episode is minus its return.

use super::*;
use crate::environments::{Actions, Environment};
use crate::error::{bail, ensure};
use std::sync::Arc;

/// How outputs become an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Acting {
    /// The action of the largest output. While a network explores, its outputs are noisy.
    Argmax,
    /// While a network explores, an action is drawn with probability softmax(z / σ), where σ is
    /// `readout.perturbation`; otherwise it is that of the largest output.
    Softmax,
    /// Each output is a dimension of the action: −1 and 1 are its bounds, and what is beyond is cut off.
    Direct,
    /// An action in the plane is the mean of directions all around, each times an output: (2/n) Σ_k z_k (cos θ_k, sin θ_k)
    /// (Georgopoulos et al. 1986).
    PopulationVector,
}

/// What a world's table `task` says of episodes, besides the world's own parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EpisodeSettings {
    /// How outputs become actions.
    pub acting: Acting,
    /// Steps of the network for each step of the world.
    pub network_steps: usize,
    /// Steps of the world for which exploratory noise stays the same: that of the outputs, and Gaussian perturbations.
    pub hold: usize,
    /// γ: what is done at a step is credited with the rewards from then on, each step later counting γ times as much; 1: with
    /// the return of the whole episode.
    pub discount: f64,
    /// Whether all episodes of a batch start alike while a network explores, so that they can be compared.
    pub same_start: bool,
}

impl Default for EpisodeSettings {
    fn default() -> Self {
        EpisodeSettings { acting: Acting::Softmax, network_steps: 1, hold: 1, discount: 1.0, same_start: false }
    }
}

/// Episodes in a world. As a [`Task`], it is trained, evaluated and saved like any other.
#[derive(Clone)]
pub struct Episodes {
    /// The world.
    pub world: Arc<dyn Environment>,
    /// How networks live in it.
    pub settings: EpisodeSettings,
    /// Of a population vector.
    directions: [[f64; 2]; DIRECTIONS],
}

impl Episodes {
    /// Episodes in `world`: actions of a discrete world are drawn by softmax, others are the outputs themselves.
    pub fn new(world: impl Environment + 'static) -> Self {
        let acting = match world.actions() {
            Actions::Discrete(_) => Acting::Softmax,
            Actions::Continuous { .. } => Acting::Direct,
        };
        let settings = EpisodeSettings { acting, ..EpisodeSettings::default() };
        Episodes { world: Arc::new(world), settings, directions: std::array::from_fn(direction) }
    }

    /// Episodes in the world `W` with the parameters in a `task` table.
    pub(crate) fn build<W: Environment + Default + Serialize + DeserializeOwned + 'static>(
        table: &mut toml::Table,
    ) -> Result<Arc<dyn Task>> {
        let own: toml::Table = toml::Table::try_from(EpisodeSettings::default()).unwrap_or_default();
        let (given, parameters): (toml::Table, toml::Table) =
            table.clone().into_iter().partition(|(key, _)| own.contains_key(key));
        let usual = Episodes::new(super::parameters::<W>(&parameters)?);
        let mut settings = toml::Table::try_from(&usual.settings).unwrap_or_default();
        settings.extend(given);
        let settings = super::parameters(&settings)?;
        table.extend(toml::Table::try_from(&settings).unwrap_or_default());
        Ok(Arc::new(Episodes { settings, ..usual }))
    }

    /// The number of random numbers that an action takes while a network explores.
    pub(crate) fn draws(&self) -> usize {
        match self.settings.acting {
            Acting::Softmax => 1,
            Acting::Argmax | Acting::Direct | Acting::PopulationVector => self.n_out(),
        }
    }

    /// Makes an action of the outputs z `[n_out]`, with `draws` random numbers of the way of acting (from U(0, 1] for
    /// softmax, else N(0, 1)) times σ; without, the network does not explore.
    ///
    /// `score` becomes ∂ log π / ∂z: how much more likely each output makes the action that is taken (Williams 1992, doi
    /// 10.1007/BF00992696).
    pub(crate) fn act(
        &self,
        actions: &Actions,
        outputs: &[f64],
        (draws, sigma): (Option<&[f32]>, f64),
        action: &mut [f64],
        score: &mut [f64],
    ) {
        match (self.settings.acting, draws) {
            (Acting::Softmax, Some(draws)) => action[0] = softmax(outputs, f64::from(draws[0]), sigma, score) as f64,
            (Acting::Argmax | Acting::Direct | Acting::PopulationVector, Some(draws)) => {
                // The score holds the noisy outputs for a moment.
                for ((noisy, z), draw) in score.iter_mut().zip(outputs).zip(draws) {
                    *noisy = z + sigma * f64::from(*draw);
                }
                self.greedy(actions, score, action);
                score.iter_mut().zip(draws).for_each(|(score, draw)| *score = f64::from(*draw) / sigma);
            }
            (_, None) => {
                self.greedy(actions, outputs, action);
                score.fill(0.0);
            }
        }
    }

    /// The action of the largest output, or the numbers that outputs stand for, within their bounds.
    fn greedy(&self, actions: &Actions, outputs: &[f64], action: &mut [f64]) {
        let Actions::Continuous { low, high } = actions else {
            let best = outputs.iter().enumerate().fold(0, |best, (k, z)| if *z > outputs[best] { k } else { best });
            action[0] = best as f64;
            return;
        };
        for (k, a) in action.iter_mut().enumerate() {
            let z = match self.settings.acting {
                Acting::PopulationVector => {
                    outputs.iter().zip(&self.directions).map(|(z, direction)| z * direction[k]).sum()
                }
                Acting::Argmax | Acting::Softmax | Acting::Direct => outputs[k],
            };
            let (middle, half) = ((low[k] + high[k]) / 2.0, (high[k] - low[k]) / 2.0);
            *a = (middle + half * z).clamp(low[k], high[k]);
        }
    }

    /// The number of numbers in an action.
    pub fn dimensions(&self) -> usize {
        match self.world.actions() {
            Actions::Discrete(_) => 1,
            Actions::Continuous { low, .. } => low.len(),
        }
    }
}

/// The number of directions in a population vector.
const DIRECTIONS: usize = 8;

/// (2/n) (cos θ_k, sin θ_k).
fn direction(k: usize) -> [f64; 2] {
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * k as f64 / DIRECTIONS as f64);
    [2.0 / DIRECTIONS as f64 * cos, 2.0 / DIRECTIONS as f64 * sin]
}

/// An action with probability softmax(z / σ), chosen by `u` from U(0, 1], and its score.
fn softmax(outputs: &[f64], u: f64, sigma: f64, score: &mut [f64]) -> usize {
    let most = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for (score, z) in score.iter_mut().zip(outputs) {
        *score = libm::exp((z - most) / sigma);
        sum += *score;
    }
    let (mut action, mut below) = (outputs.len() - 1, 0.0);
    for (k, p) in score.iter().enumerate() {
        below += p;
        if u * sum <= below {
            action = k;
            break;
        }
    }
    for (k, score) in score.iter_mut().enumerate() {
        *score = (f64::from(u8::from(k == action)) - *score / sum) / sigma;
    }
    action
}

impl Task for Episodes {
    fn name(&self) -> &str {
        self.world.name()
    }

    fn check(&self) -> Result<()> {
        let EpisodeSettings { acting, network_steps, hold, discount, same_start: _ } = self.settings;
        self.world.check()?;
        let fits = match self.world.actions() {
            Actions::Discrete(_) => matches!(acting, Acting::Argmax | Acting::Softmax),
            Actions::Continuous { ref low, .. } => {
                acting == Acting::Direct || (acting == Acting::PopulationVector && low.len() == 2)
            }
        };
        if !fits {
            let (name, all) = (self.world.name(), self.world.actions());
            bail!(Usage, "task.acting is `{}`, but the actions of `{name}` are {all:?}", text(acting));
        }
        ensure!(self.world.limit() >= 1, Usage, "episodes of `{}` have a limit of 0 steps", self.world.name());
        expect(network_steps >= 1, "task.network_steps", network_steps, "at least 1")?;
        expect(hold >= 1, "task.hold", hold, "at least 1")?;
        expect(discount > 0.0 && discount <= 1.0, "task.discount", discount, "above 0 and at most 1")
    }

    /// The most steps of a network in an episode.
    fn steps(&self) -> usize {
        self.world.limit().saturating_mul(self.settings.network_steps)
    }

    fn inputs(&self) -> Vec<String> {
        self.world.observations().into_iter().map(|(name, _)| name).collect()
    }

    fn n_out(&self) -> usize {
        match self.world.actions() {
            Actions::Discrete(n) => n,
            Actions::Continuous { low, .. } => match self.settings.acting {
                Acting::PopulationVector => DIRECTIONS,
                Acting::Argmax | Acting::Softmax | Acting::Direct => low.len(),
            },
        }
    }

    fn trial_types(&self) -> Vec<String> {
        self.world.conditions()
    }

    /// An episode is made as it goes: its inputs are not known beforehand.
    fn trial(&self, _index: u64, _rng: &mut Stream) -> Trial {
        Trial { trial_type: 0, inputs: Vec::new(), targets: Vec::new(), scored: Vec::new(), modulator: None }
    }

    fn correct_below(&self) -> f64 {
        // Returns at the goal count.
        -self.world.solved() + 1e-9
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Return
    }

    fn judged_online(&self) -> bool {
        false
    }

    fn episodes(&self) -> Option<&Episodes> {
        Some(self)
    }
}

/// How a setting is written.
fn text(acting: Acting) -> &'static str {
    match acting {
        Acting::Argmax => "argmax",
        Acting::Softmax => "softmax",
        Acting::Direct => "direct",
        Acting::PopulationVector => "population-vector",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::{CartPole, OpenField, Pendulum};

    #[test]
    fn outputs_become_actions() {
        let act = |episodes: &Episodes, z: &[f64]| {
            let (mut action, mut score) = ([f64::NAN], vec![0.0; z.len()]);
            episodes.act(&episodes.world.actions(), z, (None, 1.0), &mut action, &mut score);
            action[0]
        };
        let cart = Episodes::new(CartPole::default());
        assert_eq!([[0.1, 0.2], [0.2, 0.1], [0.3, 0.3]].map(|z| act(&cart, &z)), [1.0, 0.0, 0.0]);
        let rod = Episodes::new(Pendulum::default());
        assert_eq!([[0.25], [-3.0]].map(|z| act(&rod, &z)), [0.5, -2.0]);
        let mut field = Episodes::new(OpenField::default());
        field.settings.acting = Acting::PopulationVector;
        let z: Vec<f64> = (0..8).map(|k| 0.3 * (std::f64::consts::FRAC_PI_4 * k as f64 - 1.0).cos()).collect();
        let (mut action, mut score) = ([0.0; 2], [0.0; 8]);
        field.act(&field.world.actions(), &z, (None, 1.0), &mut action, &mut score);
        assert!((action[0] - 0.3 * 1.0f64.cos()).abs() < 1e-12 && (action[1] - 0.3 * 1.0f64.sin()).abs() < 1e-12);
    }

    /// Against the difference quotient of log softmax; actions are as frequent as they should be.
    #[test]
    fn the_score_is_the_slope_of_the_log_probability() {
        let cart = Episodes::new(CartPole::default());
        let (z, sigma) = ([0.3, -0.4], 0.7);
        let log_p = |z: [f64; 2]| z[1] / sigma - ((z[0] / sigma).exp() + (z[1] / sigma).exp()).ln();
        let (mut action, mut score, mut often) = ([0.0], [0.0; 2], 0);
        for u in 1..=1000 {
            cart.act(&Actions::Discrete(2), &z, (Some(&[u as f32 / 1000.0]), sigma), &mut action, &mut score);
            often += action[0] as usize;
        }
        assert!((often as f64 / 1000.0 - log_p(z).exp()).abs() < 2e-3);
        // The last draw took the second action.
        for k in 0..2 {
            let (mut up, mut down) = (z, z);
            (up[k], down[k]) = (z[k] + 1e-5, z[k] - 1e-5);
            assert!((score[k] - (log_p(up) - log_p(down)) / 2e-5).abs() < 1e-8);
        }
    }

    #[test]
    fn the_score_of_gaussian_noise_is_noise_over_variance() {
        let mut cart = Episodes::new(CartPole::default());
        cart.settings.acting = Acting::Argmax;
        let (mut action, mut score) = ([0.0], [0.0; 2]);
        cart.act(&Actions::Discrete(2), &[0.1, 0.0], (Some(&[0.5, 1.0]), 0.5), &mut action, &mut score);
        // 0.1 + 0.25 and 0.5; ζ / σ² = 0.25 / 0.25 and 0.5 / 0.25.
        assert_eq!((action, score), ([1.0], [1.0, 2.0]));
    }

    #[test]
    fn actions_that_do_not_fit_and_limits_of_0_are_refused() {
        let mut cart = Episodes::new(CartPole::default());
        cart.settings.acting = Acting::Direct;
        let refusal = cart.check().unwrap_err().to_string();
        assert!(
            refusal.contains("task.acting is `direct`, but the actions of `cartpole` are Discrete(2)"),
            "{refusal}"
        );
        let none = Episodes::new(CartPole { limit: 0, ..CartPole::default() });
        assert!(none.check().unwrap_err().to_string().contains("task.limit"));
    }
}
