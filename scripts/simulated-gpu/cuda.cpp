// A CUDA driver, cuBLAS and cuRAND without a GPU: as much of the three as hebbian-rnn calls. Kernels are translated from PTX to
// C++ (ptx.py) and run here. It shows whether a program asks a GPU for the right things, not how fast a GPU would do them.
//
// Work waits in its stream, as on a GPU, and is done in an order that a GPU might take (SIMULATED_GPU_ORDER): `late`, only when
// somebody waits for it; `now`; or a number, the seed of a random order. Memory is followed by a page that nobody may touch,
// is NaN before its first use, and is never used again after it was freed. Blocks and threads run in order, or the other way
// around (SIMULATED_GPU_BACKWARDS=1). Devices know nothing of each other's memory, streams and kernels.
//
// SIMULATED_GPU_COUNT, _MEMORY (bytes) and _PROCESSORS say what there is; _LOG names a file for the numbers of launches and
// copies; _CACHE a folder for translated kernels.
#include "simulated.h"
#include <algorithm>
#include <csignal>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500, NOT_READY = 600 };

// What a block of a Hopper GPU may have.
constexpr uint32_t MOST_SHARED = 227 << 10, FREELY_SHARED = 48 << 10;

std::recursive_mutex everything;
using Lock = std::lock_guard<std::recursive_mutex>;

std::string setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value ? value : otherwise;
}
size_t number(const char *name, const char *otherwise) { return strtoull(setting(name, otherwise).c_str(), nullptr, 10); }

const std::string order = setting("SIMULATED_GPU_ORDER", "late");
const bool backwards = number("SIMULATED_GPU_BACKWARDS", "0");
const size_t total_memory = number("SIMULATED_GPU_MEMORY", "4294967296");
const int devices = int(number("SIMULATED_GPU_COUNT", "1"));
const char *now_running = "a copy";

[[noreturn]] void broken(const std::string &what) {
    fprintf(stderr, "simulated GPU: %s\n", what.c_str());
    fflush(stderr);
    _exit(99);
}

// Memory. `device`: -1 for memory of the host.

struct Allocation {
    uint8_t *mapped;
    size_t mapped_bytes, bytes;
    int device;
    bool freed = false;
};
std::map<uint64_t, Allocation> allocations;
std::map<int, size_t> used_memory;
size_t most_memory = 0;

uint64_t allocate(size_t bytes, int device) {
    const size_t page = 4096, rounded = (bytes + 15) / 16 * 16, body = (rounded + page - 1) / page * page;
    if (device >= 0 && used_memory[device] + rounded > total_memory) return 0;
    auto *mapped = (uint8_t *)mmap(nullptr, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return 0;
    mprotect(mapped + body, page, PROT_NONE);
    memset(mapped, 0xff, body);
    const uint64_t start = uint64_t(mapped + body - rounded);
    allocations[start] = {mapped, body + page, rounded, device};
    if (device >= 0) used_memory[device] += rounded, most_memory = std::max(most_memory, used_memory[device]);
    return start;
}
void release(uint64_t start) {
    const Allocation &of = allocations.at(start);
    mmap(of.mapped, of.mapped_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    allocations.erase(start);
}
// The pool of a device keeps what is freed.
size_t reserved_memory(int device) {
    static std::map<int, size_t> most;
    return most[device] = std::max(most[device], used_memory[device]);
}
// The allocation that an address is in, or null.
const Allocation *around(uint64_t address, size_t bytes = 1) {
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    --after;
    return address + bytes <= after->first + after->second.bytes ? &after->second : nullptr;
}
bool pinned(const void *address) {
    const Allocation *of = around(uint64_t(address));
    return of && of->device < 0;
}
void on_device(const char *what, uint64_t address, size_t bytes, int device) {
    const Allocation *of = around(address, bytes);
    if (!of || of->device != device) broken(std::string(what) + ": " + std::to_string(bytes) + " bytes are not in memory of this device");
}

// What was done.

struct Count {
    size_t times = 0, bytes = 0;
};
std::map<std::string, Count> counts;
void count(const std::string &what, size_t bytes = 0) { counts[what].times++, counts[what].bytes += bytes; }
struct Report {
    ~Report() {
        FILE *file = fopen(setting("SIMULATED_GPU_LOG", "/dev/null").c_str(), "w");
        if (!file) return;
        for (const auto &[what, of] : counts) fprintf(file, "%-28s %9zu times %14zu bytes\n", what.c_str(), of.times, of.bytes);
        fprintf(file, "%-28s %9s       %14zu bytes\n", "most memory at a time", "", most_memory);
        fclose(file);
    }
} report;

// Streams.

struct Event {
    // How often it was asked to be recorded, and how often it was.
    size_t asked = 0, done = 0;
    struct Stream *stream = nullptr;
};
struct Work {
    std::function<void()> run;
    // Waits first until the event was recorded so often.
    Event *event = nullptr;
    size_t times = 0;

    bool ready() const { return !event || event->done >= times; }
};
struct Stream {
    int device = 0;
    bool running = false;
    std::deque<Work> queue;
};
std::vector<Stream *> streams;

void work_off(Stream &stream, const std::function<bool()> &enough) {
    if (stream.running) broken("a stream waits for itself");
    stream.running = true;
    while (!stream.queue.empty() && !enough()) {
        const Work work = std::move(stream.queue.front());
        stream.queue.pop_front();
        if (!work.ready()) work_off(*work.event->stream, [&] { return work.ready(); });
        if (work.run) work.run();
    }
    stream.running = false;
}
void synchronize(Stream &stream) { work_off(stream, [] { return false; }); }
void synchronize_all() {
    for (Stream *stream : streams) synchronize(*stream);
}
void put(Stream &stream, Work work) {
    stream.queue.push_back(std::move(work));
    if (order == "now") return synchronize(stream);
    if (order == "late") return;
    static std::minstd_rand random(std::stoul(order));
    for (size_t some = random() % 4; some > 0; some--) {
        Stream &any = *streams[random() % streams.size()];
        size_t left = 1;
        if (!any.queue.empty() && any.queue.front().ready()) work_off(any, [&] { return left-- == 0; });
    }
}

thread_local int current_device = -1;

Stream *new_stream(int device) {
    streams.push_back(new Stream);
    streams.back()->device = device;
    return streams.back();
}
Stream &of_handle(void *handle) {
    static std::map<int, Stream *> shared;
    thread_local std::map<int, Stream *> own;
    if (handle != nullptr && handle != (void *)1 && handle != (void *)2) return *(Stream *)handle;
    Stream *&stream = (handle == (void *)2 ? own : shared)[current_device];
    if (!stream) stream = new_stream(current_device);
    return *stream;
}

// Threads of a block as fibres.

enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fibre {
    ucontext_t context;
    void *stack;
    Thread at;
    State state;
    uint32_t value;
};
constexpr size_t STACK = 256 << 10;
std::vector<Fibre *> fibres;
ucontext_t scheduler;
Fibre *current;
void (*body)(Thread &);

void enter() {
    body(current->at);
    current->state = DONE;
    swapcontext(&current->context, &scheduler);
}
void wait(State state) {
    current->state = state;
    swapcontext(&current->context, &scheduler);
}

// Lets all of `first..end` go on that wait for this.
void wake(size_t first, size_t end, State waiting) {
    for (size_t k = first; k < end; k++)
        if (fibres[k]->state == waiting) fibres[k]->state = READY;
}

void run_fibres(size_t threads) {
    for (size_t k = 0; k < threads; k++) {
        Fibre &fibre = *fibres[k];
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack;
        fibre.context.uc_stack.ss_size = STACK;
        fibre.state = READY;
        makecontext(&fibre.context, enter, 0);
    }
    for (size_t done = 0; done < threads;) {
        bool moved = false;
        for (size_t n = 0; n < threads; n++) {
            current = fibres[backwards ? threads - 1 - n : n];
            if (current->state != READY) continue;
            swapcontext(&scheduler, &current->context);
            done += current->state == DONE;
            moved = true;
        }
        // A warp goes on when all its threads that still run wait for it, a block likewise.
        size_t at_block = 0;
        for (size_t first = 0; first < threads; first += 32) {
            const size_t end = first + 32 < threads ? first + 32 : threads;
            size_t ready = 0, waiting = 0;
            for (size_t k = first; k < end; k++) {
                at_block += fibres[k]->state == AT_BLOCK;
                waiting += fibres[k]->state == AT_WARP;
                ready += fibres[k]->state == AT_WARP || fibres[k]->state == DONE;
            }
            if (waiting > 0 && ready == end - first) wake(first, end, AT_WARP), moved = true;
        }
        if (at_block > 0 && at_block + done == threads) wake(0, threads, AT_BLOCK), moved = true;
        if (!moved) broken(std::string(now_running) + ": threads wait for others that never come");
    }
}

struct Module {
    std::string path;
    int device;
    std::map<std::string, struct Function *> functions;
};
struct Function {
    std::string name;
    int device;
    Kernel what;
    void (*thread)(Thread &);
    uint32_t most_shared = FREELY_SHARED;
};

void run_kernel(const Function &function, const uint32_t blocks[3], const uint32_t threads[3], uint32_t dynamic_bytes,
                const std::vector<uint8_t> &params) {
    now_running = function.name.c_str();
    const size_t all = size_t(threads[0]) * threads[1] * threads[2], block_count = size_t(blocks[0]) * blocks[1] * blocks[2];
    const uint32_t bytes = function.what.shared_bytes + dynamic_bytes;
    std::vector<uint64_t> shared((bytes + 15) / 16 * 2);
    while (fibres.size() < all) {
        fibres.push_back(new Fibre);
        fibres.back()->stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    body = function.thread;
    for (size_t n = 0; n < block_count; n++) {
        const uint32_t b = uint32_t(backwards ? block_count - 1 - n : n);
        memset(shared.data(), 0xff, shared.size() * 8);
        for (size_t m = 0; m < all; m++) {
            const uint32_t k = uint32_t(backwards ? all - 1 - m : m);
            Thread &at = fibres[k]->at;
            at = {{k % threads[0], k / threads[0] % threads[1], k / threads[0] / threads[1]},
                  {threads[0], threads[1], threads[2]},
                  {b % blocks[0], b / blocks[0] % blocks[1], b / blocks[0] / blocks[1]},
                  {blocks[0], blocks[1], blocks[2]},
                  k % 32, params.data(), (uint8_t *)shared.data(), bytes};
            if (!function.what.waits) body(at);
        }
        if (function.what.waits) run_fibres(all);
    }
    now_running = "a copy";
}

void on_fault(int, siginfo_t *info, void *) {
    fprintf(stderr, "simulated GPU: %s touched %p, which is no memory of its own\n", now_running, info->si_addr);
    _exit(98);
}

// Translated kernels.

std::string folder() {
    const std::string made = setting("SIMULATED_GPU_CACHE", ("/tmp/simulated-gpu-" + std::to_string(getuid())).c_str());
    mkdir(made.c_str(), 0700);
    return made;
}
// Where this file and ptx.py are.
const std::string sources = SOURCES;

std::string hash_of(const std::string &text) {
    char name[17];
    snprintf(name, sizeof name, "%016zx", std::hash<std::string>()(text));
    return name;
}

Function *translated(const Module &module, const std::string &name) {
    const std::string base = module.path + "." + name, library = base + ".so", fresh = base + "." + std::to_string(getpid());
    if (access(library.c_str(), R_OK) != 0) {
        const std::string command = "python3 '" + sources + "/ptx.py' '" + module.path + "' '" + name + "' > '" + fresh +
            ".cpp' && c++ -std=c++17 -O1 -w -march=native -ffp-contract=off -shared -fPIC -I '" + sources + "' '" + fresh + ".cpp' -o '" +
            fresh + "' && mv '" + fresh + "' '" + library + "'; found=$?; rm -f '" + fresh + ".cpp'; exit $found";
        if (system(command.c_str()) != 0) return nullptr;
    }
    void *opened = dlopen(library.c_str(), RTLD_NOW);
    if (!opened) broken(dlerror());
    return new Function{name, module.device, *(const Kernel *)dlsym(opened, "kernel_description"), (void (*)(Thread &))dlsym(opened, "kernel_thread")};
}

}  // namespace

// What kernels call.
extern "C" {
void wait_for_block(Thread &) { wait(AT_BLOCK); }
void wait_for_warp(Thread &) { wait(AT_WARP); }
uint32_t exchanged(Thread &, uint32_t value, uint32_t lane) {
    current->value = value;
    size_t mine = 0;
    while (fibres[mine] != current) mine++;
    wait(AT_WARP);
    const uint32_t got = fibres[mine / 32 * 32 + lane]->value;
    // Nobody writes the next value before all have read this one.
    wait(AT_WARP);
    return got;
}
void outside_shared(Thread &, uint64_t address) {
    broken(std::string(now_running) + ": " + std::to_string(address) + " is outside of the block's shared memory, or misaligned");
}
void not_possible(const char *what) { broken(std::string(now_running) + ": " + what); }
}

// The driver. Handles are addresses; contexts are numbers of devices, plus one.
extern "C" {
typedef int R;

R cuInit(unsigned) {
    // So that kernels find what they call.
    Dl_info info;
    dladdr((void *)&cuInit, &info);
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    return SUCCESS;
}
R cuDeviceGetCount(int *n) { return *n = devices, SUCCESS; }
R cuDeviceGet(int *device, int ordinal) { return ordinal < devices ? (*device = ordinal, SUCCESS) : INVALID_DEVICE; }
R cuDeviceGetName(char *name, int size, int) { return snprintf(name, size, "simulated GPU"), SUCCESS; }
R cuDeviceGetAttribute(int *value, int which, int) {
    // By the numbers of CUdevice_attribute: processors, compute capability, shared memory, memory pools.
    const std::map<int, int> known = {{16, int(number("SIMULATED_GPU_PROCESSORS", "132"))}, {75, 9}, {76, 0}, {97, MOST_SHARED}, {115, 1}};
    const auto found = known.find(which);
    if (found == known.end()) broken("attribute " + std::to_string(which) + " is not known here");
    return *value = found->second, SUCCESS;
}
R cuDevicePrimaryCtxRetain(void **context, int device) { return *context = (void *)(device + 1l), SUCCESS; }
R cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
R cuCtxGetCurrent(void **context) { return *context = (void *)(current_device + 1l), SUCCESS; }
R cuCtxSetCurrent(void *context) { return current_device = int(long(context)) - 1, SUCCESS; }
R cuCtxSynchronize() {
    Lock lock(everything);
    return synchronize_all(), SUCCESS;
}
R cuMemGetInfo_v2(size_t *free, size_t *total) {
    Lock lock(everything);
    return *free = total_memory - reserved_memory(current_device), *total = total_memory, SUCCESS;
}
R cuGetErrorName(int status, const char **text) {
    return *text = status == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_UNKNOWN", SUCCESS;
}
R cuGetErrorString(int status, const char **text) { return *text = status == OUT_OF_MEMORY ? "out of memory" : "an error", SUCCESS; }

// A pool's handle is the number of its device, plus one.
R cuDeviceGetDefaultMemPool(void **pool, int device) { return *pool = (void *)(device + 1l), SUCCESS; }
R cuMemPoolSetAttribute(void *, int attribute, void *) { return attribute == 4 ? SUCCESS : INVALID_VALUE; }
R cuMemPoolGetAttribute(void *pool, int attribute, void *value) {
    Lock lock(everything);
    const int device = int(long(pool)) - 1;
    if (attribute != 5 && attribute != 7) return INVALID_VALUE;
    return *(uint64_t *)value = attribute == 5 ? reserved_memory(device) : used_memory[device], SUCCESS;
}

R cuMemAllocAsync(uint64_t *address, size_t bytes, void *stream) {
    Lock lock(everything);
    if (bytes == 0) return INVALID_VALUE;
    count("allocation", bytes);
    *address = allocate(bytes, of_handle(stream).device);
    reserved_memory(of_handle(stream).device);
    return *address ? SUCCESS : OUT_OF_MEMORY;
}
R cuMemFreeAsync(uint64_t address, void *stream) {
    Lock lock(everything);
    const auto found = allocations.find(address);
    if (found == allocations.end() || found->second.freed) broken("memory is freed that is not there");
    Allocation &of = found->second;
    if (of.device != of_handle(stream).device) return INVALID_VALUE;
    of.freed = true;
    // What is asked for later on the stream could have it.
    used_memory[of.device] -= of.bytes;
    return put(of_handle(stream), {[=] { release(address); }}), SUCCESS;
}
R cuMemHostAlloc(void **address, size_t bytes, unsigned) {
    Lock lock(everything);
    count("pinned allocation", bytes);
    return (*address = (void *)allocate(bytes, -1)) ? SUCCESS : OUT_OF_MEMORY;
}
R cuMemFreeHost(void *address) {
    Lock lock(everything);
    if (!pinned(address)) return INVALID_VALUE;
    return release(uint64_t(address)), SUCCESS;
}
R cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *handle) {
    Lock lock(everything);
    Stream &stream = of_handle(handle);
    on_device("a copy to the device", to, bytes, stream.device);
    if (pinned(from)) {
        count("copy to the device, pinned", bytes);
        return put(stream, {[=] { memcpy((void *)to, from, bytes); }}), SUCCESS;
    }
    count("copy to the device", bytes);
    // The driver has read ordinary memory when the call returns.
    const std::vector<uint8_t> kept((const uint8_t *)from, (const uint8_t *)from + bytes);
    return put(stream, {[=] { memcpy((void *)to, kept.data(), bytes); }}), SUCCESS;
}
R cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *handle) {
    Lock lock(everything);
    Stream &stream = of_handle(handle);
    on_device("a copy to the host", from, bytes, stream.device);
    count("copy to the host", bytes);
    put(stream, {[=] { memcpy(to, (const void *)from, bytes); }});
    // Ordinary memory is written when the call returns.
    if (!pinned(to)) synchronize(stream);
    return SUCCESS;
}
R cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *handle) {
    Lock lock(everything);
    Stream &stream = of_handle(handle);
    on_device("a copy on the device", to, bytes, stream.device);
    on_device("a copy on the device", from, bytes, stream.device);
    count("copy on the device", bytes);
    return put(stream, {[=] { memmove((void *)to, (const void *)from, bytes); }}), SUCCESS;
}
R cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *handle) {
    Lock lock(everything);
    Stream &stream = of_handle(handle);
    on_device("a fill", to, bytes, stream.device);
    count("fill", bytes);
    return put(stream, {[=] { memset((void *)to, value, bytes); }}), SUCCESS;
}

R cuStreamCreate(void **stream, unsigned) {
    Lock lock(everything);
    return *stream = new_stream(current_device), SUCCESS;
}
R cuStreamDestroy_v2(void *stream) {
    Lock lock(everything);
    return synchronize(of_handle(stream)), SUCCESS;
}
R cuStreamSynchronize(void *stream) {
    Lock lock(everything);
    return synchronize(of_handle(stream)), SUCCESS;
}
R cuStreamIsCapturing(void *, int *status) { return *status = 0, SUCCESS; }
R cuStreamWaitEvent(void *stream, void *event, unsigned) {
    Lock lock(everything);
    auto *of = (Event *)event;
    return put(of_handle(stream), {nullptr, of, of->asked}), SUCCESS;
}
R cuEventCreate(void **event, unsigned) { return *event = new Event, SUCCESS; }
// Work that was put before may still name it.
R cuEventDestroy_v2(void *) { return SUCCESS; }
R cuEventRecord(void *event, void *stream) {
    Lock lock(everything);
    auto *of = (Event *)event;
    of->asked++;
    of->stream = &of_handle(stream);
    return put(of_handle(stream), {[of] { of->done++; }}), SUCCESS;
}
R cuEventSynchronize(void *event) {
    Lock lock(everything);
    auto *of = (Event *)event;
    const size_t times = of->asked;
    if (of->done < times) work_off(*of->stream, [=] { return of->done >= times; });
    return SUCCESS;
}
R cuEventQuery(void *event) {
    Lock lock(everything);
    auto *of = (Event *)event;
    return of->done < of->asked ? NOT_READY : SUCCESS;
}

R cuModuleLoadData(void **module, const void *ptx) {
    Lock lock(everything);
    const std::string text = (const char *)ptx, path = folder() + "/" + hash_of(text) + ".ptx";
    FILE *file = fopen(path.c_str(), "w");
    if (!file) broken("cannot write " + path);
    fwrite(text.data(), 1, text.size(), file);
    fclose(file);
    return *module = new Module{path, current_device, {}}, SUCCESS;
}
R cuModuleUnload(void *) { return SUCCESS; }
R cuModuleGetFunction(void **function, void *module, const char *name) {
    Lock lock(everything);
    auto *of = (Module *)module;
    if (!of->functions.count(name)) of->functions[name] = translated(*of, name);
    return (*function = of->functions[name]) ? SUCCESS : NOT_FOUND;
}
R cuFuncSetAttribute(void *function, int attribute, int value) {
    auto *of = (Function *)function;
    if (attribute != 8) broken("attribute " + std::to_string(attribute) + " of a function is not known here");
    if (value < 0 || value + of->what.shared_bytes > MOST_SHARED) return INVALID_VALUE;
    return of->most_shared = value, SUCCESS;
}
R cuLaunchKernel(void *function, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty, unsigned tz, unsigned shared,
                 void *handle, void **arguments, void **) {
    Lock lock(everything);
    auto *of = (Function *)function;
    Stream &stream = of_handle(handle);
    if (of->device != stream.device) return INVALID_CONTEXT;
    const size_t threads = size_t(tx) * ty * tz;
    if (!bx || !by || !bz || !threads || threads > of->what.most_threads || shared > of->most_shared || by > 65535 || bz > 65535) {
        fprintf(stderr, "simulated GPU: %s cannot be launched as %u, %u, %u blocks of %u, %u, %u threads with %u bytes\n",
                of->name.c_str(), bx, by, bz, tx, ty, tz, shared);
        return INVALID_VALUE;
    }
    count(of->name);
    std::vector<uint8_t> params(of->what.param_bytes);
    for (uint32_t k = 0; k < of->what.param_count; k++) memcpy(params.data() + of->what.layout[2 * k], arguments[k], of->what.layout[2 * k + 1]);
    for (size_t k = 0; k + 8 <= params.size(); k += 8) {
        uint64_t address;
        memcpy(&address, params.data() + k, 8);
        const Allocation *memory = around(address);
        if (memory && memory->device != stream.device) broken(of->name + " is given memory of another device, or of the host");
    }
    put(stream, {[=] {
        const uint32_t blocks[] = {bx, by, bz}, per_block[] = {tx, ty, tz};
        run_kernel(*of, blocks, per_block, shared, params);
    }});
    return SUCCESS;
}

R cublasCreate_v2(void **handle) { return *handle = new void *(nullptr), SUCCESS; }
R cublasDestroy_v2(void *) { return SUCCESS; }
R cublasSetStream_v2(void *handle, void *stream) { return *(void **)handle = stream, SUCCESS; }
}

// Matrices stand column by column; sums run in order.
template <class T>
static void product(void *handle, bool a_turned, bool b_turned, int m, int n, int k, T alpha, const T *a, int lda, long sa, const T *b,
                    int ldb, long sb, T beta, T *c, int ldc, long sc, int batch) {
    Lock lock(everything);
    count("product");
    put(of_handle(*(void **)handle), {[=] {
        now_running = "a product";
        for (long p = 0; p < batch; p++)
            for (long j = 0; j < n; j++)
                for (long i = 0; i < m; i++) {
                    T sum = 0;
                    for (long l = 0; l < k; l++)
                        sum = fused(a[p * sa + (a_turned ? i * lda + l : l * lda + i)], b[p * sb + (b_turned ? l * ldb + j : j * ldb + l)], sum);
                    T &to = c[p * sc + j * ldc + i];
                    to = beta == 0 ? alpha * sum : alpha * sum + beta * to;
                }
        now_running = "a copy";
    }});
}

extern "C" {
R cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int type, int lda, long sa,
                             const void *b, int, int ldb, long sb, const void *beta, void *c, int, int ldc, long sc, int batch, int, int) {
    if (type != 0) broken("a product of type " + std::to_string(type) + " is not known here");
    product<float>(handle, ta, tb, m, n, k, *(const float *)alpha, (const float *)a, lda, sa, (const float *)b, ldb, sb,
                   *(const float *)beta, (float *)c, ldc, sc, batch);
    return SUCCESS;
}
R cublasDgemmStridedBatched(void *handle, int ta, int tb, int m, int n, int k, const double *alpha, const double *a, int lda, long sa,
                            const double *b, int ldb, long sb, const double *beta, double *c, int ldc, long sc, int batch) {
    return product<double>(handle, ta, tb, m, n, k, *alpha, a, lda, sa, b, ldb, sb, *beta, c, ldc, sc, batch), SUCCESS;
}
R curandCreateGenerator(void **generator, int) { return *generator = nullptr, SUCCESS; }
R curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return SUCCESS; }
R curandSetStream(void *, void *) { return SUCCESS; }
R curandDestroyGenerator(void *) { return SUCCESS; }
}
