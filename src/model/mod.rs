//! The network: neurons, state, weights, sign constraints, transfer functions and fast weights. It knows nothing of tasks or
//! learning.

mod cell;
mod dale;
mod fast_weights;
mod neurons;
mod state;
pub(crate) mod tanh;
mod transfer;
mod weights;

pub use cell::Cell;
pub(crate) use dale::signed;
pub use fast_weights::{
    accumulate, clip, decay, hebb, modulated, oja, outer, retroactive, FastWeightPlasticity, FastWeights,
};
pub use neurons::{find_neuron_model, Leak, NeuronModel};
pub use state::State;
pub use transfer::Transfer;
pub use weights::Weights;
