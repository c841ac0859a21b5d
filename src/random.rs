//! The only source of randomness: one ChaCha8 stream for each (seed, network, trial, purpose).
//!
//! Nothing is ever drawn from candle. A stream depends on nothing but its four numbers, so network `k` draws the same
//! values whether it is trained alone or in company, trial `i` whatever the batch, and every device sees the same noise.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The generator every draw comes from.
pub type Stream = ChaCha8Rng;

/// What a stream is used for. The numbers are part of the format: changing one changes every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// `w_in`, drawn once per network.
    InputWeights = 0,
    /// `w_rec`, drawn once per network.
    RecurrentWeights = 1,
    /// Which recurrent connections exist, drawn once per network.
    Connectivity = 2,
    /// `b_rec`, drawn once per network.
    Bias = 3,
    /// `w_out`, drawn once per network.
    ReadoutWeights = 4,
    /// The task's own draws (trial type, stimuli).
    Task = 5,
    /// x(0).
    InitialActivation = 6,
    /// The exploratory perturbation of the neurons.
    Perturbation = 7,
    /// The exploratory perturbation of the readout.
    ReadoutPerturbation = 8,
    /// The private noise of the neurons.
    PrivateNoise = 9,
    /// `w_fb`, drawn once per network.
    FeedbackWeights = 10,
    /// `error_feedback`, drawn once per network.
    ErrorFeedback = 11,
}

/// Whether trials are for training or for something that must not repeat the training trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// Training trials.
    Train = 0,
    /// Fresh trials for `evaluate`.
    Evaluate = 1,
    /// The user's own inputs, for `simulate`.
    Simulate = 2,
}

/// The stream of one (seed, network, trial, purpose) in one phase.
pub fn stream(seed: u64, network: u64, trial: u64, phase: Phase, purpose: Purpose) -> Stream {
    let mut key = [0; 32];
    let words = [seed, network, trial, ((phase as u64) << 32) | purpose as u64];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
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
    (0..n)
        .map(|_| {
            let z: f32 = StandardNormal.sample(rng);
            z * sd as f32
        })
        .collect()
}

/// The places among `0..n` at which an event of probability `p` happens, ascending.
///
/// The gaps between events are drawn (geometric, by inversion), so the cost is one draw for each event, not for each place.
pub fn events(rng: &mut Stream, n: usize, p: f64) -> Vec<usize> {
    if p >= 1.0 {
        return (0..n).collect();
    }
    if p <= 0.0 {
        return Vec::new();
    }
    let log_miss = libm::log1p(-p);
    let mut places = Vec::with_capacity((n as f64 * p * 1.2) as usize + 4);
    let mut next = 0usize;
    loop {
        // The host's logarithm may differ between systems by an ulp; libm's own is the same everywhere.
        let gap = libm::log1p(-rng.random::<f64>()) / log_miss;
        // The conversion saturates: a gap beyond every place ends the list.
        next = next.saturating_add(gap as usize);
        if next >= n {
            return places;
        }
        places.push(next);
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        // A change here changes every result: it belongs into the changelog under "Numerically breaking".
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
        let places = events(&mut rng, n, p);
        let mean = n as f64 * p;
        let sd = (mean * (1.0 - p)).sqrt();
        assert!((places.len() as f64 - mean).abs() < 5.0 * sd, "{} events", places.len());
        assert!(places.windows(2).all(|w| w[0] < w[1]));
        // Neighbours of an event are events as often as any other place.
        let adjacent = places.windows(2).filter(|w| w[1] == w[0] + 1).count() as f64;
        let expected = places.len() as f64 * p;
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
