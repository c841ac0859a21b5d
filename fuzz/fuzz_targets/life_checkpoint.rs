//! Reads the checkpoint of lives, and lets those accepted live on for a block. The first byte says whether the rest is a whole file, or
//! the metadata for a file with intact tensors.

#![no_main]

use hebbian_rnn::candle_core::Device;
use hebbian_rnn::{LifeCheckpoint, Lives};
use hebbian_rnn::training::verdicts;
use hebbian_rnn_fuzz::{life_checkpoint, value, with_metadata, LIFE_KEY};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Steps times neurons and synapses of a block beyond which it is not lived here.
const LONG: f64 = 1e5;

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| life_checkpoint("distal-reward").to_bytes().unwrap());

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let file = if choice % 2 == 0 {
        data.to_vec()
    } else {
        with_metadata(&WHOLE, LIFE_KEY, &String::from_utf8_lossy(data))
    };
    let Some(read) = value(LifeCheckpoint::from_bytes(&file)) else { return };
    let bytes = read.to_bytes().unwrap();
    let again = LifeCheckpoint::from_bytes(&bytes).unwrap();
    assert!(again.to_bytes().unwrap() == bytes, "the file differs when written again");
    // A file can claim lives that do not fit into memory.
    let Some(mut lives) = value(Lives::resume(&read, &Device::Cpu)) else { return };
    let synapses: usize = read.states.iter().flat_map(|state| &state.synapses).map(|s| s.pre.len()).sum();
    let width = (read.setup.circuit().neurons() * read.states.len() + synapses) as f64;
    if lives.block_seconds() * 1000.0 / read.setup.config().life.dt_ms * width < LONG {
        let rows = lives.live(1).unwrap();
        value(verdicts(&read.setup, &rows));
        value(lives.checkpoint());
    }
});
