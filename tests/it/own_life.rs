//! Lives in a world of one's own, with neuron models and rules of one's own.

use hebbian_rnn::candle_core::{Device, Result, Tensor};
use hebbian_rnn::rules::{PlasticSynapses, SynapseMoment};
use hebbian_rnn::worlds::{Block, View};
use hebbian_rnn::{
    LifeCheckpoint, LifeSetup, Lives, OwnLife, PopulationModel, Setting, SynapseRule, World, WorldState,
};
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// Counts spikes over its whole life; every hundredth is rewarded.
#[derive(Clone)]
struct Counter {
    output: usize,
    count: u64,
}

impl World for Counter {
    fn name(&self) -> &str {
        "counter"
    }
    fn steps(&self) -> usize {
        50
    }
    fn figures(&self) -> Vec<&str> {
        vec!["count"]
    }
    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(self.clone())
    }
}

impl WorldState for Counter {
    fn begin(&mut self, _: &mut Block) {}
    fn stimulate(&mut self, step: usize, input: &mut [f32]) {
        input[usize::from(step.is_multiple_of(3))] = 1.0;
    }
    fn observe(&mut self, _: usize, r: &[f32]) -> f64 {
        self.count += r[self.output] as u64;
        f64::from(u8::from(self.count.is_multiple_of(100)))
    }
    fn end(&mut self, _: &View) -> hebbian_rnn::Result<Vec<f64>> {
        Ok(vec![self.count as f64])
    }
    fn state(&self) -> Value {
        self.count.into()
    }
    fn restore(&mut self, state: &Value) -> hebbian_rnn::Result<()> {
        self.count = state.as_u64().unwrap();
        Ok(())
    }
}

/// Fires where its input, summed over steps, passes a threshold that spikes raise.
struct Tired {
    extra: Option<&'static str>,
}

impl PopulationModel for Tired {
    fn name(&self) -> &str {
        "tired"
    }
    fn variables(&self) -> Vec<&str> {
        [Some("u"), Some("threshold"), self.extra].into_iter().flatten().collect()
    }
    fn start(&self) -> Vec<f64> {
        vec![0.0, 2.0]
    }
    fn spikes(&self) -> bool {
        true
    }
    fn step(
        &self,
        state: &[Tensor],
        input: &Tensor,
        _: Option<&Tensor>,
        _: Option<&Tensor>,
    ) -> Result<(Vec<Tensor>, Tensor)> {
        let u = (&state[0] + input)?;
        let spike = u.gt(&state[1])?.to_dtype(u.dtype())?;
        let threshold = ((&state[1] * 0.99)? + &spike)?;
        Ok((vec![(&u - (&u * &spike)?)?, threshold], spike))
    }
}

/// Keeps an eligibility of coincidences in the step before.
struct Coincidences {
    variable: &'static str,
}

impl SynapseRule for Coincidences {
    fn name(&self) -> &str {
        "coincidences"
    }
    fn variables(&self) -> Vec<&str> {
        vec![self.variable]
    }
    fn looks_back(&self) -> bool {
        true
    }
    fn step(&self, synapses: &mut PlasticSynapses, moment: &mut SynapseMoment) -> Result<()> {
        let fired = (PlasticSynapses::outer(moment.post, moment.pre)? * &synapses.mask)?;
        let eligibility = ((&synapses.synaptic[0] * 0.9)? + fired)?;
        let gate: Vec<f64> = moment.rewards.iter().map(|reward| 0.1 - reward).collect();
        synapses.add(&eligibility.broadcast_mul(&synapses.each(&gate)?)?)?;
        synapses.synaptic[0] = eligibility;
        Ok(())
    }
}

fn own(extra: Option<&'static str>, variable: &'static str) -> OwnLife {
    OwnLife {
        world: Some(Arc::new(|places| {
            let output = places.of("output", |n| n == 1, "1")?.start;
            Ok(Arc::new(Counter { output, count: 0 }))
        })),
        neurons: vec![Arc::new(Tired { extra })],
        rules: vec![Arc::new(Coincidences { variable })],
    }
}

fn setup(own: OwnLife, more: &[&str]) -> hebbian_rnn::Result<LifeSetup> {
    let settings = [
        "life.networks=2",
        "life.seconds=1",
        "life.frozen_seconds=0.1",
        "population.output.neurons.model=tired",
        "projection.hidden-output.rule.name=coincidences",
    ];
    let settings: Vec<Setting> = settings.iter().chain(more).map(|text| Setting::parse(text).unwrap()).collect();
    LifeSetup::resolve_with(Some("xor-temporal"), None, &settings, own)
}

#[test]
fn a_life_of_ones_own_resumes_to_the_same_bytes() {
    let own = own(None, "eligibility");
    let setup = setup(own.clone(), &[]).unwrap();
    assert_eq!(setup.config().world_name().unwrap(), "counter");
    let mut whole = Lives::new(setup.clone(), &Device::Cpu).unwrap();
    let rows = whole.live(u64::MAX).unwrap();
    assert!(rows.last().unwrap().figures[0] > 20.0, "it fires: {rows:?}");
    let mut parts = Lives::new(setup, &Device::Cpu).unwrap();
    let born = parts.checkpoint().unwrap();
    let mut seen = Vec::new();
    while !parts.is_over() {
        seen.extend(parts.live(3).unwrap());
        let bytes = parts.checkpoint().unwrap().to_bytes().unwrap();
        let read = LifeCheckpoint::from_bytes_with(&bytes, own.clone()).unwrap();
        parts = Lives::resume(&read, &Device::Cpu).unwrap();
    }
    assert_eq!(seen, rows);
    let end = whole.checkpoint().unwrap();
    assert_eq!(parts.checkpoint().unwrap().to_bytes().unwrap(), end.to_bytes().unwrap());
    assert_ne!(end.states[0].synapses[1].weight, born.states[0].synapses[1].weight);
    // Without them, the checkpoint names what is missing.
    let error = LifeCheckpoint::from_bytes(&end.to_bytes().unwrap()).err().unwrap().to_string();
    assert!(error.contains("unknown rule `coincidences`"), "{error}");
}

#[test]
fn what_cannot_be_saved_is_refused() {
    let refused = |own: OwnLife, more: &[&str]| setup(own, more).err().unwrap().to_string();
    for (own, more, said) in [
        (own(Some("noise"), "eligibility"), &[][..], "population output: start() has 2 values for 3 variables"),
        (own(Some("u"), "eligibility"), &[], "population output: variable `u`: the name is already in use"),
        (own(None, "weight"), &[], "projection hidden-output: variable `weight`: the name is already in use"),
        (own(None, "a,b"), &[], "variable `a,b`: expected a name of letters"),
        (
            own(None, "eligibility"),
            &["projection.hidden-output.rule.eta=1"],
            "rule `coincidences` is your own and has no parameters; found eta",
        ),
    ] {
        let error = refused(own, more);
        assert!(error.contains(said) && error.lines().count() == 1, "{error}");
    }
}

/// The reward of a step is its number, from 1.
#[derive(Clone)]
struct Numbered(f64);

impl World for Numbered {
    fn name(&self) -> &str {
        "numbered"
    }
    fn steps(&self) -> usize {
        100
    }
    fn figures(&self) -> Vec<&str> {
        Vec::new()
    }
    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(self.clone())
    }
}

impl WorldState for Numbered {
    fn begin(&mut self, _: &mut Block) {}
    fn stimulate(&mut self, _: usize, _: &mut [f32]) {}
    fn observe(&mut self, _: usize, _: &[f32]) -> f64 {
        self.0 += 1.0;
        self.0
    }
    fn end(&mut self, _: &View) -> hebbian_rnn::Result<Vec<f64>> {
        Ok(Vec::new())
    }
}

/// Lists the rewards of all networks in each step.
struct Ledger(Mutex<Vec<Vec<f64>>>);

impl SynapseRule for Ledger {
    fn name(&self) -> &str {
        "ledger"
    }
    fn step(&self, _: &mut PlasticSynapses, moment: &mut SynapseMoment) -> Result<()> {
        self.0.lock().unwrap().push(moment.rewards.to_vec());
        Ok(())
    }
}

#[test]
fn every_modulator_of_an_own_world_acts_once_and_later() {
    let ledger = Arc::new(Ledger(Mutex::new(Vec::new())));
    let own = OwnLife {
        world: Some(Arc::new(|_| Ok(Arc::new(Numbered(0.0))))),
        rules: vec![ledger.clone()],
        ..OwnLife::default()
    };
    let settings =
        ["life.networks=2", "life.seconds=1", "life.shuffle_seconds=0.05", "projection.hidden-output.rule.name=ledger"];
    let settings: Vec<Setting> = settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
    let setup = LifeSetup::resolve_with(Some("xor-temporal"), Some("none"), &settings, own).unwrap();
    let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
    lives.live(u64::MAX).unwrap();
    let states = lives.checkpoint().unwrap().states;
    let seen = ledger.0.lock().unwrap();
    for (network, state) in states.iter().enumerate() {
        let used: Vec<f64> = seen.iter().map(|rewards| rewards[network]).collect();
        assert!(used.iter().zip(1..).all(|(reward, now)| *reward < f64::from(now)));
        let mut all = [&used[..], &state.shuffled].concat();
        all.sort_by(f64::total_cmp);
        let expected: Vec<f64> = (0..50).map(|_| 0.0).chain((1..=1000).map(f64::from)).collect();
        assert_eq!(all, expected);
    }
    assert!(seen.iter().any(|rewards| rewards[0] != rewards[1]));
}
