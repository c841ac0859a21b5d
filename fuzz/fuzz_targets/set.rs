//! Parses `--set KEY=VALUE` arguments, one per line.

#![no_main]

use hebbian_rnn::{Result, Setting, Setup};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if text.contains("file") {
        return;
    }
    let settings: Result<Vec<Setting>> = text.lines().take(20).map(Setting::parse).collect();
    if let Some(settings) = value(settings) {
        for task in ["dnms", "echo", "recall"] {
            value(Setup::resolve(Some(task), &settings));
        }
    }
});
