//! Acting: how a network's outputs become an action in an environment, and how much more likely each output makes it.

use crate::environments::Actions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How outputs become an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Acting {
    /// The action with the largest output. While a network explores, its outputs are noisy.
    Argmax,
    /// While a network explores, an action is drawn with probability softmax(z / σ), where σ is
    /// `readout.perturbation`; otherwise the action with the largest output is taken.
    Softmax,
    /// Each output is a dimension of the action: −1 and 1 are its bounds, and values beyond them are clipped.
    Direct,
    /// An action in the plane is the mean of evenly spaced directions, each times an output: (2/n) Σ_k z_k (cos θ_k,
    /// sin θ_k) (Georgopoulos et al. 1986).
    PopulationVector,
}

/// Turns outputs into actions.
pub(crate) struct Actor {
    acting: Acting,
    actions: Actions,
    /// The directions of a population vector.
    directions: [[f64; 2]; DIRECTIONS],
}

impl Actor {
    pub fn new(acting: Acting, actions: Actions) -> Self {
        Actor { acting, actions, directions: std::array::from_fn(direction) }
    }

    /// Whether `task.acting` suits the actions.
    pub fn fits(&self) -> bool {
        match (&self.actions, self.acting) {
            (Actions::Discrete(_), acting) => matches!(acting, Acting::Argmax | Acting::Softmax),
            (Actions::Continuous { .. }, Acting::Direct) => true,
            (Actions::Continuous { low, .. }, acting) => acting == Acting::PopulationVector && low.len() == 2,
        }
    }

    /// The number of components of an action.
    pub fn dimensions(&self) -> usize {
        match &self.actions {
            Actions::Discrete(_) => 1,
            Actions::Continuous { low, .. } => low.len(),
        }
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        match (&self.actions, self.acting) {
            (Actions::Discrete(n), _) => *n,
            (Actions::Continuous { .. }, Acting::PopulationVector) => DIRECTIONS,
            (Actions::Continuous { low, .. }, _) => low.len(),
        }
    }

    /// The number of random numbers that an action takes while a network explores.
    pub fn draws(&self) -> usize {
        match self.acting {
            Acting::Softmax => 1,
            Acting::Argmax | Acting::Direct | Acting::PopulationVector => self.outputs(),
        }
    }

    /// Whether these numbers are from U(0, 1]; else they are from N(0, 1).
    pub fn draws_are_uniform(&self) -> bool {
        self.acting == Acting::Softmax
    }

    /// Turns the outputs z `[n_out]` into an action, with random numbers times `sigma`; without them, the network does not
    /// explore.
    ///
    /// `score` becomes ∂ log π / ∂z: how much more likely each output makes the action that is taken (Williams 1992, doi
    /// 10.1007/BF00992696).
    pub fn act(&self, outputs: &[f64], draws: Option<&[f32]>, sigma: f64, action: &mut [f64], score: &mut [f64]) {
        match (self.acting, draws) {
            (Acting::Softmax, Some(draws)) => action[0] = softmax(outputs, f64::from(draws[0]), sigma, score) as f64,
            (Acting::Argmax | Acting::Direct | Acting::PopulationVector, Some(draws)) => {
                // The score holds the noisy outputs for a moment.
                for ((noisy, z), draw) in score.iter_mut().zip(outputs).zip(draws) {
                    *noisy = z + sigma * f64::from(*draw);
                }
                self.greedy(score, action);
                score.iter_mut().zip(draws).for_each(|(score, draw)| *score = f64::from(*draw) / sigma);
            }
            (_, None) => {
                self.greedy(outputs, action);
                score.fill(0.0);
            }
        }
    }

    /// The action with the largest output, or the components that the outputs encode, within their bounds.
    fn greedy(&self, outputs: &[f64], action: &mut [f64]) {
        let Actions::Continuous { low, high } = &self.actions else {
            let best = outputs.iter().enumerate().fold(0, |best, (k, z)| if *z > outputs[best] { k } else { best });
            action[0] = best as f64;
            return;
        };
        for (k, a) in action.iter_mut().enumerate() {
            let z = match self.acting {
                Acting::PopulationVector => {
                    outputs.iter().zip(&self.directions).map(|(z, direction)| z * direction[k]).sum()
                }
                Acting::Argmax | Acting::Softmax | Acting::Direct => outputs[k],
            };
            let (middle, half) = ((low[k] + high[k]) / 2.0, (high[k] - low[k]) / 2.0);
            *a = (middle + half * z).clamp(low[k], high[k]);
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
        *score = if *z == most { 1.0 } else { libm::exp((z - most) / sigma) };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(acting: Acting, actions: Actions) -> Actor {
        Actor::new(acting, actions)
    }

    #[test]
    fn outputs_become_actions() {
        let act = |actor: &Actor, z: &[f64]| {
            let (mut action, mut score) = ([f64::NAN; 2], vec![0.0; z.len()]);
            actor.act(z, None, 1.0, &mut action[..actor.dimensions()], &mut score);
            action
        };
        let cart = actor(Acting::Softmax, Actions::Discrete(2));
        assert_eq!([[0.1, 0.2], [0.2, 0.1], [0.3, 0.3]].map(|z| act(&cart, &z)[0]), [1.0, 0.0, 0.0]);
        let rod = actor(Acting::Direct, Actions::Continuous { low: vec![-2.0], high: vec![2.0] });
        assert_eq!([[0.25], [-3.0]].map(|z| act(&rod, &z)[0]), [0.5, -2.0]);
        let plane = Actions::Continuous { low: vec![-1.0; 2], high: vec![1.0; 2] };
        let z: Vec<f64> = (0..8).map(|k| 0.3 * (std::f64::consts::FRAC_PI_4 * f64::from(k) - 1.0).cos()).collect();
        let [x, y] = act(&actor(Acting::PopulationVector, plane), &z);
        assert!((x - 0.3 * 1.0f64.cos()).abs() < 1e-12 && (y - 0.3 * 1.0f64.sin()).abs() < 1e-12);
    }

    /// Against the difference quotient of log softmax; actions are as frequent as they should be.
    #[test]
    fn the_score_is_the_slope_of_the_log_probability() {
        let cart = actor(Acting::Softmax, Actions::Discrete(2));
        let (z, sigma) = ([0.3, -0.4], 0.7);
        let log_p = |z: [f64; 2]| z[1] / sigma - ((z[0] / sigma).exp() + (z[1] / sigma).exp()).ln();
        let (mut action, mut score, mut often) = ([0.0], [0.0; 2], 0);
        for u in 1..=1000u16 {
            cart.act(&z, Some(&[f32::from(u) / 1000.0]), sigma, &mut action, &mut score);
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
        let cart = actor(Acting::Argmax, Actions::Discrete(2));
        let (mut action, mut score) = ([0.0], [0.0; 2]);
        cart.act(&[0.1, 0.0], Some(&[0.5, 1.0]), 0.5, &mut action, &mut score);
        // 0.1 + 0.25 and 0.5; ζ / σ² = 0.25 / 0.25 and 0.5 / 0.25.
        assert_eq!((action, score), ([1.0], [1.0, 2.0]));
    }
}
