//! The argument of every kernel: the same fields as `struct Trials` in `kernels/trials.cuh`, in the same order.

use crate::config::{Association, ModulatorSource, Output, ReadoutRule, Stage, TransferFunction};
use crate::engine::fused;
use crate::model::Leak;
use crate::rules::FusedRule;
use crate::setup::Setup;
use crate::tasks::{ErrorMeasure, TrialShape};

/// A tensor's address on its device; 0 if it is absent.
pub(super) type Address = u64;

/// As in `kernels/trials.cuh`: the numbers of `rflo` and of the readout's delta rule.
const RFLO: u32 = 4;
const READOUT_DELTA: u32 = 3;

/// `kernels/trials.cuh` documents each field and its shape.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Params {
    pub w_rec: Address,
    pub w_in: Address,
    pub b_rec: Address,
    pub w_out: Address,
    pub b_out: Address,
    pub w_fb: Address,
    pub error_feedback: Address,
    pub free: Address,
    pub held: Address,
    pub output_neurons: Address,
    pub ends: Address,
    pub perturbation_start: Address,
    pub perturbations: Address,
    pub inputs: Address,
    pub readout_noise: Address,
    pub private_noise: Address,
    pub dense: Address,
    pub targets: Address,
    pub scored: Address,
    pub modulator: Address,
    pub x: Address,
    pub r: Address,
    pub r_before: Address,
    pub x_mean: Address,
    pub recurrent: Address,
    pub next_perturbation: Address,
    pub reward_mean: Address,
    pub output_mean: Address,
    pub h_modulator: Address,
    pub h: Address,
    pub h_eligibility: Address,
    pub change_post: Address,
    pub change_pre: Address,
    pub change_weight: Address,
    pub outputs: Address,
    pub rates: Address,
    pub activations: Address,
    pub post: Address,
    pub pre: Address,
    pub eligibility: Address,
    pub w_out_change: Address,
    pub b_out_change: Address,
    pub errors: Address,
    pub networks: u32,
    pub trials_each: u32,
    pub neurons: u32,
    pub steps: u32,
    pub n_in: u32,
    pub n_out: u32,
    pub block: u32,
    pub first_step: u32,
    pub count: u32,
    pub slot: u32,
    pub stretch_first: u32,
    pub stretch: u32,
    pub rule: u32,
    pub start_step: u32,
    pub stage: u32,
    pub association: u32,
    pub modulated_by: u32,
    pub readout_rule: u32,
    pub online: u32,
    pub squared_error: u32,
    pub binary: u32,
    pub collects: u32,
    pub rectified: u32,
    pub add: u32,
    pub tile: u32,
    pub groups: u32,
    pub list_length: u32,
    pub leak: f32,
    pub rate_leak: f32,
    pub x_mean_decay: f32,
    pub alpha: f32,
    pub h_eta: f32,
    pub h_clip: f32,
    pub reward_decay: f32,
    pub readout_variance: f32,
    pub output_mean_decay: f32,
    pub response_offset: f32,
    pub response_max: f32,
    pub h_kept: f32,
}

impl Params {
    /// All settings and sizes for `networks` × `trials_each` trials; the addresses are still 0.
    pub fn new(setup: &Setup, shape: TrialShape, networks: usize, trials_each: usize, learn: bool) -> Self {
        let config = &setup.config;
        let network = &config.network;
        let learns = fused::rule(setup, learn);
        let readout = learn && network.output == Output::Readout;
        let (leak, rate_leak) = match setup.neurons.leak(network) {
            Some(Leak::Activation(leak)) => (leak, 0.0),
            Some(Leak::Rate(leak)) => (1.0, leak),
            // The engine refuses these.
            None => (f64::NAN, f64::NAN),
        };
        Params {
            networks: networks as u32,
            trials_each: trials_each as u32,
            neurons: network.neurons as u32,
            steps: shape.steps as u32,
            n_in: shape.n_in as u32,
            n_out: shape.n_out as u32,
            rule: match learns {
                FusedRule::DeltaX { .. } => 1,
                FusedRule::NodePerturbation => 2,
                FusedRule::Eh(_) => 3,
                FusedRule::Rflo => RFLO,
                FusedRule::FastWeights | FusedRule::Nothing => 0,
            },
            collects: u32::from(fused::collects_factors(setup, learns)),
            start_step: config.rule.start_step.min(shape.steps) as u32,
            stage: match config.fast_weights.stage {
                Stage::None => 0,
                Stage::Hebb | Stage::Outer => 1,
                Stage::Accumulate => 2,
                Stage::Decay => 3,
                Stage::Modulated => 4,
                Stage::Oja => 5,
                Stage::Retroactive => 6,
            },
            association: match config.fast_weights.association {
                Association::Auto => 0,
                Association::PostPre => 1,
                Association::PrePost => 2,
            },
            modulated_by: match config.fast_weights.modulator {
                ModulatorSource::Constant => 0,
                ModulatorSource::Task => 1,
                ModulatorSource::Reward => 2,
            },
            readout_rule: match config.readout.rule {
                ReadoutRule::NodePerturbation if readout => 1,
                ReadoutRule::Eh if readout => 2,
                ReadoutRule::Delta if readout => READOUT_DELTA,
                ReadoutRule::NodePerturbation | ReadoutRule::Eh | ReadoutRule::Delta | ReadoutRule::None => 0,
            },
            online: u32::from(setup.reads_reward_online()),
            squared_error: u32::from(shape.measure == ErrorMeasure::Squared),
            binary: u32::from(config.modulator.binary),
            leak: leak as f32,
            rate_leak: rate_leak as f32,
            x_mean_decay: match learns {
                FusedRule::Rflo => 1.0 - leak as f32,
                _ => fused::mean_decay(learns).unwrap_or(0.0) as f32,
            },
            alpha: config.fast_weights.alpha as f32,
            h_eta: config.fast_weights.eta as f32,
            h_clip: config.fast_weights.clip as f32,
            reward_decay: config.modulator.reward_decay as f32,
            readout_variance: (config.readout.perturbation * config.readout.perturbation) as f32,
            output_mean_decay: config.readout.mean_decay as f32,
            rectified: u32::from(network.response == TransferFunction::RectifiedLinear),
            response_offset: network.response_offset as f32,
            response_max: network.response_max as f32,
            ..Params::default()
        }
    }

    /// Whether the eligibility is a sum over steps of products of two recorded factors.
    pub fn has_factors(&self) -> bool {
        self.collects != 0
    }

    /// Whether the rule is `rflo`, which keeps the errors of all steps.
    pub fn keeps_errors(&self) -> bool {
        self.rule == RFLO
    }

    /// Whether kernels read targets: for the reward of a step, or for its error.
    pub fn reads_targets(&self) -> bool {
        self.online != 0 || self.readout_rule == READOUT_DELTA || self.keeps_errors()
    }

    /// Whether `filter_back` completes the factors when all steps have left theirs.
    pub fn filters_back(&self) -> bool {
        self.keeps_errors() && self.rate_leak > 0.0
    }
}
