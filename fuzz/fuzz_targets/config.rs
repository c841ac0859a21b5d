//! Reads a configuration file; an accepted configuration must survive being written and read again.

#![no_main]

use hebbian_rnn::{Setting, Setup};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Skips configurations that name other files, which are not to be read here.
    if text.contains("\"file\"") || text.contains("'file'") {
        return;
    }
    let read = |text: &str| Ok(Setup::resolve(None, &Setting::from_toml(text, "config.toml")?)?.config);
    if let Some(config) = value(read(text)) {
        assert_eq!(read(&config.to_toml().unwrap()).unwrap(), config);
    }
});
