//! The arguments of `simulate`.

use clap::{value_parser, Args, ValueEnum};
use std::path::PathBuf;

/// The quantities that `simulate` can record in addition to the outputs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recordable {
    Rates,
    Activations,
    Trace,
    /// Lives only: the weights after every block
    Weights,
}

#[derive(Args)]
#[command(after_help = "\
With --trials, the output file holds for S networks and B trials of up to T steps: `inputs` [S, B, T, n_in], `outputs` \
[S, B, T, n_out], `type` [S, B] (an index into the names `types` in the metadata), `steps` [S, B], `correct` [S, B]; for a task also \
`targets` [S, B, T, n_out], `mask` [S, B, T], `error` [S, B] and its labels; for an environment also `observations`, `actions` and \
`rewards` [S, B, E, …] of its E steps, a critic's `values`, and `terminated` [S, B].

With --next-update, the output file holds, for each trial, `inputs`, `x0`, `perturbation` [S, B, T, N], `rates`, `activations`, `outputs`, \
`cost` [S, B], `type`, `expected_error`, `modulator` [S, B] and `eligibility` [S, B, N, N], and `eta`, `bound`, `w_rec_before` and \
`w_rec_after`, which is w_rec_before + clip(eta · sum over trials of modulator · eligibility, ±bound).

For lives, the output file holds `modulator` [S, T], what acts on the weights after each of T steps; `level.PROJECTION` [S, T], what a \
rule keeps (dopamine, or a mean or expected reward); the world's signals [S, T], such as `value` and `reward`; and for each network K \
`K.spikes.POPULATION` [n, 2], the step and neuron of every spike, or `K.rates.POPULATION` [T, neurons].

The input file holds `inputs` [B, T, n_in] (the same for every network) or [S, B, T, n_in]; optionally `modulator` [B, T], \
the neuromodulator m(t) that drives the Hebbian trace; `x` [B, N] or [S, B, N], the initial activations; and \
`hebbian_trace` [S, B, N, N], the initial trace. A task file will do, and so will a file that simulate has written. The output file holds `outputs` [S, B, T, n_out].

If recorded, there are `rates` and `activations` [S, B, T, N]; with inputs, also `hebbian_trace` [S, B, N, N] after the last step.")]
pub struct SimulateArgs {
    /// A checkpoint or a run's folder
    pub checkpoint: PathBuf,
    /// Run this many fresh trials, or episodes, of the networks' own task
    #[arg(long, value_name = "B", value_parser = value_parser!(u64).range(1..), required_unless_present_any = ["inputs", "seconds", "next_update"])]
    pub trials: Option<u64>,
    /// With --trials: record only trials of these types, separated by commas
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',', conflicts_with_all = ["inputs", "seconds", "next_update"])]
    pub types: Vec<String>,
    /// Run the inputs in this file (.safetensors, or NumPy's .npz)
    #[arg(long, visible_alias = "task-file", value_name = "FILE", conflicts_with = "trials")]
    pub inputs: Option<PathBuf>,
    /// Write the parts of the next update in training: perturbations, eligibilities, modulators, the change of w_rec
    #[arg(long, conflicts_with_all = ["trials", "inputs", "silence", "seed", "seconds", "record"])]
    pub next_update: bool,
    /// Lives only: continue for this many simulated seconds, in memory, and record every step
    #[arg(long, value_name = "S", conflicts_with_all = ["trials", "inputs", "silence", "seed"])]
    pub seconds: Option<f64>,
    /// With --seconds: weights change, as if the lives had gone on; otherwise they are frozen
    #[arg(long, requires = "seconds")]
    pub learn: bool,
    /// With --seconds: record the membrane potentials of these neurons, POPULATION.NEURON, separated by commas
    #[arg(long, value_name = "NEURONS", value_delimiter = ',', requires = "seconds")]
    pub watch: Vec<String>,
    /// The output file; NumPy arrays if its name ends in .npz, else safetensors
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the output file if it exists; never the inputs or a checkpoint
    #[arg(long)]
    pub force: bool,
    /// Quantities to record in addition to the outputs, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub record: Vec<Recordable>,
    /// Silence neurons, like a lesion: 3,7 or 10..20, under Dale's law also `inhibitory`; their rates are not transmitted to other
    /// neurons or to the readout
    #[arg(long, value_name = "NEURONS", value_delimiter = ',')]
    pub silence: Vec<String>,
    /// Seed of the trials, or of the initial activations if the input file has none [default: the run's seed]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
}
