//! Eligibility as a batch of trials leaves it: one matrix for each trial, to be weighted and summed.

use crate::ops::cpu::{zeros, Aligned};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// One `[N, N]` matrix (post, pre) for each of S × B trials.
pub enum Eligibility {
    /// `[S, B, N, N]`, from the plain operations.
    Tensor(Tensor),
    /// The same in host memory, from the fused CPU kernels.
    Host(HostEligibility),
}

/// `[S, B, N, width]` in host memory: rows are padded.
pub struct HostEligibility {
    /// The values; may be longer than S·B·N·width.
    pub(crate) values: Aligned,
    /// S.
    pub(crate) networks: usize,
    /// B.
    pub(crate) trials_each: usize,
    /// N.
    pub(crate) neurons: usize,
    /// Length of a row, at least N; what stands beyond N is not read.
    pub(crate) width: usize,
    /// Whether matrices are (pre, post).
    pub(crate) transposed: bool,
}

impl Eligibility {
    /// Σ_b weight_b e_b for each network, `[S, N, N]`, from `weights` `[S, B]`.
    pub fn weighted_sum(&self, weights: &[f64]) -> Result<Tensor> {
        match self {
            Eligibility::Tensor(e) => {
                let (s, b, n, _) = e.dims4()?;
                let weights =
                    Tensor::from_slice(weights, (s, 1, b), &Device::Cpu)?.to_dtype(e.dtype())?.to_device(e.device())?;
                weights.matmul(&e.reshape((s, b, n * n))?)?.reshape((s, n, n))
            }
            Eligibility::Host(e) => e.weighted_sum(weights),
        }
    }
}

impl HostEligibility {
    /// Each row of each network is summed on its own, trial by trial, so the order never depends on threads.
    fn weighted_sum(&self, weights: &[f64]) -> Result<Tensor> {
        let (s, b, n) = (self.networks, self.trials_each, self.neurons);
        let mut sum = vec![0f32; s * n * n];
        sum.par_chunks_mut(n).enumerate().for_each(|(row, sum)| {
            let (network, row) = (row / n, row % n);
            for trial in network * b..(network + 1) * b {
                let weight = weights[trial] as f32;
                let at = (trial * n + row) * self.width;
                sum.iter_mut().zip(&self.values[at..at + n]).for_each(|(sum, e)| *sum += weight * e);
            }
        });
        let sum = Tensor::from_vec(sum, (s, n, n), &Device::Cpu)?;
        if self.transposed {
            sum.transpose(1, 2)?.contiguous()
        } else {
            Ok(sum)
        }
    }
}

/// Memory that is kept from one update to the next: fresh pages would cost as much as the arithmetic on them.
#[derive(Default)]
pub struct Workspace {
    spare: Option<Aligned>,
    /// What a device's kernels need again, by purpose.
    #[cfg(any(feature = "cuda", test))]
    kept: std::collections::BTreeMap<&'static str, Box<dyn std::any::Any + Send>>,
}

impl Workspace {
    /// At least `len` floats of any value.
    pub(crate) fn take(&mut self, len: usize) -> Aligned {
        self.spare.take().filter(|spare| spare.len() >= len).unwrap_or_else(|| zeros(len))
    }

    /// Takes memory back for the next update.
    pub fn recycle(&mut self, eligibility: Eligibility) {
        match eligibility {
            Eligibility::Host(host) => self.spare = Some(host.values),
            #[cfg(any(feature = "cuda", test))]
            Eligibility::Tensor(tensor) if self.kept.contains_key(ELIGIBILITY) => self.keep_tensor(ELIGIBILITY, tensor),
            // Nobody will ask for it again.
            Eligibility::Tensor(_) => {}
        }
    }
}

/// Under which name [`Workspace::recycle`] keeps a tensor.
#[cfg(any(feature = "cuda", test))]
pub(crate) const ELIGIBILITY: &str = "eligibility";

#[cfg(any(feature = "cuda", test))]
impl Workspace {
    /// A tensor of that shape with any values, kept under `name` or new; its place is held until it comes back.
    pub(crate) fn take_tensor(&mut self, name: &'static str, shape: &[usize], device: &Device) -> Result<Tensor> {
        let fits = |kept: &Tensor| kept.dims() == shape && kept.device().same_device(device);
        let kept = self.take_any::<Tensor>(name).filter(fits);
        self.keep_any(name, ());
        kept.map_or_else(|| Tensor::zeros(shape, candle_core::DType::F32, device), Ok)
    }

    /// Keeps a tensor for the next update.
    pub(crate) fn keep_tensor(&mut self, name: &'static str, tensor: Tensor) {
        self.keep_any(name, tensor);
    }

    /// What was kept under `name`, if it is of this type.
    pub(crate) fn take_any<T: 'static>(&mut self, name: &'static str) -> Option<T> {
        self.kept.remove(name)?.downcast().ok().map(|kept| *kept)
    }

    /// Keeps something for the next update.
    pub(crate) fn keep_any<T: Send + 'static>(&mut self, name: &'static str, it: T) {
        self.kept.insert(name, Box::new(it));
    }
}
