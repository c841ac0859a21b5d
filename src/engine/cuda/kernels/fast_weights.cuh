// The fast weights H of a trial in either of two forms: a matrix, changed and read in one pass per step (`pass`), or a
// list of its changes (`append`, `weigh`, `recall`), which works if nothing is clipped and all of H decays at the same
// rate.
#pragma once
#include "trials.cuh"

// The change of H after a step, applied by the next step's pass: H_ij ← keep_i H_ij + gain_i b_j (i post, j pre).
struct Change {
    float keep, gain, e_keep, e_gain, m;
};

__device__ static Change planned(const Trials &of, float a, float m) {
    const float eta = of.h_eta;
    switch (of.stage) {
        case STAGE_OUTER: return {0.0f, eta * a, 0.0f, 0.0f, m};
        case STAGE_ACCUMULATE: return {1.0f, eta * a, 0.0f, 0.0f, m};
        case STAGE_DECAY: return {1.0f - eta, eta * a, 0.0f, 0.0f, m};
        case STAGE_MODULATED: return {1.0f - eta, eta * m * a, 0.0f, 0.0f, m};
        case STAGE_OJA: return {fmaf(-eta * m * a, a, 1.0f), eta * m * a, 0.0f, 0.0f, m};
        default: return {1.0f, 0.0f, 1.0f - eta, eta * a, m};
    }
}

// Applies the last step's change to all H_ij of neuron i, and returns (H r)_i. H is stored as [pre, post], so that
// neighbouring threads access neighbouring memory.
__device__ static float pass(const Trials &of, u32 trial, u32 i, bool pending, const float *before, const float *after) {
    const u32 n = of.neurons;
    const float *a = of.association == POST_PRE ? after : before;
    const float *b = of.association == PRE_POST ? after : before;
    const Change change = planned(of, a[i], pending ? of.h_modulator[trial] : 0.0f);
    const bool retroactive = of.stage == STAGE_RETROACTIVE;
    const size_t column = (size_t)trial * n * n + i;
    float sum = 0.0f;
    for (u32 j = 0; j < n; j++) {
        const size_t at = column + (size_t)j * n;
        float h = of.h[at];
        if (pending) {
            if (retroactive) {
                const float e = fmaf(change.e_keep, of.h_eligibility[at], change.e_gain * b[j]);
                of.h_eligibility[at] = e;
                h = fmaf(change.m, e, h);
            } else {
                h = fmaf(change.keep, h, change.gain * b[j]);
            }
            if (of.h_clip > 0.0f) h = within(h, of.h_clip);
            of.h[at] = h;
        }
        sum = fmaf(h, after[j], sum);
    }
    return sum;
}

// The number of changes in the list before step t.
__device__ static u32 listed(const Trials &of, u32 t) { return of.stage == STAGE_OUTER && t > 1 ? 1 : t; }

// Appends the change of the step before step t to the list, and decays the earlier ones.
__device__ static void append(const Trials &of, u32 trial, u32 t, const float *before, const float *after) {
    const u32 n = of.neurons, length = of.list_length, last = listed(of, t) - 1;
    const float *a = of.association == POST_PRE ? after : before;
    const float *b = of.association == PRE_POST ? after : before;
    const Change change = planned(of, 1.0f, of.h_modulator[trial]);
    float *weight = of.change_weight + (size_t)trial * length;
    for (u32 s = threadIdx.x; s < last; s += blockDim.x) weight[s] *= change.keep;
    if (threadIdx.x == 0) weight[last] = change.gain;
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        of.change_post[((size_t)trial * length + last) * n + i] = a[i];
        of.change_pre[((size_t)trial * n + i) * length + last] = b[i];
    }
    __syncthreads();
}

// For each change in the list before step t: its weight times b·r. If there are more threads than changes, several
// share a sum over the neurons; `sums` has room for one number per thread.
__device__ static void weigh(const Trials &of, u32 trial, u32 t, const float *r, float *counts, float *sums) {
    const u32 n = of.neurons, length = of.list_length, count = listed(of, t), me = threadIdx.x;
    const u32 rounded = (count + 31) / 32 * 32, width = rounded < blockDim.x ? rounded : blockDim.x;
    if (count == 0) return;
    const u32 groups = blockDim.x / width, group = me / width;
    const float *pre = of.change_pre + (size_t)trial * n * length;
    for (u32 first = 0; first < count; first += width) {
        const u32 s = first + me % width;
        const bool mine = group < groups && s < count;
        float sum = 0.0f;
        if (mine) {
            for (u32 j = group; j < n; j += groups) sum = fmaf(pre[(size_t)j * length + s], r[j], sum);
        }
        sums[me] = sum;
        __syncthreads();
        if (mine && group == 0) {
            for (u32 other = 1; other < groups; other++) sum += sums[other * width + me];
            counts[s] = of.change_weight[(size_t)trial * length + s] * sum;
        }
        __syncthreads();
    }
}

// (H r)_i before step t, from the list and from what is left of the initial H.
__device__ static float recall(const Trials &of, u32 trial, u32 t, u32 i, const float *r, const float *counts) {
    const u32 n = of.neurons, count = listed(of, t);
    const float *post = of.change_post + (size_t)trial * of.list_length * n + i;
    float sum = 0.0f;
    if (of.h) {
        const float *h = of.h + (size_t)trial * n * n + i;
        for (u32 j = 0; j < n; j++) sum = fmaf(h[(size_t)j * n], r[j], sum);
        sum *= of.h_kept;
    }
    for (u32 s = 0; s < count; s++) sum = fmaf(counts[s], post[(size_t)s * n], sum);
    return sum;
}
