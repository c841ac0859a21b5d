//! The weights of one network in the layout that the kernels read.

use super::rows::{AddRows, AddRowsToLanes, Dots};
use super::Plan;
use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, Strides};
use crate::model::Weights;
use candle_core::{Result, Tensor};

/// The weights of one network, with rows of neurons padded to `width`.
pub(super) struct Network {
    /// `[N pre, width post]`, so that a product with rates `[trials, width]` reads along its rows.
    w_rec_t: Aligned,
    /// `[N post, width pre]`, for gradients.
    w_rec: Option<Aligned>,
    /// `[n_in, width]`.
    w_in_t: Aligned,
    /// `[width]`.
    b_rec: Option<Aligned>,
    /// w_out `[n_out, width]` and b_out `[n_out]`.
    readout: Option<(Aligned, Vec<f32>)>,
    /// w_fb, `[n_out, width]`.
    w_fb_t: Option<Aligned>,
    /// F, `[n_out, width]`.
    error_feedback_t: Option<Aligned>,
}

impl Network {
    /// The weights of the `k`-th network.
    pub(super) fn new(weights: &Weights, k: usize, plan: &Plan) -> Result<Self> {
        let (n, width) = (plan.n, plan.width);
        let padded = |weight: &Tensor| -> Result<Aligned> {
            let values = weight.flatten_all()?.to_vec1::<f32>()?;
            let mut padded = zeros(values.len() / n * width);
            for (padded, row) in padded.chunks_exact_mut(width).zip(values.chunks_exact(n)) {
                padded[..n].copy_from_slice(row);
            }
            Ok(padded)
        };
        let transposed = |w: &Option<Tensor>| w.as_ref().map(|w| padded(&w.get(k)?.t()?.contiguous()?)).transpose();
        let readout = weights.w_out.as_ref().zip(weights.b_out.as_ref());
        Ok(Network {
            w_rec_t: padded(&weights.w_rec.get(k)?.t()?.contiguous()?)?,
            w_rec: plan.differentiates().then(|| padded(&weights.w_rec.get(k)?)).transpose()?,
            w_in_t: padded(&weights.w_in.get(k)?.t()?.contiguous()?)?,
            b_rec: weights.b_rec.as_ref().map(|b| padded(&b.get(k)?)).transpose()?,
            readout: readout
                .map(|(w_out, b_out)| Ok::<_, candle_core::Error>((padded(&w_out.get(k)?)?, b_out.get(k)?.to_vec1()?)))
                .transpose()?,
            w_fb_t: transposed(&weights.w_fb)?,
            error_feedback_t: transposed(&weights.error_feedback)?,
        })
    }

    /// Whether the output is fed back.
    pub(super) fn feeds_back(&self) -> bool {
        self.w_fb_t.is_some()
    }

    /// drive ← drive + w_fb z, with z `[n_out]`.
    pub(super) fn feed_back(&self, plan: &Plan, z: &[f32], drive: &mut [f32]) {
        if let Some(w_fb) = &self.w_fb_t {
            plan.arch.dispatch(AddRows(drive, w_fb, z));
        }
    }

    /// fed ← F ε, with ε `[n_out]`.
    pub(super) fn error_feedback(&self, plan: &Plan, errors: &[f32], fed: &mut [f32]) {
        fed.fill(0.0);
        if let Some(feedback) = &self.error_feedback_t {
            plan.arch.dispatch(AddRows(fed, feedback, errors));
        }
    }

    /// drive ← w_rec r, for rates and drives `[trials, width]`.
    pub(super) fn recurrent_drive(&self, plan: &Plan, trials: usize, r: &[f32], drive: &mut [f32]) {
        rows_times(plan, trials, r, &self.w_rec_t, drive);
    }

    /// g ← w_recᵀ d, for gradients with respect to drives and rates `[trials, width]`.
    pub(super) fn back_through_recurrence(&self, plan: &Plan, trials: usize, d: &[f32], g: &mut [f32]) {
        if let Some(w_rec) = &self.w_rec {
            rows_times(plan, trials, d, w_rec, g);
        }
    }

    /// g ← g + the gradient with respect to the rates of one trial, `[width]`, from that with respect to the outputs, `[n_out]`.
    pub(super) fn back_through_output(&self, plan: &Plan, slopes: &[f32], g: &mut [f32]) {
        if slopes.iter().all(|slope| *slope == 0.0) {
            return;
        }
        match &self.readout {
            None => slopes.iter().zip(&plan.output_neurons).for_each(|(slope, &neuron)| g[neuron] += slope),
            Some((w_out, _)) => plan.arch.dispatch(AddRows(g, w_out, slopes)),
        }
    }

    /// drive ← w_rec r + w_in u + b of several episodes, with rates and drives `[lanes, width]` and inputs `[lanes, n_in]`. What a
    /// lane gets does not depend on the others.
    pub(super) fn drive_lanes(&self, plan: &Plan, r: &[f32], inputs: &[f32], drive: &mut [f32]) {
        match &self.b_rec {
            Some(bias) => drive.chunks_exact_mut(plan.width).for_each(|drive| drive.copy_from_slice(bias)),
            None => drive.fill(0.0),
        }
        let width = plan.width;
        plan.arch.dispatch(AddRowsToLanes { drive, width, rows: &self.w_in_t, scales: inputs, stride: plan.n_in });
        plan.arch.dispatch(AddRowsToLanes { drive, width, rows: &self.w_rec_t, scales: r, stride: width });
    }

    /// drive ← w_in u + b at a step of one trial with `inputs` `[T, n_in]`. Recomputed only when u changes.
    pub(super) fn input_drive(&self, plan: &Plan, inputs: &[f32], step: usize, drive: &mut [f32]) {
        let n_in = plan.n_in;
        let now = &inputs[step * n_in..(step + 1) * n_in];
        if step > 0 && now == &inputs[(step - 1) * n_in..step * n_in] {
            return;
        }
        match &self.b_rec {
            Some(bias) => drive.copy_from_slice(bias),
            None => drive.fill(0.0),
        }
        for (weights, u) in self.w_in_t.chunks_exact(plan.width).zip(now).filter(|(_, u)| **u != 0.0) {
            plan.arch.dispatch(AddRows(drive, weights, &[*u]));
        }
    }

    /// The output of one trial at firing rates `r`, `[n_out]`: the rates of the output neurons, or w_out r + b_out +
    /// noise.
    pub(super) fn output(&self, plan: &Plan, r: &[f32], noise: &[f32], output: &mut [f32]) {
        match &self.readout {
            None => output.iter_mut().zip(&plan.output_neurons).for_each(|(z, &neuron)| *z = r[neuron]),
            Some((w_out, b_out)) => {
                plan.arch.dispatch(Dots(output, w_out, r));
                for (k, z) in output.iter_mut().enumerate() {
                    *z += b_out[k];
                    *z += noise.get(k).copied().unwrap_or(0.0);
                }
            }
        }
    }
}

/// out ← v m, for vectors `[trials, width]` and a matrix `[N, width]`.
fn rows_times(plan: &Plan, trials: usize, v: &[f32], matrix: &[f32], out: &mut [f32]) {
    let along = Strides { rows: plan.width, columns: 1 };
    match trials {
        // A blocked matrix product gains nothing for a single row.
        1 => {
            out.fill(0.0);
            plan.arch.dispatch(AddRows(out, matrix, &v[..plan.n]));
        }
        _ => product((trials, plan.width, plan.n), (out, along), false, (v, along), (matrix, along)),
    }
}
