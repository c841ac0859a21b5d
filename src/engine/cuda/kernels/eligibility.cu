// The eligibility of each trial: e (+)= Σ_t post(t) pre(t)ᵀ over the steps in the history.
//
// A block of tile × tile threads computes a square of the result; each thread keeps 8 × 8 of its elements in registers.
// Each sum runs over the steps in order, across launches, so how the history is divided does not change a single bit.
#include "trials.cuh"

#define EDGE 8u
#define CHUNK 16u

// The position of element k of a thread's 8: 4 are in one half of the square and 4 in the other; each 4 form one
// vector.
__device__ static u32 place(u32 k, u32 thread, u32 tile) { return k / 4 * tile * 4 + thread * 4 + k % 4; }

__device__ static void eight(float *to, const float *from, u32 thread, u32 tile) {
    copy_aligned<4>(to, from + place(0, thread, tile));
    copy_aligned<4>(to + 4, from + place(4, thread, tile));
}

KERNEL_256(eligibility) {
    SHARED(float, shared);
    const u32 n = of.neurons, tile = of.tile, edge = tile * EDGE;
    const u32 squares = (n + edge - 1) / edge;
    const u32 trial = blockIdx.x / (squares * squares), square = blockIdx.x % (squares * squares);
    const u32 row = square / squares * edge, column = square % squares * edge;
    const u32 down = threadIdx.x / tile, across = threadIdx.x % tile;
    float *post = shared, *pre = post + CHUNK * edge;
    const float *posts = of.post + (size_t)trial * of.block * n, *pres = of.pre + (size_t)trial * of.block * n;
    float *e = of.eligibility + (size_t)trial * n * n;

    float sum[EDGE][EDGE];
    UNROLL for (u32 a = 0; a < EDGE; a++)
        UNROLL for (u32 b = 0; b < EDGE; b++) {
            const u32 i = row + place(a, down, tile), j = column + place(b, across, tile);
            sum[a][b] = of.add && i < n && j < n ? e[(size_t)i * n + j] : 0.0f;
        }
    for (u32 first = 0; first < of.count; first += CHUNK) {
        const u32 steps = of.count - first < CHUNK ? of.count - first : CHUNK;
        for (u32 k = threadIdx.x; k < steps * edge; k += blockDim.x) {
            const u32 step = k / edge, at = k % edge;
            const size_t from = (size_t)(first + step) * n;
            post[k] = row + at < n ? posts[from + row + at] : 0.0f;
            pre[k] = column + at < n ? pres[from + column + at] : 0.0f;
        }
        __syncthreads();
        for (u32 step = 0; step < steps; step++) {
            float left[EDGE], right[EDGE];
            eight(left, post + step * edge, down, tile);
            eight(right, pre + step * edge, across, tile);
            UNROLL for (u32 a = 0; a < EDGE; a++)
                UNROLL for (u32 b = 0; b < EDGE; b++) sum[a][b] = fmaf(left[a], right[b], sum[a][b]);
        }
        __syncthreads();
    }
    UNROLL for (u32 a = 0; a < EDGE; a++)
        UNROLL for (u32 b = 0; b < EDGE; b++) {
            const u32 i = row + place(a, down, tile), j = column + place(b, across, tile);
            if (i < n && j < n) e[(size_t)i * n + j] = sum[a][b];
        }
}
