//! Reads a checkpoint. The first byte says whether the rest is a whole file, or the metadata for a file with intact
//! tensors.

#![no_main]

use hebbian_rnn::candle_core::Device;
use hebbian_rnn::Checkpoint;
use hebbian_rnn::training::METADATA_KEY;
use hebbian_rnn_fuzz::{checkpoint, value, with_metadata};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static WHOLE: LazyLock<Vec<u8>> =
    LazyLock::new(|| checkpoint("echo", &["trace.persistent=true"]).to_bytes().unwrap());

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let file = if choice % 2 == 0 {
        data.to_vec()
    } else {
        with_metadata(&WHOLE, METADATA_KEY, &String::from_utf8_lossy(data))
    };
    if let Some(read) = value(Checkpoint::from_bytes(&file, &Device::Cpu)) {
        let _ = read.trials();
        let bytes = read.to_bytes().unwrap();
        let again = Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap();
        assert!(again.to_bytes().unwrap() == bytes, "the file differs when written again");
    }
});
