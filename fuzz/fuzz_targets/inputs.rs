//! Reads inputs for `simulate`, and simulates those accepted.

#![no_main]

use hebbian_rnn::candle_core::Device;
use hebbian_rnn::{simulate, Checkpoint};
use hebbian_rnn::engine::Record;
use hebbian_rnn::runs::parse_inputs;
use hebbian_rnn_fuzz::{checkpoint, value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static NETWORKS: LazyLock<[Checkpoint; 2]> = LazyLock::new(|| {
    [
        checkpoint("echo", &["trace.modulator=task", "trace.stage=retroactive"]),
        checkpoint("echo", &["trace.stage=none", "train.dtype=f64", "network.feedback_scale=0.5"]),
    ]
});

fuzz_target!(|data: &[u8]| {
    for networks in NETWORKS.iter() {
        if let Some(inputs) = value(parse_inputs(data, networks, &Device::Cpu)) {
            value(simulate(networks, inputs, Record { rates: true, ..Record::default() }, 1));
        }
    }
});
