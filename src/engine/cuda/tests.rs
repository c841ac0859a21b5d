//! The driver and the kernels, emulated, against the plain operations.

use super::driver;
use super::emulated::{available, size_of_trials, Emulated, EmulatedUploads};
use super::machine::Kernel;
use super::params::Params;
use super::Workspace;
use crate::config::Setting;
use crate::engine::reference::Reference;
use crate::engine::{Draw, Eligibility, Engine, Ensemble, Episode, Record, TrialBatch};
use crate::model::{FastWeights, Weights};
use crate::presets::Setup;
use crate::random::Phase;
use crate::rules::RewardBaseline;
use candle_core::{DType, Device, Tensor};

const DNMS: [&str; 9] = [
    "network.neurons=21",
    "task.steps=40",
    "task.second_stimulus=15",
    "task.stimulus_steps=8",
    "task.response_steps=10",
    "perturbation.probability=0.05",
    "train.batch=5",
    "train.networks=2",
    "train.updates=1",
];

/// Everything; the kernels keep it only where a test asks for it.
const RECORD: Record = Record { fast_weights: true, rates: true, activations: true };

/// A batch of trials of new networks, and what they are run with.
struct Case {
    setup: Setup,
    weights: Weights,
    baseline: RewardBaseline,
    batch: TrialBatch,
    fast_weights: Option<FastWeights>,
}

impl Case {
    fn new(task: &str, settings: &[&str]) -> Self {
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        let setup = Setup::resolve(Some(task), &settings).unwrap();
        let (config, task) = (&setup.config, &setup.task);
        let (networks, b, n) = (config.train.networks, config.train.batch, config.network.neurons);
        let (n_in, n_out, cpu) = (task.n_in(), task.n_out(), &Device::Cpu);
        let weights = Weights::draw(&config.network, n_in, n_out, 3, networks, DType::F32, cpu).unwrap();
        let mut baseline = RewardBaseline::new(&config.modulator, networks.count(), task.n_types());
        baseline.restore((0..baseline.expected_error().len()).map(|i| 0.1 + 0.07 * i as f64).collect());
        let draw = Draw { seed: 3, phase: Phase::Train, first_trial: 7, trials_each: b, explore: true };
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
            fast_weights: self.fast_weights.clone(),
        }
    }

    fn reference(&self) -> Episode {
        Reference.run(&self.ensemble(), &self.batch, true, RECORD).unwrap()
    }

    fn emulated(&self, machine: &Emulated) -> Episode {
        self.emulated_with(machine, Record::default())
    }

    fn emulated_with(&self, machine: &Emulated, record: Record) -> Episode {
        // A workspace full of another batch's numbers.
        let mut workspace = Workspace::<EmulatedUploads>::default();
        let mut run = || driver::run(machine, &self.ensemble(), &self.batch, true, record, &mut workspace).unwrap();
        if let Some(spent) = run().eligibility {
            workspace.recycle(spent);
        }
        driver::run(machine, &self.ensemble(), &self.batch, true, record, &mut workspace).unwrap()
    }
}

/// Everything an episode leaves behind, by name.
fn results(episode: &Episode) -> Vec<(&'static str, Vec<f32>)> {
    let of = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut all = vec![("outputs", of(&episode.outputs)), ("x", of(&episode.state.x)), ("r", of(&episode.state.r))];
    let recorded = [("rates", &episode.rates), ("activations", &episode.activations)];
    all.extend(recorded.into_iter().filter_map(|(name, tensor)| Some((name, of(tensor.as_ref()?)))));
    if let Some(Eligibility::Tensor(e)) = &episode.eligibility {
        all.push(("eligibility", of(e)));
    }
    if let Some(trace) = &episode.fast_weights {
        all.push(("H", of(&trace.h)));
        all.extend(trace.eligibility.as_ref().map(|e| ("e of the trace", of(e))));
    }
    if let Some((w_out, b_out)) = &episode.readout_change {
        all.extend([("change of w_out", of(w_out)), ("change of b_out", of(b_out))]);
    }
    all
}

/// Runs a case on `machine` forwards and backwards, holds both against the reference, and returns what was launched.
fn holds(task: &str, settings: &[&str], machine: Emulated) -> Vec<Kernel> {
    holds_with(task, settings, machine, Record::default())
}

fn holds_with(task: &str, settings: &[&str], mut machine: Emulated, record: Record) -> Vec<Kernel> {
    let case = Case::new(task, settings);
    let reference = case.reference();
    let found = results(&case.emulated_with(&machine, record));
    let expected = results(&reference);
    let names = |of: &[(&'static str, Vec<f32>)]| of.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let wanted: Vec<_> = expected.iter().filter(|(name, _)| names(&found).contains(name)).cloned().collect();
    assert_eq!(names(&found), names(&wanted), "{settings:?}");
    let missing: Vec<_> = names(&expected).into_iter().filter(|name| !names(&found).contains(name)).collect();
    let optional = [
        ("H", record.fast_weights),
        ("e of the trace", record.fast_weights),
        ("rates", record.rates),
        ("activations", record.activations),
    ];
    assert!(missing.iter().all(|name| optional.contains(&(*name, false))), "{settings:?}: no {missing:?}");
    for ((name, found), (_, expected)) in found.iter().zip(&wanted) {
        assert_eq!(found.len(), expected.len(), "{settings:?}: {name}");
        let scale = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(scale > 0.0, "{settings:?}: {name} is nothing");
        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
        assert!(worst <= 2e-5 * scale, "{settings:?}: {name} is off by {worst:e}, of a largest value {scale:e}");
    }
    machine.backwards = true;
    assert!(
        results(&case.emulated_with(&machine, record)) == found,
        "{settings:?}: the order of threads or blocks matters"
    );
    machine.launched.into_inner().unwrap()
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    DNMS.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn both_sides_agree_on_the_parameters() {
    if available() {
        assert_eq!(size_of_trials(), Some(size_of::<Params>()));
    }
}

#[test]
fn whole_trials_equal_the_reference() {
    if !available() {
        return;
    }
    let rules = ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=none"];
    for rule in rules {
        // Sizes that are and are not multiples of what a thread takes; batches that fill their blocks, and do not; a bias.
        for (neurons, batch) in [("4", "1"), ("21", "5"), ("24", "8"), ("33", "9"), ("50", "3")] {
            let (neurons, batch) = (format!("network.neurons={neurons}"), format!("train.batch={batch}"));
            let clamped = if neurons.ends_with("=4") { "network.clamped=[[2, 0.5]]" } else { "network.bias_scale=0.3" };
            let launched = holds("dnms", &with(&[rule, &neurons, &batch, clamped]), Emulated::default());
            assert!(launched.iter().all(|k| !matches!(k, Kernel::Step | Kernel::FinishTrace)), "{launched:?}");
        }
    }
    holds(
        "dnms",
        &with(&["network.dynamics=discrete", "network.gain=0.9", "perturbation.amplitude=0.5"]),
        Emulated::default(),
    );
    holds("dnms", &with(&["network.connectivity=0.5", "network.clamped=[]", "rule.start_step=0"]), Emulated::default());
}

#[test]
fn each_form_of_whole_trials_equals_the_reference() {
    if !available() {
        return;
    }
    // How many neurons and processors there are chooses; 40 trials of 200 neurons fill a block of 250 threads.
    for (neurons, processors, kernel) in
        [(200, 2, Kernel::WholeTrial8), (21, 1, Kernel::WholeTrial4), (21, 99, Kernel::WholeTrial2)]
    {
        let machine = Emulated { processors, shared_bytes: 227 << 10, ..Emulated::default() };
        let size = format!("network.neurons={neurons}");
        let settings = with(&["train.batch=40", "task.steps=30", "task.response_steps=5", &size]);
        let launched = holds("dnms", &settings, machine);
        assert!(launched.contains(&kernel), "{launched:?}");
    }
}

#[test]
fn the_lengths_of_history_and_stretches_change_no_bit() {
    if !available() {
        return;
    }
    for kernels in ["train.kernels=fused", "train.kernels=stepwise"] {
        for rule in ["rule.name=delta-x", "rule.name=node-perturbation"] {
            let case = Case::new("dnms", &with(&[rule, kernels, "rule.start_step=9"]));
            let whole = results(&case.emulated(&Emulated::default()));
            // Bytes for one step of both factors of all trials.
            for (steps, upload_steps) in [(1, 16), (7, 16), (16, 5), (39, 1), (40, 1000)] {
                let history_bytes = steps * 2 * 2 * 5 * 21 * 4;
                let machine = Emulated { history_bytes, upload_steps, ..Emulated::default() };
                assert!(results(&case.emulated(&machine)) == whole, "{rule} {kernels} {steps} {upload_steps}");
            }
        }
    }
}

#[test]
fn steps_equal_the_reference() {
    if !available() {
        return;
    }
    for rule in ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=eh", "rule.name=none"] {
        for neurons in ["network.neurons=21", "network.neurons=32", "network.neurons=50"] {
            let launched = holds("dnms", &with(&[rule, neurons, "train.kernels=stepwise"]), Emulated::default());
            assert!(launched.contains(&Kernel::Step) && !launched.contains(&Kernel::FinishTrace), "{launched:?}");
        }
    }
    // Networks that do not fit into a block's memory fall back to steps.
    let small = Emulated { shared_bytes: 2 << 10, ..Emulated::default() };
    assert!(holds("dnms", &with(&["rule.name=none"]), small).contains(&Kernel::Step));
}

#[test]
fn recordings_equal_the_reference() {
    if !available() {
        return;
    }
    let launched = holds_with("dnms", &DNMS, Emulated::default(), RECORD);
    assert!(launched.contains(&Kernel::Step), "whole trials keep no recording: {launched:?}");
    holds_with("sequence", &["network.neurons=13", "train.batch=3"], Emulated::default(), RECORD);
}

#[test]
fn rectified_responses_equal_the_reference() {
    if !available() {
        return;
    }
    for kernels in ["train.kernels=fused", "train.kernels=stepwise"] {
        for rule in ["rule.name=delta-x", "rule.name=node-perturbation", "rule.name=none"] {
            // A low ceiling, so that both ends of the range are met.
            let response = ["network.response_max=2.5", "network.response_offset=0.7"];
            let launched = holds("dnms-ei", &with(&[&response[..], &[kernels, rule]].concat()), Emulated::default());
            assert_eq!(launched.contains(&Kernel::Step), kernels.ends_with("stepwise"), "{launched:?}");
        }
    }
}

#[test]
fn more_neurons_than_threads() {
    if !available() {
        return;
    }
    let more = ["network.neurons=1030", "train.batch=1", "train.networks=1", "task.steps=6", "task.response_steps=2"];
    let times = ["task.second_stimulus=3", "task.stimulus_steps=2", "trace.stage=decay", "trace.alpha=0.01"];
    holds("dnms", &with(&[&more[..], &times, &["rule.name=hebbian-trace"]].concat()), Emulated::default());
}

#[test]
fn every_stage_and_association_equals_the_reference() {
    if !available() {
        return;
    }
    let stages = ["hebb", "outer", "accumulate", "decay", "modulated", "oja", "retroactive"];
    for (i, stage) in stages.iter().enumerate() {
        for (j, association) in ["auto", "post-pre", "pre-post"].iter().enumerate() {
            let trace = [
                format!("trace.stage={stage}"),
                format!("trace.association={association}"),
                format!("trace.modulator={}", ["task", "reward", "constant"][(i + j) % 3]),
                format!("trace.clip={}", [0.0, 0.04][(i + j) % 2]),
                format!("trace.persistent={}", i % 2 == 0),
                "trace.form=written".to_string(),
                format!("readout.rule={}", ["eh", "node-perturbation"][j % 2]),
                format!("rule.name={}", ["hebbian-trace", "node-perturbation"][i % 2]),
            ];
            let sizes = ["trace.alpha=0.3", "train.networks=2", "network.neurons=13", "train.batch=3"];
            let settings: Vec<&str> = trace.iter().map(String::as_str).chain(sizes).collect();
            let launched = holds("sequence", &settings, Emulated::default());
            assert!(launched.contains(&Kernel::FinishTrace), "{launched:?}");
        }
    }
}

#[test]
fn the_list_of_changes_equals_the_reference() {
    if !available() {
        return;
    }
    for (i, stage) in ["hebb", "outer", "accumulate", "decay", "modulated"].iter().enumerate() {
        for (j, association) in ["auto", "post-pre", "pre-post"].iter().enumerate() {
            let trace = [
                format!("trace.stage={stage}"),
                format!("trace.association={association}"),
                format!("trace.modulator={}", ["task", "reward", "constant"][j]),
                format!("trace.persistent={}", (i + j) % 2 == 0),
                format!("rule.name={}", ["hebbian-trace", "delta-x", "none"][j]),
            ];
            let form = ["trace.form=history", "trace.clip=0", "trace.alpha=0.1", "train.networks=2", "train.batch=2"];
            // Three threads for each change, and fewer threads than changes.
            let few = ["network.neurons=70", "readout.rule=eh"];
            let many = ["network.neurons=21", "task.steps=40", "readout.rule=node-perturbation"];
            for size in [&few[..], &many[..]] {
                let settings: Vec<&str> =
                    trace.iter().map(String::as_str).chain(form).chain(size.iter().copied()).collect();
                let launched = holds_with("sequence", &settings, Emulated::default(), RECORD);
                assert!(launched.contains(&Kernel::FinishTrace), "{launched:?}");
            }
        }
    }
}

#[test]
fn readouts_and_online_rules_equal_the_reference() {
    if !available() {
        return;
    }
    for rule in ["rule.name=delta-x", "rule.name=eh", "rule.name=none"] {
        for readout in ["readout.rule=eh", "readout.rule=node-perturbation", "readout.rule=none"] {
            holds(
                "echo",
                &[rule, readout, "train.batch=6", "train.networks=2", "trace.stage=none"],
                Emulated::default(),
            );
        }
    }
}

#[test]
fn what_is_not_finite_shows() {
    if !available() {
        return;
    }
    let mut case = Case::new("dnms", &DNMS);
    case.weights.w_rec = (&case.weights.w_rec * f64::NAN).unwrap();
    for settings in ["fused", "stepwise"] {
        case.setup.config.train.kernels =
            if settings == "fused" { crate::config::Kernels::Fused } else { crate::config::Kernels::Stepwise };
        assert!(results(&case.emulated(&Emulated::default()))
            .iter()
            .all(|(_, values)| values.iter().any(|v| v.is_nan())));
    }
}
