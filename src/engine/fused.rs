//! What the fused kernels compute, on any device. Every key and every name stands here: one that is new does not compile until
//! somebody has said whether the kernels know it.

use crate::config::*;
use crate::model::Leak;
use crate::presets::Setup;

/// Why the fused kernels cannot do what a setup asks for; `None`: they can.
pub(super) fn refuses(setup: &Setup) -> Option<String> {
    let Config { network, fast_weights, perturbation, rule, readout, bptt: _, modulator, task: _, train } =
        &setup.config;
    let not = |what: &str| Some(format!("{what} runs on plain operations"));
    match train.dtype {
        Precision::F32 => {}
        Precision::F64 => return not("double precision"),
    }
    let NetworkConfig {
        // Kernels take any size, any weights, and whatever shaped them.
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
        // By way of the neuron model.
        dynamics: _,
        tau_ms: _,
        dt_ms: _,
        private_noise,
        feedback_scale,
        error_feedback_scale: _,
    } = network;
    match setup.neurons.leak(network) {
        Some(Leak::Activation(_)) => {}
        Some(Leak::Rate(_)) => return not("a rate that leaks (network.dynamics)"),
        None => return not(&format!("the neuron model `{}`", setup.neurons.name())),
    }
    if *private_noise > 0.0 {
        return not("private noise (network.private_noise)");
    }
    if *feedback_scale > 0.0 {
        return not("output feedback (network.feedback_scale)");
    }
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
    let PerturbationConfig { probability: _, amplitude: _, start_step: _ } = perturbation;
    let RuleConfig { name: _, eta: _, max_dw: _, clip_growth: _, own: _, start_step: _ } = rule;
    if setup.rule.fused().is_none() && !super::gradient::wanted(setup) {
        return not(&format!("the rule `{}`", setup.rule.name()));
    }
    let ReadoutConfig { rule, eta: _, perturbation: _, mean_decay: _ } = readout;
    match rule {
        ReadoutRule::Delta if network.output == Output::Readout => return not("the delta rule (readout.rule)"),
        ReadoutRule::None | ReadoutRule::NodePerturbation | ReadoutRule::Eh | ReadoutRule::Delta => {}
    }
    let RewardConfig {
        baseline: Baseline::LeaveOneOut | Baseline::ExpectedError,
        expected_error_decay: _,
        expected_error_factor: _,
        warmup_trials: _,
        reward_decay: _,
        binary,
        energy_cost: _,
    } = modulator;
    if *binary {
        return not("the binary modulator (modulator.binary)");
    }
    None
}
