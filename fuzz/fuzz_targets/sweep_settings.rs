//! Reads a setting's configuration, `settings/1.toml`, whose checksum the plan has.

#![no_main]

use hebbian_rnn::Sweep;
use hebbian_rnn::sweep::PLAN_FILE;
use hebbian_rnn_fuzz::{sha256, sweep, value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SWEEP: LazyLock<(Sweep, String)> = LazyLock::new(|| {
    let sweep = sweep();
    let plan = std::fs::read_to_string(sweep.folder().join(PLAN_FILE)).unwrap();
    (sweep, plan)
});

fuzz_target!(|data: &[u8]| {
    let (sweep, plan) = &*SWEEP;
    std::fs::write(sweep.folder().join("settings/1.toml"), data).unwrap();
    let plan = plan.replace(&sweep.jobs()[0].sha256, &sha256(data));
    std::fs::write(sweep.folder().join(PLAN_FILE), plan).unwrap();
    let sweep = Sweep::open(sweep.folder()).unwrap();
    value(sweep.unfinished(sweep.jobs()));
});
