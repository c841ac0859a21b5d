//! The Hebbian trace of one trial, fused: one pass over H a step, which applies the last step's change and reads H r.
//!
//! Every stage but the retroactive form is H_ij ← keep_i H_ij + gain a_i b_j, then a clip. H is held transposed,
//! `[pre, post]`, so that the pass runs along whole vectors of postsynaptic neurons. The twin is [`crate::trace`].

use crate::config::{Association, Stage, TraceConfig};
use crate::ops::cpu::Aligned;
use pulp::{Simd, WithSimd};

/// The configured trace of a trial, and the change that the next pass will apply.
pub(super) struct Trace<'a> {
    config: &'a TraceConfig,
    n: usize,
    keep: Aligned,
    gain_a: Aligned,
    b: Aligned,
    pending: bool,
    /// Whether H may differ from zero.
    stirred: bool,
}

impl<'a> Trace<'a> {
    /// `given`: H does not start at zero.
    pub fn new(config: &'a TraceConfig, n: usize, width: usize, given: bool) -> Self {
        let zeros = || super::zeros(width);
        Trace { config, n, keep: zeros(), gain_a: zeros(), b: zeros(), pending: false, stirred: given }
    }

    /// Plans the change after a step from rates `before` to `after` under neuromodulator `m`.
    pub fn plan(&mut self, before: &[f32], after: &[f32], m: f32) {
        let (a, b) = match self.config.association {
            Association::Auto => (before, before),
            Association::PostPre => (after, before),
            Association::PrePost => (before, after),
        };
        let eta = self.config.eta as f32;
        let gain = match self.config.stage {
            Stage::Modulated | Stage::Oja => eta * m,
            _ => eta,
        };
        for (i, a) in a.iter().enumerate() {
            self.gain_a[i] = gain * a;
            self.keep[i] = match self.config.stage {
                Stage::Hebb | Stage::Outer => 0.0,
                Stage::Decay | Stage::Modulated => 1.0 - eta,
                Stage::Oja => 1.0 - gain * a * a,
                _ => 1.0,
            };
        }
        self.b.copy_from_slice(b);
        (self.pending, self.stirred) = (true, true);
    }

    /// Applies what is planned to `h` `[N pre, width post]` and adds α H r to `drive`.
    pub fn pass(&mut self, arch: pulp::Arch, h: &mut [f32], r: &[f32], drive: &mut [f32]) {
        if self.stirred {
            arch.dispatch(Pass { trace: self, h, r: Some(r), drive });
            self.pending = false;
        }
    }

    /// Applies what is planned: the last step of a trial.
    pub fn finish(&mut self, arch: pulp::Arch, h: &mut [f32]) {
        if self.pending {
            arch.dispatch(Pass { trace: self, h, r: None, drive: &mut [] });
            self.pending = false;
        }
    }
}

struct Pass<'a, 'b> {
    trace: &'a Trace<'b>,
    h: &'a mut [f32],
    r: Option<&'a [f32]>,
    drive: &'a mut [f32],
}

impl WithSimd for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Trace { config, n, keep, gain_a, b, pending, .. } = self.trace;
        let width = keep.len();
        let (alpha, clip) = (config.alpha as f32, config.clip as f32);
        for (j, h) in self.h.chunks_exact_mut(width).take(*n).enumerate() {
            if *pending {
                change(h, keep, gain_a, b[j]);
                if clip > 0.0 {
                    h.iter_mut().for_each(|h| *h = h.clamp(-clip, clip));
                }
            }
            match self.r {
                Some(r) if alpha != 0.0 => add_scaled(self.drive, h, alpha * r[j]),
                _ => {}
            }
        }
    }
}

/// h ← keep h + gain_a · b, elementwise along the postsynaptic neurons.
#[inline(always)]
fn change(h: &mut [f32], keep: &[f32], gain_a: &[f32], b: f32) {
    let w = h.len();
    let (keep, gain_a) = (&keep[..w], &gain_a[..w]);
    for i in 0..w {
        h[i] = keep[i] * h[i] + gain_a[i] * b;
    }
}

/// drive ← drive + h · scale.
#[inline(always)]
pub(super) fn add_scaled(drive: &mut [f32], h: &[f32], scale: f32) {
    let w = drive.len();
    let h = &h[..w];
    for i in 0..w {
        drive[i] += h[i] * scale;
    }
}
