// What the kernels share: the trials they work on, and the arithmetic of one neuron.
//
// Sums are explicit `fmaf`s in a fixed order and nothing else is fused (-fmad=false), no sum is atomic: every launch shape
// computes the same bits, and so does a C++ compiler (host.h).
#pragma once

typedef unsigned int u32;

#ifdef __CUDACC__
// Parameters stay where the launch put them, in constant memory.
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(1024) name(const __grid_constant__ Trials of)
#define KERNEL_256(name) extern "C" __global__ void __launch_bounds__(256, 1) name(const __grid_constant__ Trials of)
#define SHARED(type, name) extern __shared__ __align__(16) type name[]
#define UNROLL _Pragma("unroll")
#else
#include "host.h"
#endif

enum Rule : u32 { RULE_NONE, RULE_DELTA_X, RULE_NODE_PERTURBATION, RULE_EH };
enum Stage : u32 { STAGE_NONE, STAGE_OUTER, STAGE_ACCUMULATE, STAGE_DECAY, STAGE_MODULATED, STAGE_OJA, STAGE_RETROACTIVE };
enum Association : u32 { AUTO, POST_PRE, PRE_POST };
enum Modulator : u32 { CONSTANT, GIVEN, REWARD };
enum ReadoutRule : u32 { READOUT_FIXED, READOUT_NODE_PERTURBATION, READOUT_EH };

// One perturbation of one neuron. The twin in Rust is `batch::Perturbation`.
struct Perturbation {
    u32 step, neuron;
    float size;
};

// All trials of a batch. The twin in Rust is `params::Params`: same order, same types. P trials stand in a row, B of each of
// S networks. Null: absent.
struct Trials {
    // The networks.
    const float *w_rec;           // [S, N post, N pre]
    const float *w_in;            // [S, N, n_in]
    const float *b_rec;           // [S, N] or null
    const float *w_out;           // [S, n_out, N] or null: outputs are rates
    const float *b_out;           // [S, n_out]
    const float *free;            // [N], 0 for clamped neurons, else 1
    const float *held;            // [N], x of clamped neurons, else 0
    const u32 *output_neurons;    // [n_out]
    // What was drawn for the `stretch` steps from `stretch_first` on: a stretch.
    const u32 *perturbation_start;        // [P + 1], into the list below, which is ordered by step in each trial
    const Perturbation *perturbations;
    const float *inputs;          // [P, stretch, n_in]
    const float *readout_noise;   // [P, stretch, n_out] or null
    const float *targets;         // [P, stretch, n_out], where the reward is read online, else null
    const float *scored;          // [P, stretch], likewise
    const float *modulator;       // [P, stretch], where m is given, else null
    // The state.
    float *x;                     // [P, N]
    float *r;                     // [P, N]
    float *r_before;              // [P, N], rates before the last step
    float *x_mean;                // [P, N]
    const float *recurrent;       // [P, N], w_rec r of this step (kernel `step`)
    u32 *next_perturbation;               // [P]
    float *reward_mean;           // [P]
    float *output_mean;           // [P, n_out]
    float *trace_gate;            // [P], m of the last step
    float *trace;                 // [P, N pre, N post]; null in the list's form where H begins at zero
    float *trace_eligibility;     // the same, of the retroactive form
    float *trace_post;            // [P, L, N], the list of what was added to H
    float *trace_pre;             // [P, N, L]
    float *trace_weight;          // [P, L]
    // The results.
    float *outputs;               // [P, T, n_out]
    float *rates;                 // [P, T, N], where they are recorded, else null (kernel `step`)
    float *activations;           // likewise
    float *post;                  // [P, block, N], factors of the eligibility, step by step
    float *pre;                   // [P, block, N]
    float *eligibility;           // [P, N post, N pre]
    float *w_out_change;          // [P, n_out, N]
    float *b_out_change;          // [P, n_out]
    // Sizes.
    u32 networks, trials_each, neurons, steps, n_in, n_out, block;
    // The steps of this launch, and where in the block of history the first of them that is learnt from goes.
    u32 first_step, count, slot;
    u32 stretch_first, stretch;
    // How.
    u32 rule, start_step, stage, association, modulated_by, readout_rule, online, squared_error;
    u32 rectified;                // the response: x + offset within [0, max], else tanh
    u32 add;                      // kernel `eligibility`: add to what is there
    u32 tile;                     // kernel `eligibility`: threads along one edge of a block
    u32 groups;                   // kernels `whole_trial`: groups of threads in a block
    u32 trace_length;             // L, how long the list gets; 0: H is a matrix, read and written at each step
    float leak, x_mean_decay, alpha, trace_eta, trace_clip, reward_decay, readout_variance, output_mean_decay;
    float response_offset, response_max;
    float trace_kept;             // in the list's form: what is left of the H that the trial began with
};

// v, but within ±bound; NaN stays NaN.
__device__ inline float within(float v, float bound) { return v > bound ? bound : v < -bound ? -bound : v; }

// Where a step of a trial stands in what was drawn.
__device__ inline size_t drawn(const Trials &of, u32 trial, u32 step) {
    return (size_t)trial * of.stretch + (step - of.stretch_first);
}

// Copies 2, 4 or 8 floats that start at a multiple of as many, 4 at a time.
template <u32 COUNT>
__device__ inline void copy_aligned(float *to, const float *from) {
    if constexpr (COUNT == 2) {
        const float2 two = *(const float2 *)from;
        to[0] = two.x, to[1] = two.y;
    } else {
        UNROLL for (u32 k = 0; k < COUNT; k += 4) {
            const float4 four = *(const float4 *)(from + k);
            to[k] = four.x, to[k + 1] = four.y, to[k + 2] = four.z, to[k + 3] = four.w;
        }
    }
}

// The same rational function as src/model/tanh.rs.
__device__ inline float rational_tanh(float x) {
    x = within(x, 7.9f);
    const float s = x * x;
    float p = fmaf(1.5428128e-8f, s, 2.2023354e-5f);
    p = fmaf(p, s, 0.0035789986f);
    p = fmaf(p, s, 0.13450626f);
    p = fmaf(p, s, 0.9999999944f);
    float q = fmaf(8.5988427e-7f, s, 0.00034236614f);
    q = fmaf(q, s, 0.026192263f);
    q = fmaf(q, s, 0.46783954f);
    q = fmaf(q, s, 1.0f);
    return x * p / q;
}

// φ(x). NaN stays NaN.
__device__ inline float rate(const Trials &of, float x) {
    if (!of.rectified) return rational_tanh(x);
    const float r = x + of.response_offset;
    return r > of.response_max ? of.response_max : r < 0.0f ? 0.0f : r;
}

// x after a step under `drive`; a bias neuron has free = 0 and stays at held.
__device__ inline float moved(float x, float drive, float leak, float free, float held) {
    return fmaf(fmaf(leak, drive - x, x), free, held);
}

// The mean moved on: decay · mean + (1 − decay) · value.
__device__ inline float moved_mean(float mean, float value, float decay) {
    return fmaf(decay, mean, (1.0f - decay) * value);
}

__device__ inline float cube(float v) { return v * v * v; }
