// What a translated kernel needs; see ptx.py and cuda.cpp.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

// What is known of a kernel before it runs. `waits`: its threads wait for each other; `layout`: where each parameter starts,
// and its bytes.
struct Kernel {
    uint32_t param_bytes, param_count, shared_bytes, most_threads;
    bool waits;
    const uint32_t *layout;
};

// Where a thread is.
struct Thread {
    uint32_t thread[3], threads[3], block[3], blocks[3], lane;
    const uint8_t *params;
    uint8_t *shared;
    uint32_t shared_bytes;
};

extern "C" {
// Waits until all threads of the block, or of the warp, have come here.
void wait_for_block(Thread &at);
void wait_for_warp(Thread &at);
// The value that another thread of the warp has given; `second`: whether there is such a thread.
uint32_t exchanged(Thread &at, uint32_t value, uint32_t lane);
void outside_shared(Thread &at, uint64_t address);
// Ends the program.
void not_possible(const char *what);
}

template <class To, class From>
static inline To as(From bits) {
    To to;
    static_assert(sizeof(To) == sizeof(From));
    memcpy(&to, &bits, sizeof to);
    return to;
}
// A value's bits.
template <class To, class From>
static inline To bits(From value) {
    if constexpr (sizeof(To) == sizeof(From)) return as<To>(value);
    else return To(value);
}

template <class T>
static inline T memory_get(Thread &, uint64_t address) {
    if (address % sizeof(T)) not_possible("a misaligned read");
    return *(const volatile T *)address;
}
template <class T>
static inline void memory_put(Thread &, uint64_t address, T value) {
    if (address % sizeof(T)) not_possible("a misaligned write");
    *(volatile T *)address = value;
}
template <class T>
static inline T shared_get(Thread &at, uint64_t address) {
    if (address + sizeof(T) > at.shared_bytes || address % sizeof(T)) outside_shared(at, address);
    return *(const volatile T *)(at.shared + address);
}
template <class T>
static inline void shared_put(Thread &at, uint64_t address, T value) {
    if (address + sizeof(T) > at.shared_bytes || address % sizeof(T)) outside_shared(at, address);
    *(volatile T *)(at.shared + address) = value;
}
template <class T>
static inline T param_get(Thread &at, uint64_t address) {
    T value;
    memcpy(&value, at.params + address, sizeof value);
    return value;
}

template <class T>
static inline bool unordered(T a, T b) { return a != a || b != b; }
template <class T>
static inline T magnitude(T v) {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(v);
    else return v < 0 ? -v : v;
}
template <class T>
static inline T fused(T a, T b, T c) {
    return std::fma(a, b, c);
}
template <class T>
static inline T quotient(T a, T b) {
    if constexpr (!std::is_floating_point_v<T>)
        if (b == 0) return T(~T(0));
    return a / b;
}
template <class T>
static inline T remainder_of(T a, T b) { return b == 0 ? a : T(a % b); }
// With NAN_WINS a NaN is the result, else the other operand.
template <bool NAN_WINS, class T>
static inline T minimum(T a, T b) {
    if (a != a) return NAN_WINS ? a : b;
    if (b != b) return NAN_WINS ? b : a;
    return b < a ? b : a;
}
template <bool NAN_WINS, class T>
static inline T maximum(T a, T b) {
    if (a != a) return NAN_WINS ? a : b;
    if (b != b) return NAN_WINS ? b : a;
    return a < b ? b : a;
}
template <class T>
static inline T function_sqrt(T v) { return std::sqrt(v); }
template <class T>
static inline T function_rcp(T v) { return T(1) / v; }
template <class T>
static inline T function_ex2(T v) { return std::exp2(v); }
template <class T>
static inline T shifted_shl(T v, uint32_t by) { return by >= 8 * sizeof(T) ? T(0) : T(v << by); }
template <class T>
static inline T shifted_shr(T v, uint32_t by) {
    if (by >= 8 * sizeof(T)) return v < 0 ? T(-1) : T(0);
    return T(v >> by);
}

// cvt. Beyond the range of an integer is its nearest value; NaN is 0 (of 64 bits: the sign bit).
template <class To, char WAY, bool WHOLE, bool SATURATE, class From>
static inline To converted(From v) {
    if constexpr (std::is_floating_point_v<From> && (!std::is_floating_point_v<To> || WHOLE)) {
        const double w = WAY == 'z' ? std::trunc(double(v)) : WAY == 'm' ? std::floor(double(v))
                       : WAY == 'p' ? std::ceil(double(v)) : std::nearbyint(double(v));
        if constexpr (std::is_floating_point_v<To>) return To(w);
        else {
            if (w != w) return sizeof(From) == 8 && sizeof(To) == 8 ? To(uint64_t(1) << 63) : To(0);
            const double top = std::ldexp(1.0, 8 * sizeof(To) - (std::is_signed_v<To> ? 1 : 0));
            if (w >= top) return std::is_signed_v<To> ? To((uint64_t(1) << (8 * sizeof(To) - 1)) - 1) : To(~To(0));
            if (std::is_signed_v<To> && w < -top) return To(uint64_t(1) << (8 * sizeof(To) - 1));
            if (!std::is_signed_v<To> && w < 0) return 0;
            return To(w);
        }
    } else if constexpr (SATURATE && std::is_floating_point_v<To>) {
        return v != v || v < 0 ? To(0) : v > 1 ? To(1) : To(v);
    } else {
        return To(v);
    }
}

// shfl.sync with all threads of the warp: how is u(p), d(own), b(utterfly) or i(ndex).
static inline std::pair<uint32_t, bool> shuffled(Thread &at, char how, uint32_t value, uint32_t b, uint32_t c) {
    const uint32_t clamp = c & 31, mask = c >> 8 & 31, lane = at.lane;
    const uint32_t top = (lane & mask) | (clamp & ~mask), bottom = lane & mask;
    b &= 31;
    uint32_t from = lane;
    bool is = true;
    if (how == 'u') from = lane - b, is = int32_t(lane) - int32_t(b) >= int32_t(top);
    if (how == 'd') from = lane + b, is = from <= top;
    if (how == 'b') from = lane ^ b, is = from <= top;
    if (how == 'i') from = bottom | (b & ~mask), is = from <= top;
    const uint32_t got = exchanged(at, value, is ? from : lane);
    return {got, is};
}
