//! Lives in plain candle operations, all networks at once, on every device. The fused engine is tested against it, and it also runs
//! the neuron models and rules that the fused engine does not support.

use super::shuffle::shuffled;
use super::{begin, draws, watched, world_of, Drawn, LifeEngine, LifeRecord, LifeState, PlasticState};
use crate::error::Result;
use crate::model::Synapses;
use crate::rules::{PlasticSynapses, SynapseMoment};
use crate::setup::LifeSetup;
use crate::worlds::{LifeRow, View, Wiring, WorldState};
use candle_core::{DType, Device, Tensor};
use std::collections::VecDeque;
use std::sync::Arc;

type Outcome<T> = candle_core::Result<T>;

/// All lives. Tensors of neurons are `[S, n]`, those of synapses `[S, post, pre]`, 0 where there is none.
pub(super) struct Reference {
    setup: Arc<LifeSetup>,
    device: Device,
    dtype: DType,
    worlds: Vec<Box<dyn WorldState>>,
    neurons: Vec<Vec<Tensor>>,
    /// The outputs of all neurons, the newest first.
    outputs: VecDeque<Tensor>,
    projections: Vec<Projection>,
    rewards: Vec<f64>,
    /// The modulators of each network held back by `life.shuffle_seconds`.
    shuffled: Vec<Vec<f64>>,
    /// The population and place of each watched neuron, and their membrane potentials in each network.
    watched: Vec<(usize, usize)>,
    membranes: Vec<Vec<Vec<f64>>>,
    /// The signals of each step in each network, if they are recorded.
    signals: Option<Vec<Vec<Vec<f64>>>>,
}

struct Projection {
    /// The synapses of each network.
    synapses: Vec<Synapses>,
    plastic: PlasticSynapses,
}

/// The matrices `[S, post, pre]` with `values` at the synapses.
fn dense(synapses: &[Synapses], values: impl Fn(usize) -> Vec<f64>, to: usize, from: usize) -> Vec<f64> {
    let mut all = vec![0.0; synapses.len() * to * from];
    for (s, (synapses, matrix)) in synapses.iter().zip(all.chunks_exact_mut(to * from)).enumerate() {
        for ((pre, post), value) in synapses.pre.iter().zip(&synapses.post).zip(values(s)) {
            matrix[*post as usize * from + *pre as usize] = value;
        }
    }
    all
}

impl Reference {
    pub fn new(setup: &LifeSetup, mut states: Vec<LifeState>, record: &LifeRecord, device: &Device) -> Result<Self> {
        let networks = setup.config.life.networks;
        let worlds = networks.range().zip(&mut states).map(|(network, state)| world_of(setup, network, state));
        let worlds = worlds.collect::<Result<_>>()?;
        let (s, dtype) = (states.len(), DType::from(setup.config.life.dtype));
        let tensor = |values: Vec<f64>, shape: &[usize]| -> Outcome<Tensor> {
            Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
        };
        let stacked = |of: &dyn Fn(&LifeState) -> &[f64]| -> Outcome<Tensor> {
            let values: Vec<f64> = states.iter().flat_map(|state| of(state).iter().copied()).collect();
            let n = values.len() / s;
            tensor(values, &[s, n])
        };
        let neurons =
            setup.models.iter().enumerate().map(|(p, model)| {
                (0..model.variables().len()).map(|v| stacked(&|state| &state.neurons[p][v])).collect()
            });
        let neurons = neurons.collect::<Outcome<_>>()?;
        let outputs = (0..states[0].outputs.len()).map(|d| stacked(&|state| &state.outputs[d]));
        let outputs = outputs.collect::<Outcome<_>>()?;
        let projections = (0..setup.rules.len()).map(|k| {
            let (from, to) = setup.circuit.ends(k);
            let (from, to) = (from.len(), to.len());
            let synapses: Vec<Synapses> = states.iter().map(|state| state.synapses[k].clone()).collect();
            let matrix =
                |values: &dyn Fn(usize) -> Vec<f64>| tensor(dense(&synapses, values, to, from), &[s, to, from]);
            let kept = |of: fn(&PlasticState) -> &Vec<f64>| -> Outcome<Option<Tensor>> {
                let any = !of(&states[0].plastic[k]).is_empty();
                any.then(|| stacked(&|state| of(&state.plastic[k]))).transpose()
            };
            let variables = setup.rules[k].as_ref().map_or(0, |rule| rule.variables().len());
            let synaptic =
                (0..variables).map(|v| matrix(&|i| states[i].plastic[k].synaptic.get(v).cloned().unwrap_or_default()));
            let config = &setup.config.projections[k];
            let plastic = PlasticSynapses {
                mask: matrix(&|i| vec![1.0; synapses[i].pre.len()])?,
                weight: matrix(&|i| synapses[i].weight.clone())?,
                synaptic: synaptic.collect::<Outcome<_>>()?,
                pre: kept(|plastic| &plastic.pre)?,
                post: kept(|plastic| &plastic.post)?,
                level: states.iter().flat_map(|state| state.plastic[k].level.iter().copied()).collect(),
                bounds: (config.w_min, config.w_max),
                resets: setup.resets[k],
            };
            Ok(Projection { synapses, plastic })
        });
        let projections = projections.collect::<Outcome<_>>()?;
        Ok(Reference {
            setup: Arc::new(setup.clone()),
            device: device.clone(),
            dtype,
            worlds,
            neurons,
            outputs,
            projections,
            rewards: states.iter().map(|state| state.reward).collect(),
            shuffled: states.iter_mut().map(|state| std::mem::take(&mut state.shuffled)).collect(),
            membranes: vec![vec![Vec::new(); record.membranes.len()]; s],
            signals: record.signals.then(|| vec![Vec::new(); s]),
            watched: watched(setup, record),
        })
    }

    fn host(&self, tensor: &Tensor) -> Outcome<Vec<Vec<f64>>> {
        tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_from(1)?.to_vec2()
    }

    fn step(&mut self, now: u64, step: usize, frozen: bool, drawn: &mut [Drawn]) -> Outcome<Vec<Vec<f32>>> {
        let setup = self.setup.clone();
        let n = setup.circuit.neurons();
        let mut stimulus = vec![0.0f32; self.worlds.len() * n];
        for (world, input) in self.worlds.iter_mut().zip(stimulus.chunks_exact_mut(n)) {
            world.stimulate(step, input);
        }
        let stimulus = Tensor::from_vec(stimulus, (self.worlds.len(), n), &Device::Cpu)?;
        let stimulus = stimulus.to_dtype(self.dtype)?.to_device(&self.device)?;
        let populations = &setup.circuit.populations;
        let of = |tensor: &Tensor, p: usize| tensor.narrow(1, populations[p].1.start, populations[p].1.len());
        let mut inputs = (0..populations.len()).map(|p| of(&stimulus, p)).collect::<Outcome<Vec<_>>>()?;
        let zeros = |p: usize| setup.split[p].then(|| inputs[p].zeros_like()).transpose();
        let mut lasting = (0..populations.len()).map(zeros).collect::<Outcome<Vec<_>>>()?;
        let mut delivered = Vec::new();
        let looks_back = |k: usize| setup.rules[k].as_ref().map(|rule| rule.looks_back());
        for (k, (_, from, to)) in setup.circuit.projections.iter().enumerate() {
            let r = of(&self.outputs[setup.delays[k] - 1], *from)?;
            let arriving = self.projections[k].plastic.weight.matmul(&r.unsqueeze(2)?)?.squeeze(2)?;
            match &mut lasting[*to] {
                Some(lasting) if !setup.resets[k] => *lasting = (&*lasting + arriving)?,
                _ => inputs[*to] = (&inputs[*to] + arriving)?,
            }
            if !frozen && looks_back(k) == Some(true) {
                let newest = self.outputs[0].clone();
                self.learn(k, (&r, &newest), now, drawn)?;
            }
            delivered.push(r);
        }
        let r = self.advance(&setup, (&inputs, &lasting), frozen, drawn)?;
        self.outputs.pop_back();
        self.outputs.push_front(r.clone());
        let seen: Vec<Vec<f32>> = r.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec2()?;
        for (k, (world, r)) in self.worlds.iter_mut().zip(&seen).enumerate() {
            let reward = world.observe(step, r);
            let held = &mut self.shuffled[k];
            self.rewards[k] = if world.is_over() { reward } else { shuffled(reward, held, &mut drawn[k].modulator) };
        }
        for (k, arrived) in delivered.iter().enumerate() {
            if !frozen && looks_back(k) == Some(false) {
                self.learn(k, (arrived, &r), now, drawn)?;
            }
        }
        let learning = self.setup.rules.iter().zip(&self.projections).filter(|(rule, _)| rule.is_some());
        let levels: Vec<&[f64]> = learning.map(|(_, projection)| &projection.plastic.level[..]).collect();
        for (i, signals) in self.signals.iter_mut().flatten().enumerate() {
            let levels = levels.iter().map(|level| level[i]);
            signals.push(std::iter::once(self.rewards[i]).chain(levels).chain(self.worlds[i].signals()).collect());
        }
        Ok(seen)
    }

    /// Applies the rule of projection `k` in a step with the input `arrived` and the `newest` outputs of all neurons.
    fn learn(&mut self, k: usize, (arrived, newest): (&Tensor, &Tensor), now: u64, drawn: &mut [Drawn]) -> Outcome<()> {
        let setup = &self.setup;
        let (Some(rule), (_, from, to)) = (&setup.rules[k], &setup.circuit.projections[k]) else { return Ok(()) };
        let of = |p: usize| {
            let places = &setup.circuit.populations[p].1;
            newest.narrow(1, places.start, places.len())
        };
        let mut moment = SynapseMoment {
            arrived,
            pre: &of(*from)?,
            post: &of(*to)?,
            probability: setup.models[*to].probability().map(|variable| &self.neurons[*to][variable]),
            rewards: &self.rewards,
            now,
            random: drawn.iter_mut().map(|drawn| &mut drawn.modulator).collect(),
        };
        rule.step(&mut self.projections[k].plastic, &mut moment)
    }

    fn advance(
        &mut self,
        setup: &LifeSetup,
        (inputs, lasting): (&[Tensor], &[Option<Tensor>]),
        frozen: bool,
        drawn: &mut [Drawn],
    ) -> Outcome<Tensor> {
        let mut outputs = Vec::new();
        for (p, model) in setup.models.iter().enumerate() {
            let n = setup.circuit.populations[p].1.len();
            let uniform = if draws(setup, p, frozen) {
                let mut values = vec![0.0f32; drawn.len() * n];
                values.chunks_exact_mut(n).zip(&mut *drawn).for_each(|(values, drawn)| drawn.noise.fill(values));
                let values = Tensor::from_vec(values, (drawn.len(), n), &Device::Cpu)?;
                Some(values.to_dtype(self.dtype)?.to_device(&self.device)?)
            } else {
                None
            };
            let (state, r) = model.step(&self.neurons[p], &inputs[p], lasting[p].as_ref(), uniform.as_ref())?;
            self.neurons[p] = state;
            outputs.push(r);
        }
        for (k, (p, neuron)) in self.watched.iter().enumerate() {
            let variables: Vec<Vec<Vec<f64>>> =
                self.neurons[*p].iter().map(|v| self.host(v)).collect::<Outcome<_>>()?;
            for (s, membranes) in self.membranes.iter_mut().enumerate() {
                let own: Vec<f64> = variables.iter().map(|values| values[s][*neuron]).collect();
                membranes[k].extend(setup.models[*p].membrane(&own));
            }
        }
        Tensor::cat(&outputs, 1)
    }

    /// The values of a matrix at the synapses of network `s`.
    fn at_synapses(synapses: &Synapses, matrix: &[f64], from: usize) -> Vec<f64> {
        let pairs = synapses.pre.iter().zip(&synapses.post);
        pairs.map(|(pre, post)| matrix[*post as usize * from + *pre as usize]).collect()
    }
}

impl LifeEngine for Reference {
    fn run(&mut self, first: u64, blocks: u64) -> Result<Vec<Vec<LifeRow>>> {
        let networks = self.setup.config.life.networks;
        let mut rows: Vec<Vec<LifeRow>> = vec![Vec::new(); networks.count()];
        self.signals.iter_mut().flatten().for_each(Vec::clear);
        for index in first..first + blocks {
            let steps = self.setup.world.steps();
            let (mut drawn, mut frozen) = (Vec::new(), false);
            for (world, network) in self.worlds.iter_mut().zip(networks.range()) {
                let (mut block, numbers) = begin(&self.setup, network, index);
                frozen = block.frozen;
                world.begin(&mut block);
                drawn.push(numbers);
            }
            let mut counts = vec![vec![0u32; self.setup.circuit.neurons()]; networks.count()];
            let lived: Vec<bool> = self.worlds.iter().map(|world| !world.is_over()).collect();
            for step in (0..steps).filter(|_| lived.contains(&true)) {
                let seen = self.step(index * steps as u64 + step as u64, step, frozen, &mut drawn)?;
                for (counts, r) in counts.iter_mut().zip(&seen) {
                    counts.iter_mut().zip(r).for_each(|(count, r)| *count += *r as u32);
                }
            }
            let seconds = self.setup.block_seconds();
            let mut states = self.states()?;
            let all =
                self.worlds.iter_mut().zip(networks.range()).zip(&mut states).zip(&counts).zip(&mut rows).zip(lived);
            for (((((world, network), state), counts), rows), lived) in all {
                let wiring: Vec<Wiring> = super::wiring(&self.setup, &mut state.synapses);
                let figures = world.end(&View { spikes: counts, seconds, wiring: &wiring })?;
                rows.push(LifeRow { lived, ..LifeRow::new(network, (index + 1) as f64 * seconds, frozen, figures) });
            }
        }
        Ok(rows)
    }

    fn is_over(&self) -> bool {
        self.worlds.iter().all(|world| world.is_over())
    }

    fn states(&self) -> Result<Vec<LifeState>> {
        let s = self.worlds.len();
        let outputs = self.outputs.iter().map(|r| self.host(r)).collect::<Outcome<Vec<_>>>()?;
        let neurons = self
            .neurons
            .iter()
            .map(|vars| vars.iter().map(|v| self.host(v)).collect())
            .collect::<Outcome<Vec<Vec<_>>>>()?;
        let mut states: Vec<LifeState> = (0..s)
            .map(|i| LifeState {
                neurons: neurons.iter().map(|vars| vars.iter().map(|v| v[i].clone()).collect()).collect(),
                outputs: outputs.iter().map(|r| r[i].clone()).collect(),
                synapses: Vec::new(),
                plastic: Vec::new(),
                reward: self.rewards[i],
                shuffled: self.shuffled[i].clone(),
                world: self.worlds[i].state(),
                membranes: self.membranes[i].clone(),
                trail: self.worlds[i].trail().unwrap_or_default().to_vec(),
                signals: self.signals.as_ref().map_or(Vec::new(), |signals| signals[i].clone()),
            })
            .collect();
        for (k, projection) in self.projections.iter().enumerate() {
            let from = self.setup.circuit.ends(k).0.len();
            let weight = self.host(&projection.plastic.weight)?;
            let read = |of: &Option<Tensor>| of.as_ref().map(|tensor| self.host(tensor)).transpose();
            let (pre, post) = (read(&projection.plastic.pre)?, read(&projection.plastic.post)?);
            let synaptic = projection.plastic.synaptic.iter().map(|v| self.host(v)).collect::<Outcome<Vec<_>>>()?;
            for (i, state) in states.iter_mut().enumerate() {
                let synapses = &projection.synapses[i];
                let row = |of: &Option<Vec<Vec<f64>>>| of.as_ref().map_or(Vec::new(), |of| of[i].clone());
                state.plastic.push(PlasticState {
                    synaptic: synaptic.iter().map(|v| Self::at_synapses(synapses, &v[i], from)).collect(),
                    pre: row(&pre),
                    post: row(&post),
                    level: projection.plastic.level.get(i).map_or(Vec::new(), |level| vec![*level]),
                });
                let weight = Self::at_synapses(synapses, &weight[i], from);
                state.synapses.push(Synapses { weight, ..synapses.clone() });
            }
        }
        Ok(states)
    }
}
