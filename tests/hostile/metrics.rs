//! Damaged `metrics.csv` files: reopened, read and plotted.

use crate::{damage, peak_of, valid};
use candle_core::Device;
use hebbian_rnn::report::LearningCurve;
use hebbian_rnn::storage::{read_metrics, Metrics, Persistent, METRICS_FILE};
use hebbian_rnn::Trainer;

const MUTATIONS: u64 = 3_000;
/// How many of them are plotted; a picture takes a tenth of a second.
const DRAWN: u64 = 40;

#[test]
fn damaged_metrics_are_reopened_read_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(METRICS_FILE);
    let setup = valid::setup("echo", &["train.networks=2", "network.neurons=3", "train.batch=2"]).unwrap();
    let mut trainer = Trainer::new(setup.clone(), &[Device::Cpu]).unwrap();
    let rows: Vec<_> = (0..6).flat_map(|_| trainer.update().unwrap().networks).collect();
    Metrics::create(&path).unwrap().append(&Trainer::write_rows(&rows, true).unwrap()).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let rows = read_metrics(&path).unwrap();
    for index in 0..MUTATIONS {
        let mut rng = damage::generator(6, index);
        let damaged = damage::text(&mut rng, &whole);
        std::fs::write(&path, &damaged).unwrap();
        let what = format!("metrics mutation {index}");
        let (outcome, peak) = peak_of(|| Metrics::reopen(&path, 4));
        assert!(peak < crate::BASE + crate::TIMES * damaged.len(), "{what}: {peak} bytes");
        if outcome.is_err() {
            continue;
        }
        drop(outcome);
        let kept = read_metrics(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(kept.iter().all(|row| row.update <= 4), "{what}");
        assert!(kept.len() <= rows.len() + 3, "{what}: {} rows", kept.len());
        if index < DRAWN {
            LearningCurve::of(String::new(), &setup, &kept).draw(folder.path(), index % 2 == 0).unwrap();
        }
    }
}

#[test]
fn rows_of_extreme_values_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(METRICS_FILE);
    let setup = valid::setup("echo", &["train.networks=2"]).unwrap();
    let header =
        "update,trials,network,error,fraction_correct,recent_correct,mean_abs_dw,fraction_clipped,criterion_trials";
    for errors in [
        ["-1e308", "1e308"],
        ["1e-320", "1e308"],
        ["nan", "inf"],
        ["5e-324", "5e-324"],
        ["1e17", "1.0000000000000002e17"],
    ] {
        let row = |(i, error): (usize, &&str)| format!("1,{},{i},{error},0,0,0,0,", if i == 0 { 1 } else { u64::MAX });
        let lines: Vec<String> = errors.iter().enumerate().map(row).collect();
        std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
        for log in [false, true] {
            let (drawn, peak) =
                peak_of(|| LearningCurve::read(String::new(), &setup, folder.path())?.draw(folder.path(), log));
            drawn.unwrap();
            assert!(peak < 100 << 20, "{errors:?}: {peak} bytes");
        }
    }
}
