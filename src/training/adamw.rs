//! Step 4 of an update by gradient: AdamW (Kingma & Ba 2015; Loshchilov & Hutter 2019, Algorithm 2).
//!
//! candle_nn's AdamW does not expose its moments, so a run that used it could not be resumed from a checkpoint. A test compares
//! the two implementations.

use super::change::network_means;
use super::update::Change;
use crate::config::{BpttConfig, Config};
use crate::engine::Gradients;
use crate::model::{signed, Weights};
use candle_core::{DType, Device, Result, Tensor};
use std::collections::BTreeMap;

/// The weights that can learn, with the names of their first and second moments (running means of g and g²).
const NAMES: [(&str, [&str; 2]); 6] = [
    ("w_rec", ["adam_m_w_rec", "adam_v_w_rec"]),
    ("w_in", ["adam_m_w_in", "adam_v_w_in"]),
    ("b_rec", ["adam_m_b_rec", "adam_v_b_rec"]),
    ("w_out", ["adam_m_w_out", "adam_v_w_out"]),
    ("b_out", ["adam_m_b_out", "adam_v_b_out"]),
    ("w_fb", ["adam_m_w_fb", "adam_v_w_fb"]),
];

/// The names of the moments of `weight`, if it can learn.
pub(crate) fn moment_names(weight: &str) -> Option<[&'static str; 2]> {
    NAMES.iter().find(|(name, _)| *name == weight).map(|(_, moments)| *moments)
}

/// Makes the `t`-th update, from 1. The gradient of each network is clipped by its own norm, and everything else is
/// elementwise, so no network depends on another.
pub(super) fn step(
    config: &Config,
    t: u64,
    weights: &Weights,
    moments: &BTreeMap<&'static str, Tensor>,
    gradients: &Gradients,
) -> Result<(Weights, BTreeMap<&'static str, Tensor>, Vec<Change>)> {
    let norms = norms(gradients)?;
    let limit = config.bptt.gradient_clip;
    let shorten = |norm: &f64| if limit > 0.0 && *norm > limit { limit / norm } else { 1.0 };
    let factors: Vec<f64> = norms.iter().map(shorten).collect();
    let mut after = BTreeMap::new();
    let moved = weights.map(|name, weight| {
        let (Some(gradient), Some([m_name, v_name])) = (gradients.get(name), moment_names(name)) else {
            return Ok(weight.clone());
        };
        let (Some(m), Some(v)) = (moments.get(m_name), moments.get(v_name)) else {
            candle_core::bail!("weight `{name}` learns, but has no moments");
        };
        let mut shape = vec![1; weight.rank()];
        shape[0] = factors.len();
        let factor = Tensor::from_slice(&factors, shape, &Device::Cpu)?.to_dtype(weight.dtype())?;
        let gradient = gradient.broadcast_mul(&factor.to_device(weight.device())?)?;
        let [weight, m, v] = update(&config.bptt, t, &gradient, [weight, m, v])?;
        after.extend([(m_name, m), (v_name, v)]);
        if name == "w_rec" && config.network.dale {
            return signed(&weight, config.network.excitatory_neurons());
        }
        Ok(weight)
    })?;
    let means = network_means(&(&moved.w_rec - &weights.w_rec)?.abs()?)?;
    let change = |((mean_abs, factor), norm): ((f64, f64), f64)| Change {
        mean_abs,
        clipped: f64::from(u8::from(factor < 1.0)),
        finite: norm.is_finite(),
    };
    Ok((moved, after, means.into_iter().zip(factors).zip(norms).map(change).collect()))
}

/// The norm of each network's gradient over all its weights.
fn norms(gradients: &Gradients) -> Result<Vec<f64>> {
    let mut squares: Vec<f64> = Vec::new();
    for gradient in gradients.values() {
        let summed: Vec<f64> = gradient.to_dtype(DType::F64)?.sqr()?.flatten_from(1)?.sum(1)?.to_vec1()?;
        squares.resize(summed.len(), 0.0);
        squares.iter_mut().zip(summed).for_each(|(total, square)| *total += square);
    }
    Ok(squares.into_iter().map(f64::sqrt).collect())
}

/// The `t`-th update of one weight and its moments m and v, element by element.
fn update(config: &BpttConfig, t: u64, gradient: &Tensor, [weight, m, v]: [&Tensor; 3]) -> Result<[Tensor; 3]> {
    let BpttConfig { beta1, beta2, epsilon, learning_rate, weight_decay, .. } = *config;
    let m = ((m * beta1)? + (gradient * (1.0 - beta1))?)?;
    let (v, rms) = mean_square(beta2, t, gradient, v)?;
    let direction = (unbiased(beta1, t, &m)? / (rms + epsilon)?)?;
    let weight = ((weight * (1.0 - learning_rate * weight_decay))? - (direction * learning_rate)?)?;
    Ok([weight, m, v])
}

/// The running mean v of a gradient's square after the `t`-th gradient, and the root of v, corrected for the bias that comes
/// from starting at 0.
fn mean_square(decay: f64, t: u64, gradient: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
    let v = ((v * decay)? + (gradient.sqr()? * (1.0 - decay))?)?;
    let rms = unbiased(decay, t, &v)?.sqrt()?;
    Ok((v, rms))
}

/// A running mean of `t` values, corrected for the bias that comes from starting at 0.
fn unbiased(decay: f64, t: u64, mean: &Tensor) -> Result<Tensor> {
    mean * (1.0 / (1.0 - libm::pow(decay, t as f64)))
}

/// Divides the `t`-th change of a weight by the root mean square of its changes so far. Their running mean square is one
/// of the `moments`.
pub(super) fn over_rms(
    decay: f64,
    t: u64,
    weight: &str,
    change: &Tensor,
    moments: &mut BTreeMap<&'static str, Tensor>,
) -> Result<Tensor> {
    let mean = moment_names(weight).and_then(|[_, v]| moments.get_mut(v));
    let Some(v) = mean else { candle_core::bail!("weight `{weight}` learns, but has no moment") };
    let (after, rms) = mean_square(decay, t, change, v)?;
    *v = after;
    change / (rms + SMALLEST)?
}

/// Added to a root mean square before dividing by it, since it can be 0.
const SMALLEST: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    #[test]
    fn it_is_the_adamw_of_candle_nn() {
        let config = BpttConfig {
            learning_rate: 0.03,
            weight_decay: 0.1,
            beta1: 0.8,
            beta2: 0.95,
            epsilon: 1e-6,
            ..BpttConfig::default()
        };
        let start = Tensor::new(&[0.5f64, -2.0, 0.0, 3.0], &Device::Cpu).unwrap();
        let target = Tensor::new(&[1.0f64, 1.0, 1.0, 1.0], &Device::Cpu).unwrap();
        let variable = Var::from_tensor(&start).unwrap();
        let parameters = ParamsAdamW {
            lr: config.learning_rate,
            beta1: config.beta1,
            beta2: config.beta2,
            eps: config.epsilon,
            weight_decay: config.weight_decay,
        };
        let mut theirs = AdamW::new(vec![variable.clone()], parameters).unwrap();
        let zero = start.zeros_like().unwrap();
        let mut ours = [start, zero.clone(), zero];
        for t in 1..=50 {
            let loss = (variable.as_tensor() - &target).unwrap().powf(4.0).unwrap().sum_all().unwrap();
            theirs.backward_step(&loss).unwrap();
            // The derivative of (w − 1)⁴.
            let gradient = ((&ours[0] - &target).unwrap().powf(3.0).unwrap() * 4.0).unwrap();
            ours = update(&config, t, &gradient, ours.each_ref()).unwrap();
            let (ours, theirs) = (ours[0].to_vec1::<f64>().unwrap(), variable.to_vec1::<f64>().unwrap());
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-12), "{t}: {ours:?} {theirs:?}");
        }
    }

    /// Against plain loops.
    #[test]
    fn changes_are_divided_by_their_running_size() {
        let mut moments = BTreeMap::from([("adam_v_w_out", Tensor::zeros(2, DType::F64, &Device::Cpu).unwrap())]);
        let (decay, mut mean) = (0.75f64, [0.0; 2]);
        for t in 1..=20i32 {
            let change = [f64::from(t % 3) - 1.0, 0.0];
            let tensor = Tensor::new(&change, &Device::Cpu).unwrap();
            let found: Vec<f64> = over_rms(decay, t as u64, "w_out", &tensor, &mut moments).unwrap().to_vec1().unwrap();
            for k in 0..2 {
                mean[k] = decay * mean[k] + (1.0 - decay) * change[k] * change[k];
                let rms = (mean[k] / (1.0 - decay.powi(t))).sqrt();
                let expected = if change[k] == 0.0 { 0.0 } else { change[k] / rms };
                assert!((found[k] - expected).abs() < 1e-9, "{t}: {found:?} {expected}");
            }
        }
    }

    #[test]
    fn gradients_are_shortened_network_by_network() {
        let tensor = |values: &[f64], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
        let gradients = Gradients::from([
            ("w_rec", tensor(&[3.0, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0], &[2, 2, 2])),
            ("b_out", tensor(&[4.0, 0.4], &[2, 1])),
        ]);
        let found = norms(&gradients).unwrap();
        assert!((found[0] - 5.0).abs() < 1e-12 && (found[1] - 0.5).abs() < 1e-12, "{found:?}");
    }
}
