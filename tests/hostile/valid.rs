//! Small intact files, to be damaged.

use candle_core::Device;
use hebbian_rnn::{Checkpoint, LifeSetup, Lives, Result, Setting, Setup, Trainer};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

/// The setup of `task` with `key=value` settings.
pub fn setup(task: &str, settings: &[&str]) -> Result<Setup> {
    let settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s)).collect::<Result<_>>()?;
    Setup::resolve(Some(task), &settings)
}

/// A checkpoint after one update.
pub fn checkpoint(task: &str, settings: &[&str]) -> Checkpoint {
    let mut trainer = Trainer::new(setup(task, settings).unwrap(), &[Device::Cpu]).unwrap();
    trainer.update().unwrap();
    trainer.checkpoint().unwrap()
}

/// Checkpoints that together contain every possible tensor.
pub fn checkpoints() -> Vec<Checkpoint> {
    let small = ["network.neurons=3", "train.batch=2", "train.networks=2"];
    let with = |task, more: &[&str]| checkpoint(task, &[&small, more].concat());
    vec![
        with("echo", &["trace.persistent=true", "network.connectivity=0.5"]),
        with(
            "sequence",
            &["trace.persistent=true", "trace.stage=retroactive", "train.dtype=f64", "train.networks=2..4"],
        ),
        with("echo", &["rule.name=rflo", "network.feedback_scale=0.5"]),
        with("pattern-generation", &["task.steps=6", "rule.name=delta-x"]),
    ]
}

/// Small lives after `blocks` blocks, with a rule for every kind of table of synapses and worlds with every kind of state.
pub fn lives() -> Vec<Lives> {
    let lived = |name: &str, rule: Option<&str>, blocks: u64, settings: &[&str]| {
        let settings: Vec<Setting> =
            settings.iter().chain(&["life.networks=2"]).map(|text| Setting::parse(text).unwrap()).collect();
        let setup = LifeSetup::resolve(Some(name), rule, &settings).unwrap();
        let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
        assert_eq!(lives.live(blocks).unwrap().len() as u64, 2 * blocks);
        lives
    };
    let few = ["population.excitatory.size=8", "population.inhibitory.size=4"];
    let random = [
        "projection.excitatory-excitatory.connect.out_degree=3",
        "projection.excitatory-inhibitory.connect.out_degree=2",
        "projection.inhibitory-excitatory.connect.out_degree=3",
    ];
    let spontaneous = [&few[..], &random].concat();
    let pavlovian = ["world.stimuli=3", "world.neurons=2", "life.seconds=1", "life.frozen_seconds=3"];
    let rates = ["population.recurrent.size=6", "projection.recurrent-recurrent.connect.density=0.5"];
    let pattern = ["world.period_ms=50", "life.seconds=0.1", "life.frozen_seconds=0.5"];
    vec![
        // Traces, eligibilities and all-to-all matrices.
        lived("xor-rate", None, 2, &[&few[..], &["population.hidden.size=5", "world.pattern_ms=100"]].concat()),
        lived(
            "xor-temporal",
            Some("mstdp"),
            1,
            &[
                "population.hidden.size=4",
                "world.pattern_ms=50",
                "world.spikes=5",
                "life.dtype=f64",
                "projection.input-hidden.delay_ms=3",
            ],
        ),
        // Single synapses, dopamine and rewards to come.
        lived("distal-reward", None, 2, &[&spontaneous[..], &["life.seconds=40"]].concat()),
        // In the frozen time, where responses are counted.
        lived("pavlovian", None, 2, &[&spontaneous[..], &pavlovian].concat()),
        lived("hoerzer", None, 3, &[&rates[..], &pattern].concat()),
        // A body, and neurons with escape noise, by events and by matrices.
        lived("linear-track", None, 2, &["population.critic.size=2", "world.pause_seconds=0.1"]),
        lived(
            "maze",
            Some("r-max"),
            1,
            &["population.critic.size=1", "population.actor.size=2", "world.pause_seconds=0.1"],
        ),
        // An environment, whose episode is repeated up to where it was.
        lived(
            "environment",
            None,
            2,
            &[
                "population.critic.size=2",
                "population.actor.size=4",
                "population.place.size=3",
                "world.pause_seconds=0.1",
                "world.body.axes=[{ observation = 'sin', low = -1, high = 1, cells = 3, width = 1 }]",
            ],
        ),
    ]
}

/// A safetensors file with these tensors.
pub fn tensors(entries: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let views = entries
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The bytes of `n` float32 values.
pub fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|k| (k as f32 * 0.25 - 1.0).to_le_bytes()).collect()
}
