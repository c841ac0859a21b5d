//! `bench` counts correctly. Speed itself is never tested.

use crate::support::*;
use candle_core::Device;
use hebbian_rnn::measure_throughput;

#[test]
fn the_figures_fit_together() {
    let setup = setup("dnms", &small_dnms(&[]));
    for (forward, products) in [(false, 2.0), (true, 1.0)] {
        let report = measure_throughput(&setup, &Device::Cpu, 1, 1, forward).unwrap();
        assert_eq!(report.flop_per_trial, products * 2.0 * 60.0 * 24.0 * 24.0);
        assert!((report.gflops - report.trials_per_second * report.flop_per_trial * 1e-9).abs() < 1e-9 * report.gflops);
        assert!(report.share > 0.0 && (report.ms_per_trial * report.trials_per_second - 1e3).abs() < 1e-6);
    }
}
