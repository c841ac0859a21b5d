//! The network: neurons, state, weights, transfer functions and fast weights. It does not depend on tasks or learning rules.

mod cell;
mod exp2;
mod fast_weights;
mod neurons;
mod population;
mod state;
mod synapses;
pub(crate) mod tanh;
mod transfer;
mod weights;

pub use cell::Cell;
pub(crate) use fast_weights::FastWeightPlasticity;
pub use fast_weights::FastWeights;
pub(crate) use neurons::{find_neuron_model, SPIKES};
pub use neurons::{Leak, NeuronModel};
pub(crate) use population::{build_population, population_models};
pub use population::{Draws, FusedPopulation, PopulationModel};
pub use state::State;
pub use synapses::{Circuit, Synapses};
pub(crate) use transfer::Transfer;
pub(crate) use weights::signed;
pub use weights::Weights;
