//! The properties shared by the fused kernels of all devices: which setups they can run, and the quantities they
//! derive from a setup.

use super::memory::Sizes;
use super::{Concern, Refusal};
use crate::config::*;
use crate::model::Leak;
use crate::rules::FusedRule;
use crate::setup::Setup;

/// The rule by which `w_rec` learns.
pub(super) fn rule(setup: &Setup, learn: bool) -> FusedRule {
    setup.rule.fused().filter(|_| learn).unwrap_or(FusedRule::Nothing)
}

/// The decay of x̄, for rules whose eligibility is a sum over steps of products of two factors.
pub(super) fn mean_decay(rule: FusedRule) -> Option<f64> {
    match rule {
        FusedRule::DeltaX { x_mean_decay: decay, .. } | FusedRule::Eh(decay) => Some(decay),
        FusedRule::Rflo | FusedRule::NodePerturbation | FusedRule::FastWeights | FusedRule::Nothing => None,
    }
}

/// Whether `rflo` filters errors backward in time: where rates leak, p cannot be factored step by step.
pub(super) fn filters_back(setup: &Setup) -> bool {
    setup.rule.fused() == Some(FusedRule::Rflo)
        && matches!(setup.neurons.leak(&setup.config.network), Some(Leak::Rate(_)))
}

/// Whether the eligibility is a sum over steps of products of two factors that are collected in blocks.
pub(super) fn collects_factors(setup: &Setup, rule: FusedRule) -> bool {
    match rule {
        FusedRule::DeltaX { .. } | FusedRule::Eh(_) | FusedRule::Rflo => true,
        // Sparse perturbations add to single rows.
        FusedRule::NodePerturbation => setup.config.perturbation.distribution == Some(Distribution::Gaussian),
        FusedRule::FastWeights | FusedRule::Nothing => false,
    }
}

/// The kernels that a question concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The kernels that run trials.
    Trials,
    /// The CPU's kernels for episodes in an environment, which support less.
    Episodes,
}

/// The bytes of the eligibility and of its factors, if the rule has them; `factors` is the size of one block of
/// factors.
pub(super) fn eligibility(setup: &Setup, sizes: &Sizes, factors: f64) -> (f64, f64) {
    let rule = rule(setup, sizes.learn);
    let matrix = if rule == FusedRule::Nothing { 0.0 } else { sizes.matrix() };
    (matrix, if collects_factors(setup, rule) { factors } else { 0.0 })
}

/// For each neuron, 0 if it is clamped, otherwise 1; and the activation at which it is clamped, otherwise 0.
pub(super) fn clamps(network: &NetworkConfig) -> (Vec<f32>, Vec<f32>) {
    let (mut free, mut held) = (vec![1.0; network.neurons], vec![0.0; network.neurons]);
    for &(neuron, activation) in &network.clamped {
        (free[neuron], held[neuron]) = (0.0, activation as f32);
    }
    (free, held)
}

/// Why the fused kernels that `train.kernels` calls by one of these names cannot run a setup; `None` if they can.
pub(super) fn refuses(setup: &Setup, called: &[Kernels], of: Of) -> Option<Refusal> {
    if !called.contains(&setup.config.train.kernels) {
        return Some(Refusal::new(Concern::Kernels, "train.kernels asks for others"));
    }
    let feature = unknown_in_network(setup, of).or_else(|| unknown_elsewhere(setup));
    feature.map(|feature| Refusal::new(Concern::Setup, format!("{feature} runs on plain operations")))
}

/// The first setting of the network or number format that the kernels do not support.
///
/// Here and in [`unknown_elsewhere`], every key and every name is listed, so that a new one does not compile until
/// someone decides whether the kernels support it.
fn unknown_in_network(setup: &Setup, of: Of) -> Option<String> {
    let NetworkConfig {
        // Kernels take any size and any weights.
        neurons: _,
        gain: _,
        connectivity: _,
        dale: _,
        excitatory: _,
        dale_density: _,
        dale_weight: _,
        dale_inhibition: _,
        input_weights: InputWeights::Uniform | InputWeights::OneToOne,
        input_scale: _,
        input_to_output_neurons: _,
        bias_scale: _,
        initial_activation: _,
        clamped: _,
        output: Output::Neurons | Output::Readout,
        output_neurons: _,
        readout_scale: _,
        response: TransferFunction::Tanh | TransferFunction::RectifiedLinear,
        response_offset: _,
        response_max: _,
        // Checked through the neuron model.
        dynamics: _,
        tau_ms: _,
        dt_ms: _,
        synapse_ms: _,
        private_noise,
        feedback_scale: _,
        error_feedback_scale: _,
    } = &setup.config.network;
    match setup.config.train.dtype {
        Precision::F32 => {}
        Precision::F64 => return Some("double precision".into()),
    }
    match setup.neurons.leak(&setup.config.network) {
        Some(Leak::Activation(_)) => {}
        Some(Leak::Rate(_)) if of == Of::Trials => {}
        Some(Leak::Rate(_)) => return Some("a rate that leaks (network.dynamics)".into()),
        None => return Some(format!("the neuron model `{}`", setup.neurons.name())),
    }
    (*private_noise > 0.0 && of == Of::Episodes).then(|| "private noise (network.private_noise)".into())
}

/// The first other setting that the kernels do not support.
fn unknown_elsewhere(setup: &Setup) -> Option<String> {
    let Config {
        network: _,
        fast_weights,
        perturbation,
        rule,
        readout,
        bptt: _,
        modulator,
        task: _,
        train: _,
        curriculum: _,
    } = &setup.config;
    let FastWeightsConfig {
        stage:
            Stage::None
            | Stage::Hebb
            | Stage::Outer
            | Stage::Accumulate
            | Stage::Decay
            | Stage::Modulated
            | Stage::Oja
            | Stage::Retroactive,
        association: Association::Auto | Association::PostPre | Association::PrePost,
        modulator: ModulatorSource::Constant | ModulatorSource::Task | ModulatorSource::Reward,
        form: FastWeightsForm::Auto | FastWeightsForm::Written | FastWeightsForm::History,
        alpha: _,
        eta: _,
        clip: _,
        persistent: _,
    } = fast_weights;
    let PerturbationConfig {
        probability: _,
        amplitude: _,
        start_step: _,
        distribution: None | Some(Distribution::Uniform | Distribution::Gaussian),
    } = perturbation;
    let RuleConfig { name: _, eta: _, max_dw: _, clip_growth: _, fall_trials: _, rms_decay: _, own: _, start_step: _ } =
        rule;
    let ReadoutConfig {
        rule: ReadoutRule::None | ReadoutRule::NodePerturbation | ReadoutRule::Eh | ReadoutRule::Delta,
        eta: _,
        perturbation: _,
        mean_decay: _,
        max_dw: _,
        forget: _,
    } = readout;
    let RewardConfig {
        baseline: Baseline::LeaveOneOut | Baseline::ExpectedError,
        expected_error_decay: _,
        expected_error_factor: _,
        warmup_trials: _,
        reward_decay: _,
        binary: _,
        normalise: _,
        shuffle: _,
        energy_cost: _,
    } = modulator;
    let known = setup.rule.fused().is_some() || setup.follows_gradient();
    (!known).then(|| format!("the rule `{}`", setup.rule.name()))
}
