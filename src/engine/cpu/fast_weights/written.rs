//! The fast weights of one trial as a matrix. One pass per step applies the last step's change and reads H r.
//!
//! Every stage but the retroactive one is H_ij ← keep_i H_ij + gain a_i b_j, followed by a clip; in the retroactive
//! stage this is e, and H accumulates m e.

use super::super::rows::{add_scaled, splat};
use super::Matrices;
use crate::config::{FastWeightsConfig, Stage};
use crate::engine::eligibility::{zeros, Aligned};
use pulp::{Arch, Simd, WithSimd};

/// H (or e), and the change that the next pass will apply.
pub(super) struct Written<'a> {
    config: &'a FastWeightsConfig,
    of: Matrices<&'a mut [f32]>,
    keep: Aligned,
    gain_a: Aligned,
    b: Aligned,
    m: f32,
    pending: bool,
    /// Whether H may be nonzero.
    nonzero: bool,
}

impl<'a> Written<'a> {
    /// `given` says whether H may start nonzero.
    pub(super) fn new(config: &'a FastWeightsConfig, width: usize, given: bool, of: Matrices<&'a mut [f32]>) -> Self {
        let row = || zeros(width);
        Written { config, of, keep: row(), gain_a: row(), b: row(), m: 1.0, pending: false, nonzero: given }
    }

    /// Plans the change by η m a bᵀ.
    pub(super) fn plan(&mut self, a: &[f32], b: &[f32], m: f32) {
        let eta = self.config.eta as f32;
        let gain = match self.config.stage {
            Stage::Modulated | Stage::Oja => eta * m,
            _ => eta,
        };
        for (gain_a, a) in self.gain_a.iter_mut().zip(a) {
            *gain_a = gain * a;
        }
        match self.config.stage {
            Stage::Hebb | Stage::Outer => self.keep.fill(0.0),
            Stage::Decay | Stage::Modulated | Stage::Retroactive => self.keep.fill(1.0 - eta),
            Stage::Oja => self.keep.iter_mut().zip(a).for_each(|(keep, a)| *keep = 1.0 - gain * a * a),
            Stage::Accumulate | Stage::None => self.keep.fill(1.0),
        }
        self.b.copy_from_slice(b);
        self.m = m;
        (self.pending, self.nonzero) = (true, true);
    }

    /// Applies the planned change and adds α H r to `drive`; with an empty `r`, only applies the change.
    pub(super) fn pass(&mut self, arch: Arch, r: &[f32], drive: &mut [f32]) {
        if self.nonzero {
            arch.dispatch(Pass { written: self, r, drive });
            self.pending = false;
        }
    }

    /// Applies the change planned by the last step of a trial.
    pub(super) fn finish(&mut self, arch: Arch) -> &Matrices<&'a mut [f32]> {
        if self.pending {
            self.pass(arch, &[], &mut []);
        }
        &self.of
    }
}

struct Pass<'p, 'a> {
    written: &'p mut Written<'a>,
    r: &'p [f32],
    drive: &'p mut [f32],
}

impl WithSimd for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Pass { written: Written { config, of, keep, gain_a, b, m, pending, .. }, r, drive } = self;
        let Matrices { h, e } = of;
        let w = keep.len();
        let (alpha, clip) = (config.alpha as f32, config.clip as f32);
        let reads = alpha != 0.0 && !r.is_empty();
        let mut done = 0;
        if *pending && reads && clip == 0.0 && e.is_empty() {
            for (h, j) in h.chunks_exact_mut(4 * w).zip((0..).step_by(4)) {
                let scales = [alpha * r[j], alpha * r[j + 1], alpha * r[j + 2], alpha * r[j + 3]];
                change_and_add_four(simd, h, [keep, gain_a], [b[j], b[j + 1], b[j + 2], b[j + 3]], drive, scales);
                done = j + 4;
            }
        }
        for j in done..h.len() / w {
            let h = &mut h[j * w..(j + 1) * w];
            if *pending {
                if e.is_empty() {
                    change(simd, h, keep, gain_a, b[j]);
                } else {
                    let e = &mut e[j * w..(j + 1) * w];
                    change(simd, e, keep, gain_a, b[j]);
                    add_scaled(simd, h, e, *m);
                }
                if clip > 0.0 {
                    h.iter_mut().for_each(|h| *h = h.clamp(-clip, clip));
                }
            }
            if reads {
                add_scaled(simd, drive, h, alpha * r[j]);
            }
        }
    }
}

/// h ← keep h + gain_a · b, elementwise along the postsynaptic neurons.
#[inline(always)]
fn change<S: Simd>(simd: S, h: &mut [f32], keep: &[f32], gain_a: &[f32], b: f32) {
    let (h, _) = S::as_mut_simd_f32s(h);
    let ((keep, _), (gain_a, _)) = (S::as_simd_f32s(keep), S::as_simd_f32s(gain_a));
    let b = simd.splat_f32s(b);
    for ((h, keep), gain_a) in h.iter_mut().zip(keep).zip(gain_a) {
        *h = simd.mul_add_e_f32s(*gain_a, b, simd.mul_f32s(*keep, *h));
    }
}

/// [`change`] and [`add_scaled`] for four rows at once, so that keep, gain_a and the drive are loaded only once.
#[inline(always)]
fn change_and_add_four<S: Simd>(
    simd: S,
    h: &mut [f32],
    [keep, gain_a]: [&[f32]; 2],
    b: [f32; 4],
    drive: &mut [f32],
    scales: [f32; 4],
) {
    let ((h, _), (drive, _)) = (S::as_mut_simd_f32s(h), S::as_mut_simd_f32s(drive));
    let w = drive.len();
    let (keep, gain_a) = (&S::as_simd_f32s(keep).0[..w], &S::as_simd_f32s(gain_a).0[..w]);
    let (h01, h23) = h.split_at_mut(2 * w);
    let ((h0, h1), (h2, h3)) = (h01.split_at_mut(w), h23.split_at_mut(w));
    let rows = [&mut h0[..w], &mut h1[..w], &mut h2[..w], &mut h3[..w]];
    let (b, scales) = (splat(simd, b), splat(simd, scales));
    for i in 0..w {
        let (mut sum, keep, gain_a) = (drive[i], keep[i], gain_a[i]);
        for k in 0..4 {
            let h = simd.mul_add_e_f32s(gain_a, b[k], simd.mul_f32s(keep, rows[k][i]));
            rows[k][i] = h;
            sum = simd.mul_add_e_f32s(h, scales[k], sum);
        }
        drive[i] = sum;
    }
}
