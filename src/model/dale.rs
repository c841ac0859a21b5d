//! Dale's law: all weights of a presynaptic neuron keep its sign.

use candle_core::{Result, Tensor};

/// `w_rec` `[S, N, N]` (post, pre) with the weights of the first `excitatory` presynaptic neurons raised to at least 0 and
/// those of the others lowered to at most 0 (Miconi 2017).
pub(crate) fn signed(w_rec: &Tensor, excitatory: usize) -> Result<Tensor> {
    let n = w_rec.dim(2)?;
    let from_excitatory = w_rec.narrow(2, 0, excitatory)?.contiguous()?.relu()?;
    let from_inhibitory = w_rec.narrow(2, excitatory, n - excitatory)?.neg()?.contiguous()?.relu()?.neg()?;
    Tensor::cat(&[from_excitatory, from_inhibitory], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn weights_of_the_wrong_sign_become_zero() {
        let w = Tensor::new(&[[[1f64, -2.0, 3.0], [-4.0, 5.0, -6.0], [0.0, 0.5, -0.5]]], &Device::Cpu).unwrap();
        let signed = signed(&w, 2).unwrap().to_vec3::<f64>().unwrap();
        assert_eq!(signed, [[[1.0, 0.0, 0.0], [0.0, 5.0, -6.0], [0.0, 0.5, -0.5]]]);
    }
}
