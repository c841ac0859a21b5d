// All kernels as one library; see host.h.
#include "step.cu"
#include "eligibility.cu"
#include "whole_trial.cu"

static void (*kernel)(Trials);
static const Trials *trials;

static void enter() {
    kernel(*trials);
    fibres[current].done = true;
    swapcontext(&fibres[current].context, &scheduler);
}

// Runs the threads of a block to the end. Returns false if some wait at a barrier that others never reach.
static bool run_block(bool backwards) {
    const u32 threads = blockDim.x;
    for (Fibre &fibre : fibres) {
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack.data();
        fibre.context.uc_stack.ss_size = fibre.stack.size();
        fibre.done = false;
        makecontext(&fibre.context, enter, 0);
    }
    for (;;) {
        u32 ended = 0;
        for (u32 k = 0; k < threads; k++) {
            threadIdx.x = current = backwards ? threads - 1 - k : k;
            swapcontext(&scheduler, &fibres[current].context);
            ended += fibres[current].done;
        }
        if (ended == threads) return true;
        if (ended > 0) return false;
    }
}

extern "C" bool emulate(void (*function)(Trials), u32 blocks, u32 threads, size_t shared_bytes, bool backwards, const Trials *of) {
    kernel = function;
    trials = of;
    blockDim.x = threads;
    fibres.resize(threads);
    block_memory.resize((shared_bytes + sizeof(float4) - 1) / sizeof(float4));
    for (u32 k = 0; k < blocks; k++) {
        blockIdx.x = backwards ? blocks - 1 - k : k;
        // With all bits set, a float is NaN, so memory that is read before it is written shows up in the results.
        memset((void *)block_memory.data(), 0xff, block_memory.size() * sizeof(float4));
        if (!run_block(backwards)) return false;
    }
    return true;
}

extern "C" size_t size_of_trials() { return sizeof(Trials); }
