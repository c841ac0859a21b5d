// Lets a C++ compiler build the kernels as an ordinary library, so that they can be tested without a GPU.
//
// The threads of a block are fibres of one real thread: each runs until it reaches a barrier, then the next one runs.
// `emulate` can run them in either order; if the results depend on the order, a barrier is missing.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __device__
#define KERNEL(name) extern "C" void name(const Trials of)
#define KERNEL_256(name) KERNEL(name)
#define SHARED(type, name) type *name = (type *)block_memory.data()
#define UNROLL

struct Index {
    u32 x;
};
static Index threadIdx, blockIdx, blockDim;

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
static std::vector<float4> block_memory;

struct Fibre {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(256 * 1024);
    bool done;
};
static std::vector<Fibre> fibres;
static ucontext_t scheduler;
static u32 current;

static void __syncthreads() { swapcontext(&fibres[current].context, &scheduler); }
