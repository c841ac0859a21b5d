//! `--set KEY=VALUE`: each line is one.

#![no_main]

use hebbian_rnn::settings::{resolve, Setting};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if text.contains("file") {
        return;
    }
    let settings: anyhow::Result<Vec<Setting>> = text.lines().take(20).map(Setting::parse).collect();
    if let Some(settings) = value(settings) {
        for task in ["dnms", "echo", "recall"] {
            value(resolve(Some(task), &settings));
        }
    }
});
