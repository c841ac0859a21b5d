//! Puts a finished sweep together, of whose jobs the first left the input as its `scores.csv`.

#![no_main]

use hebbian_rnn::Sweep;
use hebbian_rnn_fuzz::{sweep, value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SWEEP: LazyLock<Sweep> = LazyLock::new(|| {
    let sweep = sweep();
    sweep.jobs().iter().for_each(|job| assert!(sweep.run(job, &|_, _| (), &|| false).unwrap()));
    sweep.collect(false).unwrap();
    sweep
});

fuzz_target!(|data: &[u8]| {
    std::fs::write(SWEEP.job_folder(&SWEEP.jobs()[0]).join("scores.csv"), data).unwrap();
    let Some(found) = value(SWEEP.collect(false)) else { return };
    for setting in &found.settings {
        let _ = (setting.values_in_words(), setting.criterion_in_words(), setting.measured_in_words());
    }
});
