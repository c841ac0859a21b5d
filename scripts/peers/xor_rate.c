// Florian's XOR with rates and MSTDPET (2007, section 4.2) in plain C: what `live xor-rate` is compared with in speed
// (lives.py). gcc -O3 -march=native -ffast-math xor_rate.c -o xor_rate -lm; ./xor_rate SEED EPOCHS
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN = 60, HIDDEN = 60 };

static uint64_t s[4];
static inline uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
static inline uint64_t next(void) { // xoshiro256+
    uint64_t result = s[0] + s[3], t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 45);
    return result;
}
static inline float uniform(void) { return (next() >> 40) * (1.0f / (1 << 24)); }

static float w1[HIDDEN][IN], z1[HIDDEN][IN], w2[HIDDEN], z2[HIDDEN];
static float p0[IN], q1[HIDDEN], p1[HIDDEN], q2, u1[HIDDEN], u2 = -70;
static float f0[IN], f1[HIDDEN], f2;

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], 0, 10) : 1;
    int epochs = argc > 2 ? atoi(argv[2]) : 200;
    for (int k = 0; k < 4; k++) { // splitmix64
        uint64_t z = (seed += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9; z = (z ^ (z >> 27)) * 0x94d049bb133111eb; s[k] = z ^ (z >> 31);
    }
    float low[IN], high[IN];
    for (int j = 0; j < IN; j++) low[j] = j % 2 ? -5 : 0, high[j] = j % 2 ? 0 : 5;
    for (int i = 0; i < HIDDEN; i++) {
        u1[i] = -70; w2[i] = 5 * uniform();
        for (int j = 0; j < IN; j++) w1[i][j] = low[j] + (high[j] - low[j]) * uniform();
    }
    float leak = expf(-1 / 20.0f), fade = expf(-1 / 25.0f), reward = 0, rate[4] = {0};
    for (int block = 0; block < 4 * epochs; block++) {
        static int order[4] = {0, 1, 2, 3};
        if (block % 4 == 0) for (int k = 3; k > 0; k--) { int m = next() % (k + 1), o = order[k]; order[k] = order[m]; order[m] = o; }
        int pattern = order[block % 4];
        for (int step = 0; step < 500; step++) {
            float input1[HIDDEN] = {0}, input2 = 0;
            for (int i = 0; i < HIDDEN; i++) {
                float sum = 0;
                for (int j = 0; j < IN; j++) sum += w1[i][j] * f0[j];
                input1[i] = sum; input2 += w2[i] * f1[i];
            }
            for (int j = 0; j < IN; j++) p0[j] = p0[j] * leak + f0[j];
            for (int i = 0; i < HIDDEN; i++) q1[i] = q1[i] * leak - f1[i], p1[i] = p1[i] * leak + f1[i];
            q2 = q2 * leak - f2;
            float gate = 0.625f * reward;
            for (int i = 0; i < HIDDEN; i++) {
                for (int j = 0; j < IN; j++) {
                    float z = z1[i][j] * fade + (p0[j] * f1[i] + q1[i] * f0[j]) / 25, x = w1[i][j] + gate * z;
                    z1[i][j] = z; w1[i][j] = x < low[j] ? low[j] : x > high[j] ? high[j] : x;
                }
                float z = z2[i] * fade + (p1[i] * f2 + q2 * f1[i]) / 25, x = w2[i] + gate * z;
                z2[i] = z; w2[i] = x < 0 ? 0 : x > 5 ? 5 : x;
            }
            for (int j = 0; j < IN; j++) f0[j] = (pattern >> (j / 30) & 1) && uniform() < 0.04f;
            for (int i = 0; i < HIDDEN; i++) {
                u1[i] = -70 + (u1[i] + 70) * leak + input1[i];
                f1[i] = u1[i] > -54; if (f1[i]) u1[i] = -70;
            }
            u2 = -70 + (u2 + 70) * leak + input2;
            f2 = u2 > -54; if (f2) u2 = -70;
            reward = f2 * (pattern == 1 || pattern == 2 ? 1 : -1);
            if (block >= 4 * (epochs - 10)) rate[pattern] += f2 / 5;
        }
    }
    printf("00 %.1f, 01 %.1f, 10 %.1f, 11 %.1f Hz\n", rate[0], rate[2], rate[1], rate[3]);
}
