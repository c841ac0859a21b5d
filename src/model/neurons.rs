//! Neuron models: how the state of neurons changes in a step.
//!
//! To add a model, write a type here that implements [`NeuronModel`] and add it to the list in `all`; its name is then
//! a value of `network.dynamics`. `step` is the only method with an equation of motion; implement `variables` (and
//! `start`) if neurons have state beyond x and r, such as an adaptation current. A model outside this crate needs no
//! list: give it to [`crate::TrainerBuilder::own_neurons`].

use super::{Cell, State};
use crate::config::NetworkConfig;
use crate::error::Error;
use crate::ranges::expect;
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// The state variable of spiking neurons that is 1 where a neuron fired in the step, else 0.
pub(crate) const SPIKES: &str = "spikes";

/// A neuron model. All tensors are `[S, B, N]`.
pub trait NeuronModel: Send + Sync {
    /// Its name: the value of `network.dynamics`.
    fn name(&self) -> &str;
    /// The state at the start of a trial, from x(0) with bias neurons clamped.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn start(&self, cell: &Cell, x: Tensor) -> Result<State> {
        Ok(State::new(x.clone(), cell.rate(&x)?))
    }
    /// The state after a step. The drive is the total input: w_in u + w_rec r + b + w_fb z + α H r + ξ + noise.
    ///
    /// # Errors
    /// If an operation on tensors fails.
    fn step(&self, cell: &Cell, state: &State, drive: Tensor) -> Result<State>;
    /// Names of state variables besides x and r, as used in checkpoints.
    fn variables(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// The leaky variable, if the fused kernels and the rule `rflo` support this model; else `None`.
    fn leak(&self, _network: &NetworkConfig) -> Option<Leak> {
        None
    }
    /// Checks that the settings of the network suit the model.
    ///
    /// # Errors
    /// [`Error::Setting`] if they do not.
    fn check(&self, _network: &NetworkConfig) -> crate::error::Result<()> {
        Ok(())
    }
    /// Whether a step lasts `network.dt_ms`; if not, time is counted in steps.
    fn has_time(&self) -> bool {
        true
    }
}

/// The leaky variable, with its leak λ per step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Leak {
    /// x ← x + λ (drive − x), r = φ(x).
    Activation(f64),
    /// x = drive, r ← r + λ (φ(x) − r).
    Rate(f64),
}

/// `discrete`: x(t+1) = drive, r = φ(x) (Sompolinsky et al. 1988).
struct Discrete;

/// `leaky`: x ← x + (dt/τ)(−x + drive), r = φ(x) (Miconi 2017).
struct Leaky;

/// `leaky-rate`: x(t+1) = drive, r ← r + (dt/τ)(−r + φ(x)) (Murray 2019).
struct LeakyRate;

impl NeuronModel for Discrete {
    fn name(&self) -> &str {
        "discrete"
    }

    fn step(&self, cell: &Cell, _state: &State, drive: Tensor) -> Result<State> {
        let x = cell.clamped(drive)?;
        Ok(State::new(x.clone(), cell.rate(&x)?))
    }

    fn leak(&self, _network: &NetworkConfig) -> Option<Leak> {
        Some(Leak::Activation(1.0))
    }

    fn has_time(&self) -> bool {
        false
    }
}

impl NeuronModel for Leaky {
    fn name(&self) -> &str {
        "leaky"
    }

    fn step(&self, cell: &Cell, state: &State, drive: Tensor) -> Result<State> {
        let x = cell.clamped(cell.moved(&state.x, drive)?)?;
        Ok(State::new(x.clone(), cell.rate(&x)?))
    }

    fn leak(&self, network: &NetworkConfig) -> Option<Leak> {
        Some(Leak::Activation(network.dt_ms / network.tau_ms))
    }
}

impl NeuronModel for LeakyRate {
    fn name(&self) -> &str {
        "leaky-rate"
    }

    fn step(&self, cell: &Cell, state: &State, drive: Tensor) -> Result<State> {
        let x = cell.clamped(drive)?;
        Ok(State::new(x.clone(), cell.moved(&state.r, cell.rate(&x)?)?))
    }

    fn leak(&self, network: &NetworkConfig) -> Option<Leak> {
        Some(Leak::Rate(network.dt_ms / network.tau_ms))
    }
}

/// `lif-filtered`, leaky integrate-and-fire: x ← x + (dt/τ)(−x + drive), a spike f = 1 and x ← 0 where x ≥ 1;
/// r ← r e^(−dt/τ_s) + f, so that whatever reads rates reads filtered spikes. Activation is in units of the threshold.
struct Lif;

impl NeuronModel for Lif {
    fn name(&self) -> &str {
        "lif-filtered"
    }

    fn start(&self, _cell: &Cell, x: Tensor) -> Result<State> {
        let silent = x.zeros_like()?;
        Ok(State { x, r: silent.clone(), variables: [(SPIKES, silent)].into() })
    }

    fn step(&self, cell: &Cell, state: &State, drive: Tensor) -> Result<State> {
        let x = cell.moved(&state.x, drive)?;
        let spikes = x.ge(1.0)?.to_dtype(x.dtype())?;
        let x = (&x - (&x * &spikes)?)?;
        Ok(State { x, r: cell.filtered(&state.r, &spikes)?, variables: [(SPIKES, spikes)].into() })
    }

    fn variables(&self) -> Vec<&'static str> {
        vec![SPIKES]
    }

    fn check(&self, network: &NetworkConfig) -> crate::error::Result<()> {
        let expected = "none, since the neurons spike (network.dynamics); network.bias_scale gives them biases";
        expect(network.clamped.is_empty(), "network.clamped", format!("{:?}", network.clamped), expected)
    }
}

/// All neuron models, in the order in which messages list them.
fn all() -> Vec<Arc<dyn NeuronModel>> {
    vec![Arc::new(Discrete), Arc::new(Leaky), Arc::new(LeakyRate), Arc::new(Lif)]
}

/// The neuron model called `name`, or called so in earlier versions.
pub(crate) fn find_neuron_model(name: &str) -> crate::error::Result<Arc<dyn NeuronModel>> {
    let known = all();
    let name = if name == "lif" { "lif-filtered" } else { name };
    let found = known.iter().find(|model| model.name() == name).cloned();
    found.ok_or_else(|| Error::unknown("network.dynamics", name, known.iter().map(|model| model.name())))
}
