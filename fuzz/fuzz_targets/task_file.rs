//! Reads a trial file, and draws trials from it.

#![no_main]

use hebbian_rnn::Task;
use hebbian_rnn::random::{stream, Phase, Purpose};
use hebbian_rnn::tasks::{ErrorMeasure, FileTask};
use hebbian_rnn_fuzz::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(task) = value(FileTask::from_bytes(data, ErrorMeasure::Absolute, 0.5)) else { return };
    for index in 0..4 {
        let trial = task.trial(index, &mut stream(0, 0, index, Phase::Train, Purpose::Task));
        assert_eq!(trial.inputs.len(), task.steps() * task.n_in());
        assert_eq!(trial.targets.len(), task.steps() * task.n_out());
        assert!(trial.trial_type < task.n_types());
    }
});
