//! Helpers shared by several tests.

use candle_core::{Device, Tensor};
use hebbian_rnn::engine::{choose, Ensemble, Record, TrialBatch};
use hebbian_rnn::rules::RewardBaseline;
use hebbian_rnn::{Config, Setting, Setup, Trainer, Weights};

/// The setup of `task` with `key=value` settings.
pub fn setup(task: &str, settings: &[&str]) -> Setup {
    let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
    Setup::resolve(Some(task), &settings).unwrap()
}

/// Its configuration.
pub fn config(task: &str, settings: &[&str]) -> Config {
    setup(task, settings).config().clone()
}

/// A trainer on the CPU.
pub fn trainer(task: &str, settings: &[&str]) -> Trainer {
    Trainer::new(setup(task, settings), &[Device::Cpu]).unwrap()
}

/// The outputs `[S, B, T, n_out]` of drawn trials, without learning.
pub fn outputs(setup: &Setup, weights: &Weights, batch: &TrialBatch) -> Tensor {
    let baseline = RewardBaseline::new(setup.config(), batch.networks, setup.task().n_types());
    let ensemble =
        Ensemble { setup, shape: setup.shape(), weights, baseline: &baseline, trials: 0, fast_weights: None };
    let mut engine = choose(setup, weights.w_rec.device(), false).unwrap();
    engine.run(&ensemble, batch, false, Record::default()).unwrap().outputs
}

/// Why `rule` cannot be used for `task`, in part; `None` if it can.
pub fn refused(task: &str, rule: &str) -> Option<&'static str> {
    let worlds = [
        "bandit",
        "two-step",
        "perceptual-decision",
        "t-maze",
        "open-field",
        "cartpole",
        "acrobot",
        "pendulum",
        "maze",
        "acrobot-swing-up",
        "cartpole-swing-up",
    ];
    match rule {
        "eh" | "rflo" if task == "reach" => Some("task `reach` judges whole trials"),
        "rflo" | "hebbian-trace" if worlds.contains(&task) => Some("cannot learn from what an episode"),
        _ => None,
    }
}

/// All values of a tensor, as f64.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that two lists agree to `tolerance` of the largest value in the second.
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let scale = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(scale > 0.0, "{what}: nothing to compare");
    let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance * scale, "{what}: off by {worst:e}, of a largest value {scale:e}");
}

/// A short, small `dnms` that takes milliseconds.
pub const SMALL_DNMS: [&str; 9] = [
    "network.neurons=24",
    "task.steps=60",
    "task.second_stimulus=25",
    "task.stimulus_steps=10",
    "task.response_steps=10",
    "perturbation.probability=0.05",
    "train.batch=8",
    "train.networks=2",
    "train.updates=2",
];

/// [`SMALL_DNMS`] with more settings.
pub fn small_dnms<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SMALL_DNMS.iter().copied().chain(more.iter().copied()).collect()
}
