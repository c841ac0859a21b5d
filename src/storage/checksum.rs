//! The checksum in the metadata of checkpoints.

use safetensors::View;
use sha2::{Digest, Sha256};

/// The SHA-256 of metadata and tensors, in hexadecimal digits.
///
/// It covers `metadata`, the JSON text exactly as in the file but with an empty string for the checksum itself; then,
/// for each tensor in order of name, a newline, a line such as `w_rec F32 [2, 200, 200]`, and the tensor's bytes.
pub(super) fn checksum<'a>(metadata: &str, tensors: impl IntoIterator<Item = (&'a str, impl View)>) -> String {
    let mut hash = Sha256::new_with_prefix(metadata);
    for (name, tensor) in tensors {
        hash.update(format!("\n{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()));
        hash.update(tensor.data());
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;
    use safetensors::Dtype;

    #[test]
    fn the_checksum_is_that_of_another_program() {
        // printf '{"a":1}\nw F32 [1, 2]\nabcdefgh\nx U8 [0]\n' | sha256sum
        let w = TensorView::new(Dtype::F32, vec![1, 2], b"abcdefgh").unwrap();
        let x = TensorView::new(Dtype::U8, vec![0], b"").unwrap();
        let expected = "fb87e4c5e04990090d18313a6903e261b5be4c2a76d4d042229b6b5af167a9af";
        assert_eq!(checksum("{\"a\":1}", [("w", w), ("x", x)]), expected);
    }
}
