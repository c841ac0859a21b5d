// The Hebbian trace of a trial, in either of two forms: H as a matrix, changed and read in one pass a step (`pass`), or H as
// the list of what was added to it (`append`, `weigh`, `recall`), where nothing is clipped and all of H fades alike.
#pragma once
#include "trials.cuh"

// The change of H after the last step, which this step's pass applies: H ← keep_i H + gain_i b_j, i post and j pre.
struct Change {
    float keep, gain, e_keep, e_gain, m;
};

__device__ static Change planned(const Trials &of, float a, float m) {
    const float eta = of.trace_eta;
    switch (of.stage) {
        case STAGE_OUTER: return {0.0f, eta * a, 0.0f, 0.0f, m};
        case STAGE_ACCUMULATE: return {1.0f, eta * a, 0.0f, 0.0f, m};
        case STAGE_DECAY: return {1.0f - eta, eta * a, 0.0f, 0.0f, m};
        case STAGE_MODULATED: return {1.0f - eta, eta * m * a, 0.0f, 0.0f, m};
        case STAGE_OJA: return {fmaf(-eta * m * a, a, 1.0f), eta * m * a, 0.0f, 0.0f, m};
        default: return {1.0f, 0.0f, 1.0f - eta, eta * a, m};
    }
}

// Applies the last step's change to column i of H, and returns (H r)_i. H stands as [pre, post], so that neighbouring threads
// touch neighbouring memory.
__device__ static float pass(const Trials &of, u32 trial, u32 i, bool pending, const float *before, const float *after) {
    const u32 n = of.neurons;
    const float *a = of.association == POST_PRE ? after : before;
    const float *b = of.association == PRE_POST ? after : before;
    const Change change = planned(of, a[i], pending ? of.trace_gate[trial] : 0.0f);
    const bool retroactive = of.stage == STAGE_RETROACTIVE;
    const size_t column = (size_t)trial * n * n + i;
    float sum = 0.0f;
    for (u32 j = 0; j < n; j++) {
        const size_t at = column + (size_t)j * n;
        float h = of.trace[at];
        if (pending) {
            if (retroactive) {
                const float e = fmaf(change.e_keep, of.trace_eligibility[at], change.e_gain * b[j]);
                of.trace_eligibility[at] = e;
                h = fmaf(change.m, e, h);
            } else {
                h = fmaf(change.keep, h, change.gain * b[j]);
            }
            if (of.trace_clip > 0.0f) h = within(h, of.trace_clip);
            of.trace[at] = h;
        }
        sum = fmaf(h, after[j], sum);
    }
    return sum;
}

// How many changes are in the list before step t.
__device__ static u32 listed(const Trials &of, u32 t) { return of.stage == STAGE_OUTER && t > 1 ? 1 : t; }

// Puts the change of the step before step t at the end of the list, and lets those before it fade.
__device__ static void append(const Trials &of, u32 trial, u32 t, const float *before, const float *after) {
    const u32 n = of.neurons, length = of.trace_length, last = listed(of, t) - 1;
    const float *a = of.association == POST_PRE ? after : before;
    const float *b = of.association == PRE_POST ? after : before;
    const Change change = planned(of, 1.0f, of.trace_gate[trial]);
    float *weight = of.trace_weight + (size_t)trial * length;
    for (u32 s = threadIdx.x; s < last; s += blockDim.x) weight[s] *= change.keep;
    if (threadIdx.x == 0) weight[last] = change.gain;
    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        of.trace_post[((size_t)trial * length + last) * n + i] = a[i];
        of.trace_pre[((size_t)trial * n + i) * length + last] = b[i];
    }
    __syncthreads();
}

// What each change in the list counts for before step t: its weight times b·r. Several threads share a sum over the neurons
// where there are more threads than changes; `sums` has room for one number each.
__device__ static void weigh(const Trials &of, u32 trial, u32 t, const float *r, float *counts, float *sums) {
    const u32 n = of.neurons, length = of.trace_length, count = listed(of, t), me = threadIdx.x;
    const u32 rounded = (count + 31) / 32 * 32, width = rounded < blockDim.x ? rounded : blockDim.x;
    if (count == 0) return;
    const u32 groups = blockDim.x / width, group = me / width;
    const float *pre = of.trace_pre + (size_t)trial * n * length;
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
            counts[s] = of.trace_weight[(size_t)trial * length + s] * sum;
        }
        __syncthreads();
    }
}

// (H r)_i before step t, from the list and from what is left of the H that the trial began with.
__device__ static float recall(const Trials &of, u32 trial, u32 t, u32 i, const float *r, const float *counts) {
    const u32 n = of.neurons, count = listed(of, t);
    const float *post = of.trace_post + (size_t)trial * of.trace_length * n + i;
    float sum = 0.0f;
    if (of.trace) {
        const float *h = of.trace + (size_t)trial * n * n + i;
        for (u32 j = 0; j < n; j++) sum = fmaf(h[(size_t)j * n], r[j], sum);
        sum *= of.trace_kept;
    }
    for (u32 s = 0; s < count; s++) sum = fmaf(counts[s], post[(size_t)s * n], sum);
    return sum;
}
