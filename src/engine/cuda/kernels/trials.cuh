// What the kernels share: their argument, and the arithmetic of one neuron.
//
// Sums are explicit `fmaf`s in a fixed order, nothing else is fused (-fmad=false), and no sum is atomic. Every launch
// shape therefore computes the same bits, and so does code from a C++ compiler (host.h).
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

enum Rule : u32 { RULE_NONE, RULE_DELTA_X, RULE_NODE_PERTURBATION, RULE_EH, RULE_RFLO };
enum Stage : u32 { STAGE_NONE, STAGE_OUTER, STAGE_ACCUMULATE, STAGE_DECAY, STAGE_MODULATED, STAGE_OJA, STAGE_RETROACTIVE };
enum Association : u32 { AUTO, POST_PRE, PRE_POST };
enum Modulator : u32 { CONSTANT, GIVEN, REWARD };
enum ReadoutRule : u32 { READOUT_FIXED, READOUT_NODE_PERTURBATION, READOUT_EH, READOUT_DELTA };

// One perturbation of one neuron, written by `drawn.rs`.
struct Perturbation {
    u32 step, neuron;
    float size;
};

// All trials of a batch; `params::Params` in Rust has the same fields in the same order. There are P = S B trials, B
// for each of S networks, those of the first network first. Null pointers mean absent.
struct Trials {
    // The networks, each with N neurons.
    const float *w_rec;           // [S, N post, N pre]
    const float *w_in;            // [S, N, n_in]
    const float *b_rec;           // [S, N] or null
    const float *w_out;           // [S, n_out, N], or null if the outputs are rates
    const float *b_out;           // [S, n_out]
    const float *w_fb;            // [S, N, n_out], or null if outputs are not fed back
    const float *error_feedback;  // F, [S, N, n_out] or null
    const float *free;            // [N], 0 for clamped neurons, otherwise 1
    const float *held;            // [N], x of clamped neurons, otherwise 0
    const u32 *output_neurons;    // [n_out]
    const u32 *ends;              // [P], steps until a trial ends, or null if all run to the last step
    // What was drawn for a stretch of `stretch` steps starting at `stretch_first`.
    const u32 *perturbation_start;        // [P + 1], indices into the list below, ordered by step within a trial
    const Perturbation *perturbations;
    const float *inputs;          // [P, stretch, n_in]
    const float *readout_noise;   // [P, stretch, n_out] or null
    const float *private_noise;   // [P, stretch, N] or null
    const float *dense;           // Gaussian perturbations, [P, stretch, N] or null
    const float *targets;         // [P, stretch, n_out], or null if nothing reads reward or error during the trial
    const float *scored;          // [P, stretch], likewise; 0 if the step is not scored
    const float *modulator;       // [P, stretch], or null if the task gives no m(t)
    // The state.
    float *x;                     // [P, N]
    float *r;                     // [P, N]
    float *r_before;              // [P, N], rates before the last step
    float *x_mean;                // [P, N]; for `rflo`, filtered rates
    const float *recurrent;       // [P, N], w_rec r of this step (kernel `step`)
    u32 *next_perturbation;               // [P]
    float *reward_mean;           // [P]
    float *output_mean;           // [P, n_out]
    float *h_modulator;            // [P], m of the last step, for H
    float *h;                     // H, [P, N pre, N post]; null if H is a list and begins at zero
    float *h_eligibility;     // e of the retroactive stage, likewise
    float *change_post;            // [P, L, N], the list of changes to H
    float *change_pre;             // [P, N, L]
    float *change_weight;          // [P, L]
    // The results.
    float *outputs;               // [P, T, n_out]
    float *rates;                 // [P, T, N], or null if not recorded (kernel `step`)
    float *activations;           // likewise
    float *post;                  // [P, block, N], the history of the eligibility's factors
    float *pre;                   // [P, block, N]
    float *eligibility;           // [P, N post, N pre]
    float *w_out_change;          // [P, n_out, N]
    float *b_out_change;          // [P, n_out]
    float *errors;                // for `rflo`, target − output, 0 if not scored; [P, T, n_out] or null
    // Sizes.
    u32 networks, trials_each, neurons, steps, n_in, n_out, block;
    // The steps of this launch, and the place in the history of the first of them from which the rule learns.
    u32 first_step, count, slot;
    u32 stretch_first, stretch;
    // Settings.
    u32 rule, start_step, stage, association, modulated_by, readout_rule, online, squared_error;
    u32 binary;                   // whether R − R̄ counts as 1 if positive, else as 0
    u32 collects;                 // whether the eligibility is a sum over steps of products of two factors
    u32 rectified;                // the transfer function: x + offset limited to [0, max], instead of tanh
    u32 add;                      // kernel `eligibility`: add to what is there
    u32 tile;                     // kernel `eligibility`: threads along one edge of a block
    u32 groups;                   // kernels `whole_trial`: groups of threads in a block
    u32 list_length;             // L, the length of the list; 0: H is a matrix, read and written at each step
    float leak;                   // dt/τ of the activation
    float rate_leak;              // dt/τ of the rate; 0 if rates do not leak
    float x_mean_decay, alpha, h_eta, h_clip, reward_decay, readout_variance, output_mean_decay;
    float response_offset, response_max;
    float h_kept;             // for a list: the remaining factor of the initial H
};

// v limited to ±bound; NaN stays NaN.
__device__ inline float within(float v, float bound) { return v > bound ? bound : v < -bound ? -bound : v; }

// The index of a step of a trial in what was drawn.
__device__ inline size_t drawn(const Trials &of, u32 trial, u32 step) {
    return (size_t)trial * of.stretch + (step - of.stretch_first);
}

// Copies 2, 4 or 8 aligned floats, up to 4 at a time.
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

// φ'(x).
__device__ inline float slope(const Trials &of, float x) {
    if (of.rectified) return x > -of.response_offset && x < of.response_max - of.response_offset ? 1.0f : 0.0f;
    const float r = rational_tanh(x);
    return fmaf(-r, r, 1.0f);
}

// x after a step under `drive`; a clamped neuron has free = 0 and stays at `held`.
__device__ inline float moved(float x, float drive, float leak, float free, float held) {
    return fmaf(fmaf(leak, drive - x, x), free, held);
}

// The running mean after `value`: decay · mean + (1 − decay) · value.
__device__ inline float moved_mean(float mean, float value, float decay) {
    return fmaf(decay, mean, (1.0f - decay) * value);
}

__device__ inline float cube(float v) { return v * v * v; }
