//! Pinned random draws: a change that makes the same seed give other draws fails here, and belongs in the changelog
//! under "Numerically breaking".
//!
//! Everything drawn on the host is pinned, since it is the same on every machine: the streams, the initial weights and
//! the trials. Results of training are not: vector units of different widths round differently.

use crate::support::*;
use hebbian_rnn::engine::{Draw, EpisodeDraws, TrialBatch};
use hebbian_rnn::random::{stream, Phase, Purpose};
use hebbian_rnn::{Episodes, Setting, Setup, TASKS};
use rand::RngExt;
use sha2::{Digest, Sha256};

/// A digest of the values' bits.
#[derive(Default)]
struct Bits(Sha256);

impl Bits {
    fn add(&mut self, values: &[f32]) {
        self.0.update((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| self.0.update(value.to_bits().to_le_bytes()));
    }

    fn short(self) -> String {
        self.0.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Compares all of them at once, so that a failure shows every new value.
fn assert_pinned(found: Vec<(&str, String)>, pinned: &[(&str, &str)]) {
    let found: Vec<String> = found.into_iter().map(|(name, value)| format!("(\"{name}\", \"{value}\"),")).collect();
    let pinned: Vec<String> = pinned.iter().map(|(name, value)| format!("(\"{name}\", \"{value}\"),")).collect();
    assert!(found == pinned, "found\n{}\npinned\n{}", found.join("\n"), pinned.join("\n"));
}

#[test]
fn the_stream_of_every_purpose_and_phase() {
    let purposes = [
        ("input weights", Purpose::InputWeights),
        ("recurrent weights", Purpose::RecurrentWeights),
        ("connectivity", Purpose::Connectivity),
        ("bias", Purpose::Bias),
        ("readout weights", Purpose::ReadoutWeights),
        ("task", Purpose::Task),
        ("initial activation", Purpose::InitialActivation),
        ("perturbation", Purpose::Perturbation),
        ("readout perturbation", Purpose::ReadoutPerturbation),
        ("private noise", Purpose::PrivateNoise),
        ("feedback weights", Purpose::FeedbackWeights),
        ("error feedback", Purpose::ErrorFeedback),
    ];
    let first = |phase, purpose| format!("{:016x}", stream(1, 2, 3, phase, purpose).random::<u64>());
    let mut found: Vec<(&str, String)> =
        purposes.iter().map(|(name, purpose)| (*name, first(Phase::Train, *purpose))).collect();
    found.push(("evaluate", first(Phase::Evaluate, Purpose::Task)));
    found.push(("simulate", first(Phase::Simulate, Purpose::Task)));
    assert_pinned(found, &STREAMS);
}

const STREAMS: [(&str, &str); 14] = [
    ("input weights", "cd280005fbe37308"),
    ("recurrent weights", "9174d24963ff5496"),
    ("connectivity", "920d790263317f93"),
    ("bias", "02215b08a9d6507c"),
    ("readout weights", "10fbf7e8ae2433fc"),
    ("task", "00115f5e8e302a40"),
    ("initial activation", "080f83d9db79f248"),
    ("perturbation", "a3aa5abd21a134a7"),
    ("readout perturbation", "fd6a0b1e1459ea3d"),
    ("private noise", "6f2606e44c338762"),
    ("feedback weights", "0c4b35b360e002c7"),
    ("error feedback", "8784ae4319548df3"),
    ("evaluate", "0016a1640dbfc2e2"),
    ("simulate", "666bcd28d6216866"),
];

#[test]
fn the_initial_weights_of_every_kind() {
    let kinds: [(&str, &str, &[&str]); 4] = [
        ("dnms", "dnms", &["network.connectivity=0.5"]),
        ("dnms-ei", "dnms-ei", &[]),
        ("echo", "echo", &[]),
        ("pattern-generation", "pattern-generation", &["network.feedback_scale=0.5"]),
    ];
    let digest = |task: &str, settings: &[&str]| {
        let settings = [settings, &["network.neurons=24", "train.networks=3..5"]].concat();
        let weights = trainer(task, &settings).weights().unwrap();
        let all = [Some(&weights.w_in), Some(&weights.w_rec), weights.b_rec.as_ref(), weights.w_out.as_ref()];
        let more = [weights.w_fb.as_ref(), weights.error_feedback.as_ref()];
        let mut bits = Bits::default();
        for tensor in all.into_iter().chain(more).flatten() {
            bits.add(&tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        }
        bits.short()
    };
    assert_pinned(kinds.iter().map(|(name, task, settings)| (*name, digest(task, settings))).collect(), &WEIGHTS);
}

const WEIGHTS: [(&str, &str); 4] = [
    ("dnms", "c7619f510f98f7e4"),
    ("dnms-ei", "a10813e9f413cbd8"),
    ("echo", "abfcd4de9b57f5b3"),
    ("pattern-generation", "c5f38eb8f61e3a4e"),
];

#[test]
fn the_trials_of_every_task() {
    let digest = |name: &str| {
        let settings = ["network.neurons=24", "train.networks=3..5", "network.private_noise=0.1"];
        let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        let own = match name {
            // It needs one neuron per bit.
            "recall" => Some("task.bits=20"),
            "dnms-variable-delay" => Some("perturbation.probability=0.003"),
            // It needs one neuron per place cell.
            "open-field" => Some("network.input_weights=uniform"),
            "sequence" => Some("perturbation.probability=0"),
            _ => None,
        };
        let own = own.map(|setting| Setting::parse(setting).unwrap());
        let setup = Setup::resolve(Some(name), &settings.into_iter().chain(own).collect::<Vec<_>>()).unwrap();
        let draw = Draw { seed: 7, phase: Phase::Train, first_trial: 5, trials_each: 3, age: 0, explore: true };
        let batch = TrialBatch::draw(&setup, draw).unwrap();
        let mut bits = Bits::default();
        for drawn in &batch.drawn {
            let trial = &drawn.trial;
            bits.add(&[trial.trial_type as f32]);
            bits.add(&trial.inputs);
            bits.add(&trial.scored.iter().map(|scored| f32::from(u8::from(*scored))).collect::<Vec<_>>());
            bits.add(trial.modulator.as_deref().unwrap_or(&[]));
            bits.add(&trial.targets);
            bits.add(&drawn.x0);
            bits.add(&drawn.readout_noise);
            bits.add(&drawn.private_noise);
            bits.add(
                &drawn.perturbations.iter().flat_map(|k| [k.step as f32, k.neuron as f32, k.size]).collect::<Vec<_>>(),
            );
            if let (Some(episodes), Some(draws)) = (setup.task().episodes(), &drawn.episode) {
                bits.add(&episode(episodes, draws));
                let mut noise = [0.0; 64];
                draws.acting.unwrap().gaussian(1, 1.0, &mut noise);
                bits.add(&noise);
            }
            if let Some(dense) = &drawn.dense {
                let mut xi = [0.0; 24];
                dense.at(2, &mut xi);
                bits.add(&xi);
            }
        }
        bits.short()
    };
    assert_pinned(TASKS.iter().map(|task| (task.name, digest(task.name))).collect(), &TRIALS);
}

/// What is seen and rewarded in an episode in which the same is done again and again.
fn episode(episodes: &Episodes, draws: &EpisodeDraws) -> Vec<f32> {
    let mut world = episodes.environment.start(vec![draws.start.clone()]);
    let mut seen = vec![0.0; episodes.environment.observations().len()];
    let mut all = Vec::new();
    for _ in 0..episodes.environment.limit().min(20) {
        world.observe(0, &mut seen);
        all.extend(seen.iter().map(|seen| *seen as f32));
        let outcome = world.step(0, &[1.0, 0.5]);
        all.push(outcome.reward as f32);
        if outcome.terminated {
            break;
        }
    }
    all
}

const TRIALS: [(&str, &str); 23] = [
    ("dnms", "160d63873ab2896b"),
    ("dnms-long-delay", "cb8db6a6ab64cc3f"),
    ("dnms-variable-delay", "89bb74bbb70bc4b6"),
    ("dnms-ei", "0e23ab708761c4f7"),
    ("selective-integration", "a31ccde6b4bb4092"),
    ("evidence-accumulation", "e339453b83428eb9"),
    ("reach", "79c5b2af2699bcbd"),
    ("pattern-generation", "087fa0adb3b9294b"),
    ("yang19", "01f9e83b225efb49"),
    ("recall", "a607b195530113a6"),
    ("sequence", "0c5d741fa10ac8ca"),
    ("echo", "7fce91564c3656f3"),
    ("bandit", "145af108de45b840"),
    ("two-step", "440d82c2cabd1cd5"),
    ("perceptual-decision", "24a008cb08c9451d"),
    ("t-maze", "920b9e31d5eb09aa"),
    ("open-field", "b2de0a5899913e0a"),
    ("cartpole", "1245df7fc7f6bd96"),
    ("acrobot", "5b7d7f1970fdb675"),
    ("pendulum", "a3c8808b50d1cd62"),
    ("maze", "fce8614ab33b4c18"),
    ("acrobot-swing-up", "07eaeb5c37a36a2d"),
    ("cartpole-swing-up", "dfd13bf0b3801a6c"),
];
