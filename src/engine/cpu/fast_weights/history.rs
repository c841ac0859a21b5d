//! The fast weights of one trial as the list of their changes.
//!
//! Without clipping, every stage is linear in H, so H(t) = K(t) H₀ + Σ_s c_s(t) a_s b_sᵀ, and α H r = α K(t) (H₀ r) +
//! Σ_s α c_s(t) a_s (b_s · r): two thin products over the list. This is the identity behind linear attention (Schlag et
//! al. 2021). Once the list is long, one matrix product folds it into H₀.

use super::super::rows::{add_rows, add_scaled, dots};
use super::form::Chunks;
use super::Matrices;
use crate::config::{FastWeightsConfig, Stage};
use crate::engine::eligibility::{zeros, Aligned};
use crate::engine::{product, Strides};
use pulp::{Arch, Simd, WithSimd};

/// The list, and how H₀ (and e₀) have decayed since it was last folded.
pub(super) struct History<'a> {
    config: &'a FastWeightsConfig,
    /// H₀ and e₀; empty where the list is never folded.
    of: Matrices<&'a mut [f32]>,
    width: usize,
    later: usize,
    /// The length at which the list is folded.
    capacity: usize,
    /// a_s, `[capacity, width]`; for Oja's rule, already scaled by the forgetting since step s.
    post: Aligned,
    /// b_s, `[capacity, width]`.
    pre: Aligned,
    /// c_s.
    c: Vec<f32>,
    /// The coefficient of a_s b_sᵀ in e, for the retroactive form.
    d: Vec<f32>,
    /// K(t), where it is the same for all neurons.
    keep_h: f32,
    /// K(t) of each postsynaptic neuron, for Oja's rule, whose forgetting depends on that neuron; otherwise empty.
    keep_each: Aligned,
    /// H = … + from_e e₀, for the retroactive form.
    from_e: f32,
    /// e = keep_e e₀ + …
    keep_e: f32,
    /// Whether H₀ or e₀ may be nonzero.
    nonzero: bool,
}

/// Scratch memory for a read, shared by all trials.
pub(super) struct Scratch {
    /// α c_s (b_s · r).
    weights: Vec<f32>,
    /// H₀ r and e₀ r.
    product: Aligned,
}

impl Scratch {
    /// For lists of up to `longest` entries and rows of length `width`.
    pub(super) fn new(longest: usize, width: usize) -> Self {
        Scratch { weights: vec![0.0; longest], product: zeros(2 * width) }
    }
}

impl<'a> History<'a> {
    /// An empty list. `given` says whether H₀ may be nonzero.
    pub(super) fn new(
        config: &'a FastWeightsConfig,
        width: usize,
        chunks: Chunks,
        given: bool,
        of: Matrices<&'a mut [f32]>,
    ) -> Self {
        let longest = chunks.longest();
        let mut keep_each = zeros(if config.stage == Stage::Oja { width } else { 0 });
        keep_each.fill(1.0);
        History {
            config,
            of,
            width,
            later: chunks.later,
            capacity: chunks.first,
            post: Aligned::with_capacity(0, longest * width),
            pre: Aligned::with_capacity(0, longest * width),
            c: Vec::with_capacity(longest),
            d: Vec::new(),
            keep_h: 1.0,
            keep_each,
            from_e: 0.0,
            keep_e: 1.0,
            nonzero: given,
        }
    }

    /// Adds α H r to `drive`.
    pub(super) fn read(&self, arch: Arch, scratch: &mut Scratch, r: &[f32], drive: &mut [f32]) {
        if self.config.alpha != 0.0 && (self.nonzero || !self.c.is_empty()) {
            arch.dispatch(Read { history: self, scratch, r, drive });
        }
    }

    /// Adds η m a bᵀ and lets the existing entries decay, as the stage prescribes.
    pub(super) fn push(&mut self, arch: Arch, a: &[f32], b: &[f32], m: f32) {
        let eta = self.config.eta as f32;
        match self.config.stage {
            // H is the change of this step alone.
            Stage::Hebb | Stage::Outer => {
                self.forget();
                self.append(a, b, eta);
            }
            Stage::Decay => {
                self.fade(1.0 - eta);
                self.append(a, b, eta);
            }
            Stage::Modulated => {
                self.fade(1.0 - eta);
                if m != 0.0 {
                    self.append(a, b, eta * m);
                }
            }
            Stage::Oja => {
                if m != 0.0 {
                    arch.dispatch(Forget { history: self, a, gain: eta * m });
                    self.append(a, b, eta * m);
                }
            }
            Stage::Retroactive => {
                self.d.iter_mut().for_each(|d| *d *= 1.0 - eta);
                self.keep_e *= 1.0 - eta;
                self.append(a, b, 0.0);
                self.d.push(eta);
                self.from_e += m * self.keep_e;
                self.c.iter_mut().zip(&self.d).for_each(|(c, d)| *c += m * d);
            }
            Stage::Accumulate | Stage::None => self.append(a, b, eta),
        }
        if self.c.len() == self.capacity {
            self.fold(arch);
        }
    }

    /// Folds the list into the matrices.
    pub(super) fn fold(&mut self, arch: Arch) -> &Matrices<&'a mut [f32]> {
        if self.nonzero {
            arch.dispatch(Settle(self));
        }
        if !self.c.is_empty() {
            let retroactive = self.config.stage == Stage::Retroactive;
            let sums = [(&mut self.of.e, &self.d, retroactive), (&mut self.of.h, &self.c, true)];
            let (across, along) = (Strides { rows: 1, columns: self.width }, Strides { rows: self.width, columns: 1 });
            for (matrix, factors, _) in sums.into_iter().filter(|(_, _, there)| *there) {
                let shape = (matrix.len() / self.width, self.width, factors.len());
                let scaled = scaled_rows(&self.pre, factors, self.width);
                product(shape, (matrix, along), self.nonzero, (&scaled, across), (&self.post, along));
            }
        }
        self.forget();
        self.d.clear();
        self.keep_h = 1.0;
        self.keep_each.fill(1.0);
        (self.from_e, self.keep_e) = (0.0, 1.0);
        (self.nonzero, self.capacity) = (true, self.later);
        &self.of
    }

    fn append(&mut self, a: &[f32], b: &[f32], c: f32) {
        self.post.extend_from_slice(a);
        self.pre.extend_from_slice(b);
        self.c.push(c);
    }

    fn fade(&mut self, keep: f32) {
        self.c.iter_mut().for_each(|c| *c *= keep);
        self.keep_h *= keep;
    }

    fn forget(&mut self) {
        self.post.clear();
        self.pre.clear();
        self.c.clear();
        self.nonzero = false;
    }
}

/// Rows of length `width`, each multiplied by its own factor.
fn scaled_rows(rows: &[f32], factors: &[f32], width: usize) -> Aligned {
    let scaled = rows.chunks_exact(width).zip(factors).flat_map(|(row, f)| row.iter().map(move |v| v * f));
    Aligned::from_iter(0, scaled)
}

struct Read<'r, 'a> {
    history: &'r History<'a>,
    scratch: &'r mut Scratch,
    r: &'r [f32],
    drive: &'r mut [f32],
}

impl WithSimd for Read<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Read { history, scratch: Scratch { weights, product }, r, drive } = self;
        let History { config, of, width, post, pre, c, keep_h, keep_each, from_e, nonzero, .. } = history;
        let (alpha, w) = (config.alpha as f32, *width);
        if *nonzero {
            let n = of.h.len() / w;
            product.fill(0.0);
            let (h_r, e_r) = product.split_at_mut(w);
            add_rows(simd, h_r, of.h, &r[..n]);
            if config.stage == Stage::Retroactive {
                add_rows(simd, e_r, of.e, &r[..n]);
            }
            for (h_r, keep) in h_r.iter_mut().zip(&keep_each[..]) {
                *h_r *= *keep;
            }
            add_scaled(simd, drive, h_r, alpha * *keep_h);
            add_scaled(simd, drive, e_r, alpha * *from_e);
        }
        let listed = c.len();
        let weights = &mut weights[..listed];
        dots(simd, weights, &pre[..listed * w], r);
        for (weight, c) in weights.iter_mut().zip(c) {
            *weight *= alpha * *c;
        }
        add_rows(simd, drive, &post[..listed * w], weights);
    }
}

/// Oja's rule forgets according to postsynaptic activity: every entry of the list decays by 1 − η m a².
struct Forget<'r, 'a> {
    history: &'r mut History<'a>,
    a: &'r [f32],
    gain: f32,
}

impl WithSimd for Forget<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let History { width, post, keep_each, .. } = self.history;
        let (w, a) = (*width, &self.a[..*width]);
        for row in post.chunks_exact_mut(w).chain([&mut keep_each[..w]]) {
            for i in 0..w {
                row[i] *= 1.0 - self.gain * a[i] * a[i];
            }
        }
    }
}

/// H₀ ← K H₀ + from_e e₀, then e₀ ← keep_e e₀.
struct Settle<'r, 'a>(&'r mut History<'a>);

impl WithSimd for Settle<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let History { of, width, keep_h, keep_each, from_e, keep_e, .. } = self.0;
        let (w, keep_h, from_e, keep_e) = (*width, *keep_h, *from_e, *keep_e);
        for h in of.h.chunks_exact_mut(w) {
            h.iter_mut().for_each(|h| *h *= keep_h);
            h.iter_mut().zip(&keep_each[..]).for_each(|(h, keep)| *h *= keep);
        }
        for (h, e) in of.h.chunks_exact_mut(w).zip(of.e.chunks_exact_mut(w)) {
            for i in 0..w {
                h[i] += from_e * e[i];
                e[i] *= keep_e;
            }
        }
    }
}
