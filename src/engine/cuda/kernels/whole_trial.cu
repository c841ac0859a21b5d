// A stretch of steps in one launch: a block runs some trials of one network, keeps w_rec in shared memory and needs no
// other block.
//
// A thread handles 4 neurons of TRIALS trials, a group of threads all neurons of these trials, and a block groups ·
// TRIALS trials. x and x̄ stay in registers. Shared memory holds the rates twice: one copy is read while the other is
// written, so a step needs only one barrier. There are no fast weights, and outputs are rates; everything else is as in
// step.cu.
#include "trials.cuh"

#define NEVER 0xffffffffu

// What a thread keeps for the whole launch.
template <u32 TRIALS>
struct Mine {
    u32 network, first_trial, quad, first_place, per_block;
    float free[4], held[4], b_rec[4];
    float x[TRIALS][4], mean[TRIALS][4];
    // The next perturbation of each trial, and its step.
    u32 next_perturbation[TRIALS], due[TRIALS];

    __device__ u32 neuron(u32 a) const { return quad * 4 + a; }
    __device__ u32 trial(u32 b) const { return first_trial + first_place + b; }
    __device__ bool exists(const Trials &of, u32 b) const { return trial(b) < (network + 1) * of.trials_each; }
};

__device__ static u32 step_of_perturbation(const Trials &of, u32 trial, u32 perturbation) {
    return perturbation < of.perturbation_start[trial + 1] ? of.perturbations[perturbation].step : NEVER;
}

template <u32 TRIALS>
__device__ static void begin(const Trials &of, Mine<TRIALS> &my, float *weights, float *rates) {
    const u32 n = of.neurons, rows = (n + 3) / 4;
    for (u32 k = threadIdx.x; k < n * rows * 4; k += blockDim.x) {
        const u32 post = k / n, pre = k % n;
        weights[pre * rows * 4 + post] = post < n ? of.w_rec[((size_t)my.network * n + post) * n + pre] : 0.0f;
    }
    UNROLL for (u32 a = 0; a < 4; a++) {
        const u32 i = my.neuron(a);
        my.free[a] = i < n ? of.free[i] : 0.0f;
        my.held[a] = i < n ? of.held[i] : 0.0f;
        my.b_rec[a] = i < n && of.b_rec ? of.b_rec[my.network * n + i] : 0.0f;
    }
    UNROLL for (u32 b = 0; b < TRIALS; b++) {
        const u32 trial = my.trial(b);
        const bool exists = my.exists(of, b);
        my.next_perturbation[b] = exists ? of.perturbation_start[trial] : 0;
        my.due[b] = exists ? step_of_perturbation(of, trial, my.next_perturbation[b]) : NEVER;
        UNROLL for (u32 a = 0; a < 4; a++) {
            const u32 i = my.neuron(a);
            const size_t me = (size_t)trial * n + i;
            const bool here = exists && i < n;
            my.x[b][a] = here ? of.x[me] : 0.0f;
            my.mean[b][a] = here ? of.x_mean[me] : 0.0f;
            if (i < n) rates[i * my.per_block + my.first_place + b] = here ? of.r[me] : 0.0f;
        }
    }
    __syncthreads();
}

// w_rec r + w_in u + b for a thread's neurons and trials, summed in order over neurons, then over inputs.
template <u32 TRIALS>
__device__ static void drives(const Trials &of, const Mine<TRIALS> &my, u32 t, const float *weights, const float *rates,
                              float sum[TRIALS][4]) {
    const u32 n = of.neurons, rows = (n + 3) / 4;
    UNROLL for (u32 b = 0; b < TRIALS; b++)
        UNROLL for (u32 a = 0; a < 4; a++) sum[b][a] = 0.0f;
#ifdef __CUDACC__
#pragma unroll 4
#endif
    for (u32 j = 0; j < n; j++) {
        float w[4], r[TRIALS];
        copy_aligned<4>(w, weights + (j * rows + my.quad) * 4);
        copy_aligned<TRIALS>(r, rates + j * my.per_block + my.first_place);
        UNROLL for (u32 b = 0; b < TRIALS; b++)
            UNROLL for (u32 a = 0; a < 4; a++) sum[b][a] = fmaf(w[a], r[b], sum[b][a]);
    }
    for (u32 k = 0; k < of.n_in; k++) {
        float w[4];
        UNROLL for (u32 a = 0; a < 4; a++)
            w[a] = my.neuron(a) < n ? of.w_in[((size_t)my.network * n + my.neuron(a)) * of.n_in + k] : 0.0f;
        UNROLL for (u32 b = 0; b < TRIALS; b++) {
            const float u = my.exists(of, b) ? of.inputs[drawn(of, my.trial(b), t) * of.n_in + k] : 0.0f;
            UNROLL for (u32 a = 0; a < 4; a++) sum[b][a] = fmaf(w[a], u, sum[b][a]);
        }
    }
    UNROLL for (u32 b = 0; b < TRIALS; b++)
        UNROLL for (u32 a = 0; a < 4; a++) sum[b][a] += my.b_rec[a];
}

// Adds the perturbations of trial b at step t to the drive; for `node-perturbation`, adds ξ r_preᵀ to the eligibility.
template <u32 TRIALS>
__device__ static void perturbed(const Trials &of, Mine<TRIALS> &my, u32 b, u32 t, const float *before, float drive[4]) {
    const u32 n = of.neurons, trial = my.trial(b);
    while (my.due[b] == t) {
        const Perturbation perturbation = of.perturbations[my.next_perturbation[b]++];
        UNROLL for (u32 a = 0; a < 4; a++) {
            const u32 i = my.neuron(a);
            if (i == perturbation.neuron) drive[a] += perturbation.size;
            if (of.rule == RULE_NODE_PERTURBATION && t >= of.start_step && i < n) {
                float *e = of.eligibility + ((size_t)trial * n + perturbation.neuron) * n + i;
                *e = fmaf(perturbation.size, before[i * my.per_block + my.first_place + b], *e);
            }
        }
        my.due[b] = step_of_perturbation(of, trial, my.next_perturbation[b]);
    }
}

// Updates trial b from its drive: x, the rate after the step and, for `delta-x`, the factors and x̄.
template <u32 TRIALS>
__device__ static void advance(const Trials &of, Mine<TRIALS> &my, u32 b, u32 t, const float *before, float *after,
                               const float drive[4]) {
    const u32 n = of.neurons, learns_from = of.first_step > of.start_step ? of.first_step : of.start_step;
    UNROLL for (u32 a = 0; a < 4; a++) {
        const u32 i = my.neuron(a), place = i * my.per_block + my.first_place + b;
        if (i >= n) continue;
        const float x = moved(my.x[b][a], drive[a], of.leak, my.free[a], my.held[a]);
        my.x[b][a] = x;
        after[place] = rate(of, x);
        if (of.rule != RULE_DELTA_X) continue;
        const float delta = x - my.mean[b][a];
        my.mean[b][a] = moved_mean(my.mean[b][a], x, of.x_mean_decay);
        if (t < of.start_step) continue;
        const size_t at = ((size_t)my.trial(b) * of.block + of.slot + (t - learns_from)) * n + i;
        of.post[at] = cube(delta);
        of.pre[at] = cube(before[place]);
    }
}

template <u32 TRIALS>
__device__ static void run(const Trials &of, float *shared) {
    const u32 n = of.neurons, rows = (n + 3) / 4;
    Mine<TRIALS> my;
    my.per_block = of.groups * TRIALS;
    const u32 blocks_each = (of.trials_each + my.per_block - 1) / my.per_block;
    my.network = blockIdx.x / blocks_each;
    my.first_trial = my.network * of.trials_each + blockIdx.x % blocks_each * my.per_block;
    my.quad = threadIdx.x % rows;
    my.first_place = threadIdx.x / rows * TRIALS;
    // [N pre, post] and [2][N, trials of the block].
    float *weights = shared, *rates = weights + n * rows * 4;
    const u32 half = n * my.per_block, end = (my.network + 1) * of.trials_each;
    begin(of, my, weights, rates);

    for (u32 s = 0; s < of.count; s++) {
        const u32 t = of.first_step + s;
        const float *before = rates + s % 2 * half;
        float *after = rates + (s + 1) % 2 * half;
        float sum[TRIALS][4];
        drives(of, my, t, weights, before, sum);
        UNROLL for (u32 b = 0; b < TRIALS; b++) {
            if (!my.exists(of, b)) continue;
            perturbed(of, my, b, t, before, sum[b]);
            advance(of, my, b, t, before, after, sum[b]);
        }
        __syncthreads();
        for (u32 k = threadIdx.x; k < my.per_block * of.n_out; k += blockDim.x) {
            const u32 place = k / of.n_out, o = k % of.n_out, trial = my.first_trial + place;
            if (trial >= end) continue;
            of.outputs[((size_t)trial * of.steps + t) * of.n_out + o] = after[of.output_neurons[o] * my.per_block + place];
        }
    }

    const float *last = rates + of.count % 2 * half;
    UNROLL for (u32 b = 0; b < TRIALS; b++) {
        if (!my.exists(of, b)) continue;
        UNROLL for (u32 a = 0; a < 4; a++) {
            const u32 i = my.neuron(a);
            if (i >= n) continue;
            const size_t me = (size_t)my.trial(b) * n + i;
            of.x[me] = my.x[b][a];
            of.x_mean[me] = my.mean[b][a];
            of.r[me] = last[i * my.per_block + my.first_place + b];
        }
    }
}

KERNEL_256(whole_trial_2) {
    SHARED(float, shared);
    run<2>(of, shared);
}
KERNEL_256(whole_trial_4) {
    SHARED(float, shared);
    run<4>(of, shared);
}
KERNEL_256(whole_trial_8) {
    SHARED(float, shared);
    run<8>(of, shared);
}
