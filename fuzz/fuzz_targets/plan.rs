//! Opens a sweep whose `plan.tsv` is the input, and looks at all of its jobs.

#![no_main]

use hebbian_rnn::Sweep;
use hebbian_rnn::sweep::PLAN_FILE;
use hebbian_rnn_fuzz::{sweep, value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SWEEP: LazyLock<Sweep> = LazyLock::new(|| sweep());

fuzz_target!(|data: &[u8]| {
    std::fs::write(SWEEP.folder().join(PLAN_FILE), data).unwrap();
    let Some(sweep) = value(Sweep::open(SWEEP.folder())) else { return };
    for job in sweep.settings().flatten() {
        assert_eq!(sweep.job(job.number).unwrap(), job);
        value(sweep.state(job));
    }
    value(sweep.unfinished(sweep.jobs()));
});
