//! Fast weights: a Hebbian matrix H `[N, N]` per trial, indexed [post, pre].
//!
//! First come the equations, one function each: Hebbian plasticity in five stages of increasing complexity, Oja's rule, and
//! retroactive modulation. [`FastWeightPlasticity`] then applies the configured one within a network. Vectors are `[..., N]`,
//! matrices `[..., N, N]`; leading dimensions (networks, trials) are batched. Sources: docs/model.md.

use crate::config::{FastWeightsConfig, Stage};
use candle_core::{Result, Tensor, D};

/// Stage 1, single pairs: Δw = η a b for each pair of a post- and a presynaptic rate, elementwise.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn hebb(eta: f64, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    post.broadcast_mul(pre)? * eta
}

/// Stage 2, a whole layer: ΔH = η a bᵀ, as a batched outer product.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn outer(eta: f64, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    post.unsqueeze(D::Minus1)?.matmul(&pre.unsqueeze(D::Minus2)?)? * eta
}

/// Stage 3, accumulation: H + η a bᵀ.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn accumulate(h: &Tensor, eta: f64, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    h + outer(eta, post, pre)?
}

/// Stage 4, decay: (1 − η) H + η a bᵀ.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn decay(h: &Tensor, eta: f64, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    (h * (1.0 - eta))? + outer(eta, post, pre)?
}

/// Stage 5, neuromodulation: (1 − η) H + η m a bᵀ. `m` has the leading dimensions of H and is negative for punishment.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn modulated(h: &Tensor, eta: f64, m: &Tensor, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    (h * (1.0 - eta))? + outer(eta, &gate(m, post)?, pre)?
}

/// Oja's rule: H + η m (a bᵀ − a² H), row i scaled by a_i² (Oja 1982; as fast weights, Miconi 2018).
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn oja(h: &Tensor, eta: f64, m: &Tensor, post: &Tensor, pre: &Tensor) -> Result<Tensor> {
    let forget = h.broadcast_mul(&gate(m, &post.sqr()?)?.unsqueeze(D::Minus1)?)?;
    h + (outer(eta, &gate(m, post)?, pre)? - (forget * eta)?)?
}

/// Retroactive modulation (Miconi et al. 2019): e ← (1 − η) e + η a bᵀ, then H ← clip(H + m e, ±clip). Returns (H, e).
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn retroactive(
    h: &Tensor,
    eligibility: &Tensor,
    eta: f64,
    m: &Tensor,
    post: &Tensor,
    pre: &Tensor,
    clip_at: f64,
) -> Result<(Tensor, Tensor)> {
    let eligibility = decay(eligibility, eta, post, pre)?;
    let change = eligibility.broadcast_mul(&m.unsqueeze(D::Minus1)?.unsqueeze(D::Minus1)?)?;
    Ok((clip((h + change)?, clip_at)?, eligibility))
}

/// H clipped to ±`bound`; 0: no bound.
///
/// # Errors
/// If shapes do not fit or the device fails.
pub fn clip(h: Tensor, bound: f64) -> Result<Tensor> {
    if bound > 0.0 {
        h.clamp(-bound, bound)
    } else {
        Ok(h)
    }
}

fn gate(m: &Tensor, post: &Tensor) -> Result<Tensor> {
    post.broadcast_mul(&m.unsqueeze(D::Minus1)?)
}

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
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        [("hebbian_trace", &self.h)].into_iter().chain(self.eligibility.as_ref().map(|e| ("eligibility", e)))
    }

    /// Applies `change` to each tensor and its name.
    ///
    /// # Errors
    /// If `change` fails.
    pub fn map(&self, mut change: impl FnMut(&'static str, &Tensor) -> Result<Tensor>) -> Result<Self> {
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

    /// H = 0 for trials of which `like` `[S, B, N]` is a state variable.
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
        let (post, pre) = self.config.association.pair(before, after);
        let (eta, h) = (self.config.eta, &state.h);
        let h = match self.config.stage {
            Stage::None => h.clone(),
            // Pair by pair: a column times a row, elementwise.
            Stage::Hebb => hebb(eta, &post.unsqueeze(D::Minus1)?, &pre.unsqueeze(D::Minus2)?)?,
            Stage::Outer => outer(eta, post, pre)?,
            Stage::Accumulate => accumulate(h, eta, post, pre)?,
            Stage::Decay => decay(h, eta, post, pre)?,
            Stage::Modulated => modulated(h, eta, m, post, pre)?,
            Stage::Oja => oja(h, eta, m, post, pre)?,
            Stage::Retroactive => {
                let Some(eligibility) = &state.eligibility else {
                    candle_core::bail!("retroactive fast weights have no eligibility")
                };
                let (h, e) = retroactive(h, eligibility, eta, m, post, pre, self.config.clip)?;
                return Ok(FastWeights { h, eligibility: Some(e) });
            }
        };
        Ok(FastWeights { h: clip(h, self.config.clip)?, eligibility: None })
    }
}

#[cfg(test)]
mod tests {
    //! Hand-worked numbers: a = (1, 2), b = (3, −1), η = 0.5, H = [[4, 8], [−2, 6]], m = −2.
    use super::*;
    use crate::config::Association;
    use candle_core::Device;

    fn tensor(values: impl candle_core::NdArray) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }
    fn post() -> Tensor {
        tensor(&[1f64, 2.0])
    }
    fn pre() -> Tensor {
        tensor(&[3f64, -1.0])
    }
    fn values(t: Tensor) -> Vec<f64> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn each_equation_by_hand() {
        let (a, b, m) = (&post(), &pre(), &tensor(-2f64));
        let h = &tensor(&[[4f64, 8.0], [-2.0, 6.0]]);
        for (equation, found, expected) in [
            ("hebb", hebb(0.5, a, b), vec![1.5, -1.0]),
            ("outer", outer(0.5, a, b), vec![1.5, -0.5, 3.0, -1.0]),
            ("accumulate", accumulate(h, 0.5, a, b), vec![5.5, 7.5, 1.0, 5.0]),
            ("decay", decay(h, 0.5, a, b), vec![3.5, 3.5, 2.0, 2.0]),
            ("modulated", modulated(h, 0.5, m, a, b), vec![-1.0, 5.0, -7.0, 5.0]),
            // η m = −1; a bᵀ − a² H = [[3−4, −1−8], [6+8, −2−24]] = [[−1, −9], [14, −26]].
            ("oja", oja(h, 0.5, m, a, b), vec![5.0, 17.0, -16.0, 32.0]),
        ] {
            assert_eq!(values(found.unwrap()), expected, "{equation}");
        }
        let e = tensor(&[[2f64, 0.0], [0.0, -4.0]]);
        let (h, e) = retroactive(h, &e, 0.5, m, a, b, 9.0).unwrap();
        assert_eq!(values(e), [2.5, -0.5, 3.0, -3.0]);
        assert_eq!(values(h), [-1.0, 9.0, -8.0, 9.0]);
    }

    #[test]
    fn each_association_reads_post_then_pre() {
        let like = Tensor::zeros((1, 1, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        let one = Tensor::ones((1, 1), candle_core::DType::F64, &Device::Cpu).unwrap();
        let (before, after) = (post().reshape((1, 1, 2)).unwrap(), pre().reshape((1, 1, 2)).unwrap());
        let run = |association| {
            let config = FastWeightsConfig {
                stage: Stage::Accumulate,
                association,
                alpha: 2.0,
                eta: 1.0,
                ..FastWeightsConfig::default()
            };
            let plasticity = FastWeightPlasticity::new(&config).unwrap();
            let state = plasticity.update(&plasticity.zero(&like).unwrap(), &before, &after, &one).unwrap();
            let drive = plasticity.drive(&state, &before).unwrap().unwrap();
            (values(state.h), values(drive))
        };
        // before = (1, 2), after = (3, −1); drive = 2 H before.
        assert_eq!(run(Association::Auto), (vec![1.0, 2.0, 2.0, 4.0], vec![10.0, 20.0]));
        assert_eq!(run(Association::PostPre), (vec![3.0, 6.0, -1.0, -2.0], vec![30.0, -10.0]));
        assert_eq!(run(Association::PrePost), (vec![3.0, -1.0, 6.0, -2.0], vec![2.0, 4.0]));
    }
}
