//! The only source of randomness: one ChaCha8 stream for each (seed, network, trial, phase, purpose).
//!
//! Candle's own generators are not used. A stream depends only on these five values, so network `k` draws the same
//! numbers alone or among others, trial `i` the same in any batch, and all devices get the same noise.

mod counter;

pub use counter::Counter;
pub(crate) use counter::CHUNK;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The random number generator.
pub type Stream = ChaCha8Rng;

/// The purpose of a stream. Changing one of these numbers changes all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial `w_in`.
    InputWeights = 0,
    /// Initial `w_rec`.
    RecurrentWeights = 1,
    /// Which recurrent connections exist.
    Connectivity = 2,
    /// `b_rec`.
    Bias = 3,
    /// Initial `w_out`.
    ReadoutWeights = 4,
    /// The task's draws (trial type, stimuli).
    Task = 5,
    /// Initial activations x(0).
    InitialActivation = 6,
    /// Exploratory perturbations ξ of the neurons.
    Perturbation = 7,
    /// Exploratory noise ζ of the readout.
    ReadoutPerturbation = 8,
    /// Private noise ν of the neurons.
    PrivateNoise = 9,
    /// `w_fb`.
    FeedbackWeights = 10,
    /// `error_feedback`.
    ErrorFeedback = 11,
    /// Which synapses of a projection exist.
    Synapses = 12,
    /// Initial weights of a projection.
    SynapticWeights = 13,
    /// The draws of a life's neurons.
    LifeNoise = 14,
    /// The draws of a life's world.
    World = 15,
    /// The replacement for a modulator in a control.
    Modulator = 16,
    /// The settings of a sweep.
    Setting = 17,
}

/// The use of a trial. Evaluation and simulation never repeat the draws of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum Phase {
    /// Training trials.
    Train = 0,
    /// Trials of `evaluate`.
    Evaluate = 1,
    /// Trials of `simulate`.
    Simulate = 2,
}

/// The stream of a seed, network, trial, phase and purpose.
pub fn stream(seed: u64, network: u64, trial: u64, phase: Phase, purpose: Purpose) -> Stream {
    let mut key = [0; 32];
    let words = [seed, network, trial, ((phase as u64) << 32) | purpose as u64];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// A fast generator for the noise of lives, which takes a number for each neuron and step: Xoshiro256++, seeded by a
/// [`Stream`]. It gives n numbers from U[0, 1), two from each output.
pub(crate) struct Noise(Xoshiro256PlusPlus);

impl Noise {
    /// The generator seeded by `stream`.
    pub fn new(stream: &mut Stream) -> Self {
        Noise(Xoshiro256PlusPlus::from_rng(stream))
    }

    /// Fills `values` with numbers from U[0, 1).
    pub fn fill(&mut self, values: &mut [f32]) {
        const UNIT: f32 = 1.0 / (1 << 24) as f32;
        let mut pairs = values.chunks_exact_mut(2);
        for pair in pairs.by_ref() {
            let bits = self.0.next_u64();
            pair[0] = (bits >> 40) as f32 * UNIT;
            pair[1] = ((bits >> 16) & 0xff_ffff) as f32 * UNIT;
        }
        for value in pairs.into_remainder() {
            *value = (self.0.next_u64() >> 40) as f32 * UNIT;
        }
    }
}

/// One draw from U(-1, 1).
pub fn symmetric_uniform(rng: &mut Stream) -> f32 {
    rng.random::<f32>() * 2.0 - 1.0
}

/// `n` draws from U(-scale, scale).
pub fn uniform(rng: &mut Stream, n: usize, scale: f64) -> Vec<f32> {
    (0..n).map(|_| symmetric_uniform(rng) * scale as f32).collect()
}

/// `n` draws from N(0, sd²).
pub fn gaussian(rng: &mut Stream, n: usize, sd: f64) -> Vec<f32> {
    let standard = StandardNormal.sample_iter(rng).take(n);
    standard.map(|z: f32| z * sd as f32).collect()
}

/// The indices among `0..n` at which events of probability `p` occur, ascending.
///
/// The intervals between events are drawn (geometric, by inversion), so the cost is one draw per event, not per index.
pub fn events(rng: &mut Stream, n: usize, p: f64) -> Vec<usize> {
    if p >= 1.0 {
        return (0..n).collect();
    }
    if p <= 0.0 {
        return Vec::new();
    }
    let log_miss = libm::log1p(-p);
    let mut indices = Vec::with_capacity((n as f64 * p * 1.2) as usize + 4);
    let mut next = 0usize;
    loop {
        // The system's logarithm may differ by an ulp between platforms; that of the crate libm does not.
        let gap = libm::log1p(-rng.random::<f64>()) / log_miss;
        // The conversion saturates, so an interval beyond the end terminates the loop.
        next = next.saturating_add(gap as usize);
        if next >= n {
            return indices;
        }
        indices.push(next);
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        // If these change, all results change: a case for "Numerically breaking" in the changelog.
        let mut rng = stream(1, 2, 3, Phase::Train, Purpose::Perturbation);
        assert_eq!(uniform(&mut rng, 3, 1.0), PINNED_UNIFORM);
        assert_eq!(gaussian(&mut rng, 3, 1.0), PINNED_GAUSSIAN);
        assert_eq!(events(&mut rng, 6000, 0.003), PINNED_EVENTS);
    }

    const PINNED_UNIFORM: [f32; 3] = [-0.737268, 0.27863622, 0.9863713];
    const PINNED_GAUSSIAN: [f32; 3] = [-0.83678716, 0.6293635, 1.8616222];
    const PINNED_EVENTS: [usize; 11] = [2318, 3213, 3459, 4165, 4212, 4319, 4528, 4865, 5505, 5689, 5879];

    #[test]
    fn streams_differ_in_each_coordinate() {
        let first = |mut s: Stream| s.random::<u64>();
        let base = first(stream(1, 1, 1, Phase::Train, Purpose::Task));
        let others = [
            stream(2, 1, 1, Phase::Train, Purpose::Task),
            stream(1, 2, 1, Phase::Train, Purpose::Task),
            stream(1, 1, 2, Phase::Train, Purpose::Task),
            stream(1, 1, 1, Phase::Evaluate, Purpose::Task),
            stream(1, 1, 1, Phase::Train, Purpose::Perturbation),
        ];
        for other in others {
            assert_ne!(base, first(other));
        }
    }

    #[test]
    fn events_have_the_right_rate_and_independent_gaps() {
        let mut rng = stream(7, 0, 0, Phase::Train, Purpose::Perturbation);
        let (n, p) = (2_000_000, 0.003);
        let indices = events(&mut rng, n, p);
        let mean = n as f64 * p;
        let sd = (mean * (1.0 - p)).sqrt();
        assert!((indices.len() as f64 - mean).abs() < 5.0 * sd, "{} events", indices.len());
        assert!(indices.windows(2).all(|w| w[0] < w[1]));
        // An event is as likely right after another as anywhere else.
        let adjacent = indices.windows(2).filter(|w| w[1] == w[0] + 1).count() as f64;
        let expected = indices.len() as f64 * p;
        assert!((adjacent - expected).abs() < 5.0 * expected.sqrt(), "{adjacent} adjacent, expected {expected}");
    }

    #[test]
    fn events_at_the_edges() {
        let mut rng = stream(7, 0, 0, Phase::Train, Purpose::Perturbation);
        assert_eq!(events(&mut rng, 3, 1.0), [0, 1, 2]);
        assert!(events(&mut rng, 1000, 0.0).is_empty());
        assert!(events(&mut rng, 0, 0.5).is_empty());
        assert!(events(&mut rng, 1000, 1e-300).is_empty());
    }
}
