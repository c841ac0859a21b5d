//! `bench` counts correctly. Speed itself is never tested.

use crate::command::{fine, one_line_error, ran, Ran};
use crate::support::*;
use assert_cmd::Command;
use candle_core::Device;
use hebbian_rnn::runs::measure_throughput;

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

/// `bench` of networks of 24 and 520 neurons, with a value of HEBBIAN_RNN_PRODUCT.
fn bench(product: Option<&str>, more: &[&str]) -> Ran {
    let mut command = Command::cargo_bin("hebbian-rnn").unwrap();
    command.args([
        "bench",
        "--neurons",
        "24,520",
        "--networks",
        "1",
        "--batch",
        "2",
        "--updates",
        "1",
        "--rounds",
        "1",
    ]);
    for setting in ["task.steps=60", "task.second_stimulus=25", "task.stimulus_steps=10", "task.response_steps=10"] {
        command.args(["--set", setting]);
    }
    if let Some(product) = product {
        command.env("HEBBIAN_RNN_PRODUCT", product);
    }
    ran(command.args(more))
}

#[test]
fn it_says_which_product_was_used_and_why() {
    let text = fine(bench(None, &[])).stdout;
    let last = text.lines().last().unwrap_or_default();
    assert!(last.contains("-bit vectors, "), "{last}");
    let products = "; products by tiles: N is at most 512; products by the library gemm: N is above 512";
    assert!(last.ends_with(products), "{last}");
    let forced = fine(bench(Some("library"), &["--json"])).stdout;
    let forced: serde_json::Value = serde_json::from_str(&forced).unwrap();
    for report in forced.as_array().unwrap() {
        assert_eq!(report["product"], "library");
        assert_eq!(report["product_reason"], "HEBBIAN_RNN_PRODUCT is `library`");
        assert!(report["processor"]["vector_bits"].as_u64() >= Some(32));
    }
    let reference = fine(bench(None, &["--json", "--kernels", "reference"])).stdout;
    let reference: serde_json::Value = serde_json::from_str(&reference).unwrap();
    assert!(reference[0]["product"].is_null(), "{reference}");
}

#[test]
fn an_unknown_product_is_refused() {
    let message =
        "the environment variable HEBBIAN_RNN_PRODUCT is `fast`; expected `tiles`, which is the default, or `library`";
    one_line_error(bench(Some("fast"), &[]), 2, message);
}
