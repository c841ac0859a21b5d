//! The checksum of a checkpoint: SHA-256 over its metadata and its tensors.

use safetensors::Dtype;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A tensor as a file stores it: name, type, shape, bytes.
pub(crate) type Stored<'a> = (&'a str, Dtype, &'a [usize], Cow<'a, [u8]>);

/// The checksum, in hexadecimal digits.
///
/// `metadata` is the JSON text as it stands in the file, but with nothing between the quotes of the checksum itself. For each
/// tensor, in the order of the names, a line such as `w_rec F32 [2, 200, 200]` follows, after an end of line, and its bytes.
pub(crate) fn checksum<'a>(metadata: &str, tensors: impl IntoIterator<Item = Stored<'a>>) -> String {
    let mut hash = Sha256::new();
    hash.update(metadata);
    for (name, dtype, shape, bytes) in tensors {
        hash.update(format!("\n{name} {dtype:?} {shape:?}\n"));
        hash.update(bytes);
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_that_of_another_program() {
        // printf '{"a":1}\nw F32 [1, 2]\nabcdefgh\nx U8 [0]\n' | sha256sum
        let tensors =
            [("w", Dtype::F32, &[1, 2][..], b"abcdefgh"[..].into()), ("x", Dtype::U8, &[0][..], b""[..].into())];
        let expected = "fb87e4c5e04990090d18313a6903e261b5be4c2a76d4d042229b6b5af167a9af";
        assert_eq!(checksum("{\"a\":1}", tensors), expected);
    }
}
