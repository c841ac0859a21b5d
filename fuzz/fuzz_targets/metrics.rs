//! Reopening `metrics.csv`: what is kept can be read, and holds no row that the checkpoint does not know of.

#![no_main]

use hebbian_rnn::metrics::{self, Metrics};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().unwrap().keep().join(metrics::FILE_NAME));

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).unwrap();
    if value(Metrics::reopen(&FILE, 1)).is_some() {
        assert!(metrics::read(&FILE).unwrap().iter().all(|row| row.update <= 1));
    }
});
