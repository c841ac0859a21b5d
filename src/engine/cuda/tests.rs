//! Compares the driver and the kernels on an emulated machine with the plain operations (`engine::reference`).

use super::driver;
use super::emulated::Emulated;
use super::machine::Kernel;
use super::params::Params;
use super::Workspace;
use crate::config::{Kernels, Setting};
use crate::engine::reference::Reference;
use crate::engine::{Draw, Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::model::{FastWeights, Weights};
use crate::random::Phase;
use crate::rules::RewardBaseline;
use crate::setup::Setup;
use candle_core::{DType, Device, Tensor};

const DNMS: &str =
    "network.neurons=21 task.steps=40 task.second_stimulus=15 task.stimulus_steps=8 task.response_steps=10 \
    perturbation.probability=0.05 train.batch=5 train.networks=2 train.updates=1";

const NOTHING: Record = Record { fast_weights: false, rates: false, activations: false, episodes: false };
const EVERYTHING: Record = Record { fast_weights: true, rates: true, activations: true, episodes: false };

/// A batch of trials, and the new networks that run it.
struct Case {
    setup: Setup,
    weights: Weights,
    baseline: RewardBaseline,
    batch: TrialBatch,
    fast_weights: Option<FastWeights>,
}

impl Case {
    fn new(task: &str, settings: &str) -> Self {
        let settings: Vec<Setting> = settings.split_whitespace().map(|s| Setting::parse(s).unwrap()).collect();
        let setup = Setup::resolve(Some(task), &settings).unwrap();
        let (config, task) = (&setup.config, &setup.task);
        let (networks, b, n) = (config.train.networks, config.train.batch, config.network.neurons);
        let (n_in, n_out, cpu) = (task.n_in(), task.n_out(), &Device::Cpu);
        let weights = Weights::draw(&config.network, n_in, n_out, 3, networks, DType::F32, cpu).unwrap();
        let mut baseline = RewardBaseline::new(config, networks.count(), task.n_types());
        baseline.restore((0..baseline.expected_error().len()).map(|i| 0.1 + 0.07 * i as f64).collect());
        let draw = Draw { seed: 3, phase: Phase::Train, first_trial: 7, trials_each: b, age: 0, explore: true };
        let batch = TrialBatch::draw(&setup, draw).unwrap();
        let matrix = |seed: f32| {
            let values = (0..networks.count() * b * n * n).map(|i| 0.05 * (seed * i as f32).sin()).collect::<Vec<_>>();
            Tensor::from_vec(values, (networks.count(), b, n, n), cpu).unwrap()
        };
        let kept = config.fast_weights.persistent;
        let fast_weights = kept.then(|| FastWeights { h: matrix(0.7), eligibility: Some(matrix(1.3)) });
        Case { setup, weights, baseline, batch, fast_weights }
    }

    fn ensemble(&self) -> Ensemble<'_> {
        Ensemble {
            setup: &self.setup,
            shape: self.setup.shape(),
            weights: &self.weights,
            baseline: &self.baseline,
            trials: 0,
            fast_weights: self.fast_weights.clone(),
        }
    }

    fn reference(&self) -> Episode {
        Reference.run(&self.ensemble(), &self.batch, true, EVERYTHING).unwrap()
    }

    /// The results of the second of two runs, whose workspace is full of the first run's numbers.
    fn run(&self, machine: &Emulated, record: Record) -> Results {
        let mut workspace = Workspace::default();
        let mut run = || driver::run(machine, &self.ensemble(), &self.batch, true, record, &mut workspace).unwrap();
        if let Some(spent) = run().eligibility {
            workspace.recycle(spent);
        }
        results(&driver::run(machine, &self.ensemble(), &self.batch, true, record, &mut workspace).unwrap())
    }
}

/// All results of an episode, by name.
type Results = Vec<(&'static str, Vec<f32>)>;

fn results(episode: &Episode) -> Results {
    let (fast_weights, readout) = (episode.fast_weights.as_ref(), episode.readout_change.as_ref());
    let eligibility = match &episode.eligibility {
        Some(Eligibility::Tensor(e)) => Some(e),
        _ => None,
    };
    [
        ("outputs", Some(&episode.outputs)),
        ("x", Some(&episode.state.x)),
        ("r", Some(&episode.state.r)),
        ("rates", episode.rates.as_ref()),
        ("activations", episode.activations.as_ref()),
        ("eligibility", eligibility),
        ("H", fast_weights.map(|f| &f.h)),
        ("e of H", fast_weights.and_then(|f| f.eligibility.as_ref())),
        ("change of w_out", readout.map(|(w_out, _)| w_out)),
        ("change of b_out", readout.map(|(_, b_out)| b_out)),
    ]
    .into_iter()
    .filter_map(|(name, tensor)| Some((name, tensor?.flatten_all().unwrap().to_vec1().unwrap())))
    .collect()
}

/// Runs a case with threads in forward and in reverse order, compares both with the reference, and returns the kernels
/// launched.
fn holds(machine: &Emulated, task: &str, settings: &str, record: Record) -> Vec<Kernel> {
    machine.launched.take();
    let case = Case::new(task, settings);
    let found = case.run(machine, record);
    // The reference may record more than the kernels were asked for.
    let optional = |name: &str| match name {
        "H" | "e of H" => !record.fast_weights,
        "rates" => !record.rates,
        "activations" => !record.activations,
        _ => false,
    };
    let mut expected = results(&case.reference());
    expected.retain(|(name, _)| !optional(name) || found.iter().any(|(found, _)| found == name));
    assert_eq!(found.len(), expected.len(), "{settings}");
    for ((name, found), (expected_name, expected)) in found.iter().zip(&expected) {
        assert_eq!((name, found.len()), (expected_name, expected.len()), "{settings}");
        let scale = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(scale > 0.0, "{settings}: {name} is zero");
        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(worst <= 2e-5 * scale, "{settings}: {name} is off by {worst:e}, of a largest value {scale:e}");
    }
    let backwards = machine.with(|machine| machine.backwards = true);
    assert!(case.run(&backwards, record) == found, "{settings}: the order of threads or blocks matters");
    machine.launched.take()
}

#[test]
fn both_sides_agree_on_the_parameters() {
    let Some(machine) = Emulated::new() else { return };
    assert_eq!(machine.size_of_trials(), size_of::<Params>());
}

#[test]
fn whole_trials_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for rule in ["delta-x", "node-perturbation", "none"] {
        // Sizes that are and are not multiples of what a thread handles; batches that do and do not fill their blocks;
        // a bias.
        for (neurons, batch) in [(4, 1), (21, 5), (24, 8), (33, 9), (50, 3)] {
            let bias = if neurons == 4 { "network.clamped=[[2,0.5]]" } else { "network.bias_scale=0.3" };
            let settings = format!("{DNMS} rule.name={rule} network.neurons={neurons} train.batch={batch} {bias}");
            let launched = holds(&machine, "dnms", &settings, NOTHING);
            assert!(launched.iter().all(|k| !matches!(k, Kernel::Step | Kernel::FinishFastWeights)), "{launched:?}");
        }
    }
    for other in [
        "network.dynamics=discrete network.gain=0.9 perturbation.amplitude=0.5",
        "network.connectivity=0.5 network.clamped=[] rule.start_step=0",
    ] {
        holds(&machine, "dnms", &format!("{DNMS} {other}"), NOTHING);
    }
}

#[test]
fn each_form_of_whole_trials_equals_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    // The numbers of neurons and processors decide which kernel runs; 40 trials of 200 neurons fill a block of 250
    // threads.
    for (neurons, processors, kernel) in
        [(200, 2, Kernel::WholeTrial8), (21, 1, Kernel::WholeTrial4), (21, 99, Kernel::WholeTrial2)]
    {
        let machine = machine.with(|m| (m.limits.processors, m.limits.shared_bytes) = (processors, 227 << 10));
        let settings = format!("{DNMS} train.batch=40 task.steps=30 task.response_steps=5 network.neurons={neurons}");
        let launched = holds(&machine, "dnms", &settings, NOTHING);
        assert!(launched.contains(&kernel), "{launched:?}");
    }
}

#[test]
fn the_lengths_of_history_and_stretches_change_no_bit() {
    let Some(machine) = Emulated::new() else { return };
    for kernels in ["fused", "stepwise"] {
        for rule in ["delta-x", "node-perturbation"] {
            let settings = format!("{DNMS} rule.name={rule} train.kernels={kernels} rule.start_step=9");
            let case = Case::new("dnms", &settings);
            let whole = case.run(&machine, NOTHING);
            for (steps, upload_steps) in [(1, 16), (7, 16), (16, 5), (39, 1), (40, 1000)] {
                let mut cut = machine.clone();
                // Two factors, 2 networks, 5 trials of 21 neurons each, f32.
                cut.limits.history_bytes = steps * 2 * 2 * 5 * 21 * 4;
                cut.limits.upload_steps = upload_steps;
                assert!(case.run(&cut, NOTHING) == whole, "{settings}: {steps}, {upload_steps} steps");
            }
        }
    }
}

#[test]
fn steps_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for rule in ["delta-x", "node-perturbation", "eh", "none"] {
        for neurons in [21, 32, 50] {
            let settings = format!("{DNMS} rule.name={rule} network.neurons={neurons} train.kernels=stepwise");
            let launched = holds(&machine, "dnms", &settings, NOTHING);
            assert!(launched.contains(&Kernel::Step) && !launched.contains(&Kernel::FinishFastWeights), "{launched:?}");
        }
    }
    // Networks that do not fit into a block's memory fall back to steps.
    let small = machine.with(|m| m.limits.shared_bytes = 2 << 10);
    assert!(holds(&small, "dnms", &format!("{DNMS} rule.name=none"), NOTHING).contains(&Kernel::Step));
}

#[test]
fn recordings_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    let launched = holds(&machine, "dnms", DNMS, EVERYTHING);
    assert!(launched.contains(&Kernel::Step), "whole trials keep no recording: {launched:?}");
    holds(&machine, "sequence", "network.neurons=13 train.batch=3", EVERYTHING);
}

#[test]
fn rectified_rates_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for kernels in ["fused", "stepwise"] {
        for rule in ["delta-x", "node-perturbation", "none"] {
            // The maximum is low enough that both ends of the range are reached.
            let transfer = "network.response_max=2.5 network.response_offset=0.7";
            let settings = format!("{DNMS} {transfer} train.kernels={kernels} rule.name={rule}");
            let launched = holds(&machine, "dnms-ei", &settings, NOTHING);
            assert_eq!(launched.contains(&Kernel::Step), kernels == "stepwise", "{launched:?}");
        }
    }
}

#[test]
fn more_neurons_than_threads() {
    let Some(machine) = Emulated::new() else { return };
    let sizes = "network.neurons=1030 train.batch=1 train.networks=1";
    let times = "task.steps=6 task.response_steps=2 task.second_stimulus=3 task.stimulus_steps=2";
    let fast_weights = "trace.stage=decay trace.alpha=0.01 rule.name=hebbian-trace";
    holds(&machine, "dnms", &format!("{DNMS} {sizes} {times} {fast_weights}"), NOTHING);
}

#[test]
fn every_stage_and_association_equals_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    let stages = ["hebb", "outer", "accumulate", "decay", "modulated", "oja", "retroactive"];
    for (i, stage) in stages.iter().enumerate() {
        for (j, association) in ["auto", "post-pre", "pre-post"].iter().enumerate() {
            let settings = format!(
                "trace.stage={stage} trace.association={association} trace.modulator={} trace.clip={} \
                 trace.persistent={} trace.form=written readout.rule={} rule.name={} \
                 trace.alpha=0.3 train.networks=2 network.neurons=13 train.batch=3",
                ["task", "reward", "constant"][(i + j) % 3],
                [0.0, 0.04][(i + j) % 2],
                i % 2 == 0,
                ["eh", "node-perturbation"][j % 2],
                ["hebbian-trace", "node-perturbation"][i % 2],
            );
            let launched = holds(&machine, "sequence", &settings, NOTHING);
            assert!(launched.contains(&Kernel::FinishFastWeights), "{launched:?}");
        }
    }
}

#[test]
fn the_list_of_changes_equals_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for (i, stage) in ["hebb", "outer", "accumulate", "decay", "modulated"].iter().enumerate() {
        for (j, association) in ["auto", "post-pre", "pre-post"].iter().enumerate() {
            // Three threads per change, and fewer threads than changes.
            let few = "network.neurons=70 readout.rule=eh";
            let many = "network.neurons=21 task.steps=40 readout.rule=node-perturbation";
            for size in [few, many] {
                let settings = format!(
                    "trace.stage={stage} trace.association={association} trace.modulator={} trace.persistent={} \
                     rule.name={} trace.form=history trace.clip=0 trace.alpha=0.1 train.networks=2 train.batch=2 {size}",
                    ["task", "reward", "constant"][j],
                    (i + j) % 2 == 0,
                    ["hebbian-trace", "delta-x", "none"][j],
                );
                let launched = holds(&machine, "sequence", &settings, EVERYTHING);
                assert!(launched.contains(&Kernel::FinishFastWeights), "{launched:?}");
            }
        }
    }
}

#[test]
fn readouts_and_online_rules_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for rule in ["delta-x", "eh", "none"] {
        for readout in ["eh", "node-perturbation", "none"] {
            let rules = format!("rule.name={rule} readout.rule={readout}");
            holds(&machine, "echo", &format!("{rules} train.batch=6 train.networks=2 trace.stage=none"), NOTHING);
        }
    }
}

#[test]
fn every_option_of_a_step_equals_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    let echo = "network.neurons=21 train.batch=3 train.networks=2 network.output=readout readout.rule=none";
    for option in [
        "network.private_noise=0.3",
        "network.private_noise=0.3 rule.name=eh network.dynamics=leaky-rate",
        "network.feedback_scale=0.8 rule.name=delta-x",
        "network.feedback_scale=0.8 network.output=neurons rule.name=node-perturbation",
        "network.dynamics=leaky-rate rule.name=delta-x",
        "network.dynamics=leaky-rate rule.name=node-perturbation network.response=rectified-linear network.response_max=1",
        "readout.rule=delta rule.name=none",
        "readout.rule=delta rule.name=node-perturbation perturbation.distribution=gaussian perturbation.probability=1 rule.start_step=5",
        "readout.rule=node-perturbation readout.perturbation=0.3 modulator.binary=true rule.name=eh",
        "perturbation.distribution=gaussian perturbation.probability=1 rule.name=delta-x",
    ] {
        let launched = holds(&machine, "echo", &format!("{echo} {option}"), EVERYTHING);
        assert!(launched.contains(&Kernel::Step), "{launched:?}");
        holds(&machine, "echo", &format!("{echo} {option}"), NOTHING);
    }
}

#[test]
fn rflo_equals_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for dynamics in ["leaky", "leaky-rate", "discrete"] {
        for other in ["", "rule.start_step=7", "network.response=rectified-linear network.feedback_scale=0.5"] {
            let settings = format!(
                "rule.name=rflo network.neurons=21 train.batch=3 train.networks=2 network.dynamics={dynamics} {other}"
            );
            let launched = holds(&machine, "echo", &settings, EVERYTHING);
            assert_eq!(launched.contains(&Kernel::FilterBack), dynamics == "leaky-rate", "{launched:?}");
            // A history of three steps; where errors are filtered back it holds all of them.
            let short = machine.with(|machine| machine.limits.history_bytes = 3 * 2 * 2 * 3 * 21 * 4);
            let case = Case::new("echo", &settings);
            assert!(case.run(&short, NOTHING) == case.run(&machine, NOTHING), "{settings}");
        }
    }
}

#[test]
fn trials_of_different_lengths_equal_the_reference() {
    let Some(machine) = Emulated::new() else { return };
    for settings in [
        "rule.name=delta-x",
        "rule.name=node-perturbation perturbation.distribution=gaussian perturbation.probability=1",
        "rule.name=eh network.output=readout readout.rule=node-perturbation readout.perturbation=0.3",
        "rule.name=rflo network.dynamics=leaky-rate",
        "rule.name=hebbian-trace trace.stage=decay trace.alpha=0.1 trace.persistent=true",
        "rule.name=none trace.stage=modulated trace.alpha=0.1 trace.modulator=reward trace.form=history",
    ] {
        let sizes = "perturbation.probability=0.05 task.delay_jitter=15";
        holds(&machine, "dnms-variable-delay", &format!("{DNMS} {sizes} {settings}"), EVERYTHING);
    }
}

#[test]
fn nan_weights_show_in_all_results() {
    let Some(machine) = Emulated::new() else { return };
    let mut case = Case::new("dnms", DNMS);
    case.weights.w_rec = (&case.weights.w_rec * f64::NAN).unwrap();
    for kernels in [Kernels::Fused, Kernels::Stepwise] {
        case.setup.config.train.kernels = kernels;
        let results = case.run(&machine, NOTHING);
        assert!(results.iter().all(|(_, values)| values.iter().any(|v| v.is_nan())), "{kernels:?}");
    }
}
