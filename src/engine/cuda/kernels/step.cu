// One step of every trial: one block of threads per trial, one thread per neuron (or for several neurons if N is
// large).
//
// Does everything except the recurrent product, which is ready in `recurrent`: fast weights, drive, activation, output,
// reward, learning of the readout, and the factors of the eligibility. Tests compare it with engine/reference.
#include "fast_weights.cuh"

// The sum of `value` over the threads of a block, returned to every thread; always in the same order.
__device__ static float block_sum(float value, float *sums) {
    const u32 me = threadIdx.x;
    sums[me] = value;
    __syncthreads();
    u32 width = 1;
    while (width < blockDim.x) width *= 2;
    for (u32 half = width / 2; half > 0; half /= 2) {
        if (me < half && me + half < blockDim.x) sums[me] += sums[me + half];
        __syncthreads();
    }
    const float sum = sums[0];
    __syncthreads();
    return sum;
}

// w_in u + b for neuron i.
__device__ static float input_drive(const Trials &of, u32 network, u32 trial, u32 step, u32 i) {
    const float *u = of.inputs + drawn(of, trial, step) * of.n_in;
    const float *w = of.w_in + ((size_t)network * of.neurons + i) * of.n_in;
    float drive = of.b_rec ? of.b_rec[network * of.neurons + i] : 0.0f;
    for (u32 k = 0; k < of.n_in; k++) drive = fmaf(w[k], u[k], drive);
    return drive;
}

// The index of a trial's first perturbation at or after this step.
__device__ static u32 next_perturbation(const Trials &of, u32 trial, u32 step) {
    return step == of.stretch_first ? of.perturbation_start[trial] : of.next_perturbation[trial];
}

// Adds this step's perturbations of neuron i to `drive`; for `node-perturbation`, adds ξ r_preᵀ to the eligibility, in
// column i of the perturbed neurons' rows.
__device__ static float perturbed(const Trials &of, u32 trial, u32 step, u32 i, float r_before, float drive) {
    const bool learns = of.rule == RULE_NODE_PERTURBATION && step >= of.start_step;
    const u32 n = of.neurons, end = of.perturbation_start[trial + 1];
    for (u32 k = next_perturbation(of, trial, step); k < end && of.perturbations[k].step == step; k++) {
        const Perturbation perturbation = of.perturbations[k];
        if (perturbation.neuron == i) drive += perturbation.size;
        if (learns) {
            float *e = of.eligibility + ((size_t)trial * n + perturbation.neuron) * n + i;
            *e = fmaf(perturbation.size, r_before, *e);
        }
    }
    return drive;
}

// Writes the output for rates r, without noise, to `z`, which the block shares.
__device__ static void read_out(const Trials &of, u32 network, const float *r, float *z, float *sums) {
    for (u32 o = 0; o < of.n_out; o++) {
        float value;
        if (of.w_out) {
            const float *w = of.w_out + ((size_t)network * of.n_out + o) * of.neurons;
            float part = 0.0f;
            for (u32 i = threadIdx.x; i < of.neurons; i += blockDim.x) part = fmaf(w[i], r[i], part);
            value = block_sum(part, sums) + of.b_out[network * of.n_out + o];
        } else {
            value = r[of.output_neurons[o]];
        }
        if (threadIdx.x == 0) z[o] = value;
    }
    __syncthreads();
}

// Writes the output of a step, with its noise, to memory and to `z`.
__device__ static void output(const Trials &of, u32 network, u32 trial, u32 step, const float *r, float *z, float *sums) {
    const size_t at = ((size_t)trial * of.steps + step) * of.n_out;
    read_out(of, network, r, z, sums);
    if (threadIdx.x == 0) {
        for (u32 o = 0; o < of.n_out; o++) {
            if (of.w_out && of.readout_noise) z[o] += of.readout_noise[drawn(of, trial, step) * of.n_out + o];
            of.outputs[at + o] = z[o];
        }
    }
    __syncthreads();
}

// Writes the output that a step feeds back to `z`: that of the step before, at first that of r(0).
__device__ static void fed_back(const Trials &of, u32 network, u32 trial, u32 step, const float *r, float *z, float *sums) {
    if (step == 0) return read_out(of, network, r, z, sums);
    const float *before = of.outputs + ((size_t)trial * of.steps + step - 1) * of.n_out;
    for (u32 o = threadIdx.x; o < of.n_out; o += blockDim.x) z[o] = before[o];
    __syncthreads();
}

// Output weights [S, N, n_out] times z, for neuron i.
__device__ static float projected(const Trials &of, const float *weights, u32 network, u32 i, const float *z) {
    const float *w = weights + ((size_t)network * of.neurons + i) * of.n_out;
    float sum = 0.0f;
    for (u32 o = 0; o < of.n_out; o++) sum = fmaf(w[o], z[o], sum);
    return sum;
}

// target − output; 0 if the step is not scored.
__device__ static float error_of(const Trials &of, u32 trial, u32 step, u32 o, const float *z) {
    const size_t now = drawn(of, trial, step);
    return of.scored[now] != 0.0f ? of.targets[now * of.n_out + o] - z[o] : 0.0f;
}

// Returns R − R̄ of this step to every thread and updates R̄; 0 if nothing reads it or the step is not scored.
__device__ static float reward_change(const Trials &of, u32 trial, u32 step, const float *z, float *shared) {
    if (!of.online) return 0.0f;
    if (threadIdx.x == 0) {
        const float *target = of.targets + drawn(of, trial, step) * of.n_out;
        float error = 0.0f, change = 0.0f;
        for (u32 o = 0; o < of.n_out; o++) {
            const float difference = z[o] - target[o];
            error += of.squared_error ? difference * difference : fabsf(difference);
        }
        if (of.scored[drawn(of, trial, step)] != 0.0f) {
            change = -error / (float)of.n_out - of.reward_mean[trial];
            of.reward_mean[trial] = fmaf(change, 1.0f - of.reward_decay, of.reward_mean[trial]);
            if (of.binary) change = change > 0.0f ? 1.0f : 0.0f;
        }
        *shared = change;
    }
    __syncthreads();
    const float change = *shared;
    __syncthreads();
    return change;
}

// Adds this step to the readout's change: (R − R̄) ζ/σ², (R − R̄)(z − z̄) or the error, times r.
__device__ static void learn_readout(const Trials &of, u32 trial, u32 step, float change, const float *r, const float *z) {
    for (u32 o = 0; o < of.n_out; o++) {
        const u32 at = trial * of.n_out + o;
        const float mean = step == 0 ? z[o] : of.output_mean[at];
        float gated;
        switch (of.readout_rule) {
            case READOUT_DELTA: gated = error_of(of, trial, step, o, z); break;
            case READOUT_EH: gated = (z[o] - mean) * change; break;
            default: gated = of.readout_noise[drawn(of, trial, step) * of.n_out + o] / of.readout_variance * change;
        }
        float *w = of.w_out_change + (size_t)at * of.neurons;
        for (u32 i = threadIdx.x; i < of.neurons; i += blockDim.x) w[i] = fmaf(gated, r[i], w[i]);
        __syncthreads();
        if (threadIdx.x == 0) {
            of.b_out_change[at] += gated;
            of.output_mean[at] = moved_mean(mean, z[o], of.output_mean_decay);
        }
    }
}

// Updates x̄ and records this step's factors: δx³ and r³; (R − R̄) δx and r; ξ and r; or, for `rflo`, φ'(x) and r with
// φ'(x) times the error that is fed back and r filtered, unless rates leak: then `filter_back` does that.
__device__ static void remember(const Trials &of, u32 network, u32 trial, u32 step, float change, const float *r_before, const float *errors) {
    const u32 n = of.neurons;
    const bool learns = step >= of.start_step;
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        const size_t me = (size_t)trial * n + i, at = ((size_t)trial * of.block + of.slot) * n + i;
        const float x = of.x[me], mean = of.x_mean[me];
        float post, pre = r_before[i];
        switch (of.rule) {
            case RULE_NODE_PERTURBATION: post = of.dense[drawn(of, trial, step) * n + i]; break;
            case RULE_RFLO:
                post = slope(of, x);
                if (of.rate_leak > 0.0f) break;
                of.x_mean[me] = pre = moved_mean(mean, pre, of.x_mean_decay);
                post *= projected(of, of.error_feedback, network, i, errors);
                break;
            case RULE_EH:
                of.x_mean[me] = moved_mean(mean, x, of.x_mean_decay);
                post = change * (x - mean);
                break;
            default:
                of.x_mean[me] = moved_mean(mean, x, of.x_mean_decay);
                post = cube(x - mean), pre = cube(pre);
        }
        if (learns) of.post[at] = post, of.pre[at] = pre;
    }
}

// What a trial that has ended leaves in a step: its state, and factors that add nothing.
__device__ static void rest(const Trials &of, u32 trial, u32 step) {
    const u32 n = of.neurons;
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        const size_t me = (size_t)trial * n + i, now = ((size_t)trial * of.steps + step) * n + i;
        if (of.rates) of.rates[now] = of.r[me];
        if (of.activations) of.activations[now] = of.x[me];
        const size_t at = ((size_t)trial * of.block + of.slot) * n + i;
        if (of.collects && step >= of.start_step) of.post[at] = of.pre[at] = 0.0f;
    }
}

// A block shares these floats: the rates before and after, one sum per thread, the output, one more, and one per change
// in the list.
KERNEL(step) {
    SHARED(float, shared);
    const u32 trial = blockIdx.x, network = trial / of.trials_each, n = of.neurons, t = of.first_step;
    float *before = shared, *after = before + n, *sums = after + n, *z = sums + blockDim.x, *one = z + of.n_out;
    float *counts = one + 1;
    if (of.ends && t >= of.ends[trial]) return rest(of, trial, t);
    // First load the rates before and after the last step, which determine the pending change of H.
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        before[i] = of.r_before[(size_t)trial * n + i];
        after[i] = of.r[(size_t)trial * n + i];
    }
    __syncthreads();
    if (of.list_length) {
        if (t > 0) append(of, trial, t, before, after);
        weigh(of, trial, t, after, counts, sums);
    }
    if (of.w_fb) fed_back(of, network, trial, t, after, z, sums);
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        const size_t me = (size_t)trial * n + i;
        float drive = of.recurrent[me] + input_drive(of, network, trial, t, i);
        if (of.stage != STAGE_NONE) {
            const float h_r = of.list_length ? recall(of, trial, t, i, after, counts)
                                              : pass(of, trial, i, t > 0, before, after);
            drive = fmaf(of.alpha, h_r, drive);
        }
        drive = perturbed(of, trial, t, i, after[i], drive);
        if (of.dense) drive += of.dense[drawn(of, trial, t) * n + i];
        if (of.private_noise) drive += of.private_noise[drawn(of, trial, t) * n + i];
        if (of.w_fb) drive += projected(of, of.w_fb, network, i, z);
        // Where rates leak, the activation is the drive.
        of.x[me] = of.rate_leak > 0.0f ? fmaf(drive, of.free[i], of.held[i])
                                       : moved(of.x[me], drive, of.leak, of.free[i], of.held[i]);
    }
    __syncthreads();
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        const size_t me = (size_t)trial * n + i;
        before[i] = of.r_before[me] = after[i];
        const float r = rate(of, of.x[me]);
        after[i] = of.r[me] = of.rate_leak > 0.0f ? fmaf(of.rate_leak, r - after[i], after[i]) : r;
        const size_t now = ((size_t)trial * of.steps + t) * n + i;
        if (of.rates) of.rates[now] = after[i];
        if (of.activations) of.activations[now] = of.x[me];
    }
    if (threadIdx.x == 0) {
        u32 k = next_perturbation(of, trial, t);
        while (k < of.perturbation_start[trial + 1] && of.perturbations[k].step == t) k++;
        of.next_perturbation[trial] = k;
    }
    __syncthreads();
    output(of, network, trial, t, after, z, sums);
    const float change = reward_change(of, trial, t, z, one);
    if (of.readout_rule != READOUT_FIXED) learn_readout(of, trial, t, change, after, z);
    if (of.stage != STAGE_NONE && threadIdx.x == 0) {
        const float m = of.modulated_by == REWARD ? change : 1.0f;
        of.h_modulator[trial] = of.modulated_by == GIVEN ? of.modulator[drawn(of, trial, t)] : m;
    }
    if (of.errors) {
        // Nothing reads outputs any more in this step.
        __syncthreads();
        for (u32 o = threadIdx.x; o < of.n_out; o += blockDim.x)
            z[o] = of.errors[((size_t)trial * of.steps + t) * of.n_out + o] = error_of(of, trial, t, o, z);
        __syncthreads();
    }
    if (of.collects) remember(of, network, trial, t, change, before, z);
}

// Turns the slopes φ'(x(s)), the postsynaptic factors of `rflo` where rates leak, into λ φ'(x(s)) F q(s), with errors filtered
// backward in time: q(s) = ε(s) + (1 − λ) q(s + 1), and ε = 0 before the rule learns. The history holds all steps.
KERNEL(filter_back) {
    SHARED(float, q);
    const u32 trial = blockIdx.x, network = trial / of.trials_each, n = of.neurons;
    for (u32 o = threadIdx.x; o < of.n_out; o += blockDim.x) q[o] = 0.0f;
    for (u32 step = of.steps; step-- > 0;) {
        const float *errors = of.errors + ((size_t)trial * of.steps + step) * of.n_out;
        for (u32 o = threadIdx.x; o < of.n_out; o += blockDim.x)
            q[o] = fmaf(1.0f - of.rate_leak, q[o], step >= of.start_step ? errors[o] : 0.0f);
        __syncthreads();
        float *post = of.post + ((size_t)trial * of.block + step) * n;
        for (u32 i = threadIdx.x; i < n; i += blockDim.x)
            post[i] *= of.rate_leak * projected(of, of.error_feedback, network, i, q);
        __syncthreads();
    }
}

// Applies the last change of H after the last step.
KERNEL(finish_fast_weights) {
    SHARED(float, shared);
    const u32 trial = blockIdx.x, n = of.neurons;
    float *before = shared, *after = before + n;
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        before[i] = of.r_before[(size_t)trial * n + i];
        after[i] = of.r[(size_t)trial * n + i];
    }
    __syncthreads();
    if (of.list_length) return append(of, trial, of.steps, before, after);
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) pass(of, trial, i, true, before, after);
}
