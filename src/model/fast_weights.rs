//! Fast weights: a Hebbian matrix H `[N, N]` per trial, indexed [post, pre] (docs/model.md, "Fast weights").

use crate::config::{FastWeightsConfig, Stage};
use candle_core::{Result, Tensor, D};

/// The fast weights of a batch of trials.
#[derive(Clone, Debug)]
pub struct FastWeights {
    /// H, `[S, B, N, N]`.
    pub h: Tensor,
    /// e, the eligibility of retroactive modulation, `[S, B, N, N]`.
    pub eligibility: Option<Tensor>,
}

impl FastWeights {
    /// All tensors with their names in a checkpoint.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        [("hebbian_trace", &self.h)].into_iter().chain(self.eligibility.as_ref().map(|e| ("eligibility", e)))
    }

    /// Applies `change` to each tensor and its name.
    pub(crate) fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(FastWeights {
            h: change("hebbian_trace", &self.h)?,
            eligibility: self.eligibility.as_ref().map(|e| change("eligibility", e)).transpose()?,
        })
    }
}

/// The plasticity and effect of fast weights, as configured.
#[derive(Clone, Debug)]
pub(crate) struct FastWeightPlasticity {
    config: FastWeightsConfig,
}

impl FastWeightPlasticity {
    /// `None` if the configuration has no fast weights.
    pub fn new(config: &FastWeightsConfig) -> Option<Self> {
        (config.stage != Stage::None).then(|| FastWeightPlasticity { config: config.clone() })
    }

    /// H = 0, for trials with a state variable shaped like `like` `[S, B, N]`.
    pub fn zero(&self, like: &Tensor) -> Result<FastWeights> {
        let (s, b, n) = like.dims3()?;
        let zeros = || Tensor::zeros((s, b, n, n), like.dtype(), like.device());
        let eligibility = (self.config.stage == Stage::Retroactive).then(zeros).transpose()?;
        Ok(FastWeights { h: zeros()?, eligibility })
    }

    /// α H r, `[S, B, N]`; `None` if α is 0.
    pub fn drive(&self, state: &FastWeights, r: &Tensor) -> Result<Option<Tensor>> {
        if self.config.alpha == 0.0 {
            return Ok(None);
        }
        let product = state.h.matmul(&r.unsqueeze(D::Minus1)?)?.squeeze(D::Minus1)?;
        Ok(Some((product * self.config.alpha)?))
    }

    /// H after a step from rates `before` to rates `after`, both `[S, B, N]`, with modulator `m` `[S, B]`.
    pub fn update(&self, state: &FastWeights, before: &Tensor, after: &Tensor, m: &Tensor) -> Result<FastWeights> {
        let (a, b) = self.config.association.pair(before, after);
        let (h, eta) = (&state.h, self.config.eta);
        let column = |post: &Tensor| post.unsqueeze(D::Minus1);
        let row = b.unsqueeze(D::Minus2)?;
        // η a bᵀ, m a, and (1 − η) H.
        let outer = |post: &Tensor| column(post)?.matmul(&row)? * eta;
        let modulated = |post: &Tensor| post.broadcast_mul(&column(m)?);
        let decayed = |h: &Tensor| h * (1.0 - eta);
        let mut eligibility = None;
        let h = match self.config.stage {
            Stage::None => h.clone(),
            Stage::Hebb => (column(a)?.broadcast_mul(&row)? * eta)?,
            Stage::Outer => outer(a)?,
            Stage::Accumulate => (h + outer(a)?)?,
            Stage::Decay => (decayed(h)? + outer(a)?)?,
            Stage::Modulated => (decayed(h)? + outer(&modulated(a)?)?)?,
            Stage::Oja => {
                let forgotten = h.broadcast_mul(&column(&modulated(&a.sqr()?)?)?)?;
                (h + (outer(&modulated(a)?)? - (forgotten * eta)?)?)?
            }
            Stage::Retroactive => {
                let Some(e) = &state.eligibility else {
                    candle_core::bail!("retroactive fast weights have no eligibility")
                };
                let e = eligibility.insert((decayed(e)? + outer(a)?)?);
                (h + e.broadcast_mul(&column(&column(m)?)?)?)?
            }
        };
        let h = if self.config.clip > 0.0 { h.clamp(-self.config.clip, self.config.clip)? } else { h };
        Ok(FastWeights { h, eligibility })
    }
}

#[cfg(test)]
mod tests {
    //! Hand-worked numbers: a = (1, 2), b = (3, −1), η = 0.5, H = [[4, 8], [−2, 6]], m = −2.
    use super::*;
    use crate::config::Association;
    use candle_core::Device;

    fn tensor<const N: usize>(values: [f64; N], shape: &[usize]) -> Tensor {
        Tensor::new(&values, &Device::Cpu).unwrap().reshape(shape).unwrap()
    }
    fn values(t: Tensor) -> Vec<f64> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn each_stage_by_hand() {
        let (a, b, m) = (tensor([1.0, 2.0], &[1, 1, 2]), tensor([3.0, -1.0], &[1, 1, 2]), tensor([-2.0], &[1, 1]));
        let before = FastWeights {
            h: tensor([4.0, 8.0, -2.0, 6.0], &[1, 1, 2, 2]),
            eligibility: Some(tensor([2.0, 0.0, 0.0, -4.0], &[1, 1, 2, 2])),
        };
        let updated = |stage, clip| {
            let association = Association::PrePost;
            let config = FastWeightsConfig { stage, association, eta: 0.5, clip, ..FastWeightsConfig::default() };
            FastWeightPlasticity::new(&config).unwrap().update(&before, &a, &b, &m).unwrap()
        };
        for (stage, expected) in [
            (Stage::Hebb, [1.5, -0.5, 3.0, -1.0]),
            (Stage::Outer, [1.5, -0.5, 3.0, -1.0]),
            (Stage::Accumulate, [5.5, 7.5, 1.0, 5.0]),
            (Stage::Decay, [3.5, 3.5, 2.0, 2.0]),
            (Stage::Modulated, [-1.0, 5.0, -7.0, 5.0]),
            // η m = −1; a bᵀ − a² H = [[3−4, −1−8], [6+8, −2−24]] = [[−1, −9], [14, −26]].
            (Stage::Oja, [5.0, 17.0, -16.0, 32.0]),
        ] {
            assert_eq!(values(updated(stage, 0.0).h), expected, "{stage:?}");
        }
        let retroactive = updated(Stage::Retroactive, 9.0);
        assert_eq!(values(retroactive.eligibility.unwrap()), [2.5, -0.5, 3.0, -3.0]);
        assert_eq!(values(retroactive.h), [-1.0, 9.0, -8.0, 9.0]);
    }

    #[test]
    fn each_association_reads_post_then_pre() {
        let (before, after) = (tensor([1.0, 2.0], &[1, 1, 2]), tensor([3.0, -1.0], &[1, 1, 2]));
        let run = |association| {
            let config = FastWeightsConfig {
                stage: Stage::Accumulate,
                association,
                alpha: 2.0,
                eta: 1.0,
                ..FastWeightsConfig::default()
            };
            let plasticity = FastWeightPlasticity::new(&config).unwrap();
            let zero = plasticity.zero(&before).unwrap();
            let state = plasticity.update(&zero, &before, &after, &tensor([1.0], &[1, 1])).unwrap();
            let drive = plasticity.drive(&state, &before).unwrap().unwrap();
            (values(state.h), values(drive))
        };
        // before = (1, 2), after = (3, −1); drive = 2 H before.
        assert_eq!(run(Association::Auto), (vec![1.0, 2.0, 2.0, 4.0], vec![10.0, 20.0]));
        assert_eq!(run(Association::PostPre), (vec![3.0, 6.0, -1.0, -2.0], vec![30.0, -10.0]));
        assert_eq!(run(Association::PrePost), (vec![3.0, -1.0, 6.0, -2.0], vec![2.0, 4.0]));
    }
}
