//! Reopens `metrics.csv`: the rows kept must be readable, and none may be later than the checkpoint.

#![no_main]

use hebbian_rnn::storage::{read_metrics, Metrics, METRICS_FILE};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().unwrap().keep().join(METRICS_FILE));

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).unwrap();
    if value(Metrics::reopen(&FILE, 1)).is_some() {
        assert!(read_metrics(&FILE).unwrap().iter().all(|row| row.update <= 1));
    }
});
