//! Long runs: memory and open files stay constant over many updates of a small network. scripts/soak.py runs a million.

use assert_cmd::cargo::cargo_bin;
use hebbian_rnn::storage::read_metrics;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const UPDATES: usize = 20_000;

/// A sample: bytes of metrics.csv, resident memory in kB, number of open files.
struct Seen {
    written: u64,
    resident: u64,
    files: usize,
}

fn look(pid: u32, metrics: &std::path::Path) -> Option<Seen> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find(|line| line.starts_with("VmRSS"))?.split_whitespace().nth(1)?.parse().ok()?;
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Seen { written: std::fs::metadata(metrics).ok()?.len(), resident, files })
}

#[test]
fn memory_and_open_files_stay_flat() {
    let dir = TempDir::new().unwrap();
    let arguments = ["train", "sequence", "--neurons", "4", "--networks", "1", "--batch", "1", "--device", "cpu"];
    let mut child = Command::new(cargo_bin("hebbian-rnn"))
        .args(arguments)
        .args(["--updates", &UPDATES.to_string(), "--checkpoint-every", "100", "--out", "run"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let path = dir.path().join("run/metrics.csv");
    let mut seen = Vec::new();
    while child.try_wait().unwrap().is_none() {
        seen.extend(look(child.id(), &path));
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // A line at the beginning, and one every 30 seconds.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.lines().count() < 20, "output grows: {said}");
    let rows = read_metrics(&path).unwrap();
    assert!(rows.len() == UPDATES && rows.iter().zip(1..).all(|(row, update)| row.update == update));

    // Only samples from training: evaluation and pictures need additional memory afterwards.
    let size = std::fs::metadata(&path).unwrap().len();
    let during = |from: u64, to: u64| {
        let part = seen.iter().filter(move |s| s.written >= size * from / 10 && s.written < size * to / 10);
        part.fold((0, 0), |most, s| (s.resident.max(most.0), s.files.max(most.1)))
    };
    let (early, late) = (during(1, 4), during(7, 10));
    assert!(early.0 > 0 && late.0 > 0, "no samples were taken");
    assert!(late.0 <= early.0 + 4096, "memory grew from {} to {} kB", early.0, late.0);
    assert!(late.1 <= early.1, "open files grew from {} to {}", early.1, late.1);
}
