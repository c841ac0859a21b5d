// Izhikevich's distal reward (2007, figure 1) in plain C, storing existing synapses: what `live distal-reward` is compared
// with in speed (lives.py). gcc -O3 -march=native -ffast-math distal_reward.c -o distal_reward -lm; ./distal_reward SEED SECONDS
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCITATORY = 800, INHIBITORY = 200, N = EXCITATORY + INHIBITORY, M = 100 };

static uint64_t s[4];
static inline uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
static inline uint64_t next(void) { // xoshiro256+
    uint64_t result = s[0] + s[3], t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 45);
    return result;
}
static inline float uniform(void) { return (next() >> 40) * (1.0f / (1 << 24)); }

static int post[N][M], pre_count[N], pre_of[N][N];
static float w[N][M], c[N][M], *pre_c[N][N], trace[2][N];

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], 0, 10) : 1;
    int seconds = argc > 2 ? atoi(argv[2]) : 3600;
    for (int k = 0; k < 4; k++) { // splitmix64
        uint64_t z = (seed += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9; z = (z ^ (z >> 27)) * 0x94d049bb133111eb; s[k] = z ^ (z >> 31);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < M; k++) {
            post[i][k] = next() % (i < EXCITATORY ? N : EXCITATORY);
            w[i][k] = i < EXCITATORY ? 1 : -1;
            if (i < EXCITATORY) {
                int j = post[i][k];
                pre_of[j][pre_count[j]] = i;
                pre_c[j][pre_count[j]++] = &c[i][k];
            }
        }
    w[0][0] = 0;
    int n2 = post[0][0];
    static float v[N], u[N], input[N];
    static int fired[N];
    for (int i = 0; i < N; i++) v[i] = -65, u[i] = -13;
    float d = 0;
    long n1_at = -1000, spikes = 0, reached = -1;
    static char reward[1 << 13];
    for (long t = 0; t < seconds * 1000L; t++) {
        float *now = trace[t & 1], *before = trace[(t + 1) & 1];
        for (int i = 0; i < N; i++) input[i] = 13 * (uniform() - 0.5f);
        int count = 0;
        for (int i = 0; i < N; i++) if (v[i] >= 30) fired[count++] = i;
        for (int i = 0; i < N; i++) now[i] = before[i] * 0.95f;
        for (int f = 0; f < count; f++) {
            int i = fired[f];
            v[i] = -65; u[i] += i < EXCITATORY ? 8 : 2; now[i] = 0.1f;
            for (int k = 0; k < pre_count[i]; k++) *pre_c[i][k] += before[pre_of[i][k]];
        }
        for (int f = 0; f < count; f++) {
            int i = fired[f];
            for (int k = 0; k < M; k++) input[post[i][k]] += w[i][k];
            if (i < EXCITATORY) for (int k = 0; k < M; k++) c[i][k] -= 1.5f * now[post[i][k]];
            if (i < EXCITATORY) spikes++;
            if (i == n2 && t - n1_at < 20 && n1_at < t) reward[(t + 1000 + 1 + next() % 2000) & 8191]++;
            if (i == 0) n1_at = t;
        }
        for (int i = 0; i < N; i++) {
            float a = i < EXCITATORY ? 0.02f : 0.1f;
            v[i] += 0.5f * ((0.04f * v[i] + 5) * v[i] + 140 - u[i] + input[i]);
            v[i] += 0.5f * ((0.04f * v[i] + 5) * v[i] + 140 - u[i] + input[i]);
            u[i] += a * (0.2f * v[i] - u[i]);
        }
        d *= 0.995f;
        if (t % 10 == 9) {
            float gate = 0.002f + d;
            for (int i = 0; i < EXCITATORY; i++)
                for (int k = 0; k < M; k++) {
                    float x = w[i][k] + gate * c[i][k];
                    w[i][k] = x < 0 ? 0 : x > 4 ? 4 : x;
                    c[i][k] *= 0.99f;
                }
        }
        d += 0.5f * reward[t & 8191];
        reward[t & 8191] = 0;
        if (reached < 0 && w[0][0] >= 4) reached = t / 1000;
    }
    printf("chosen %.2f, reached the bound after %ld s, %.2f Hz\n", w[0][0], reached, spikes / (double)seconds / EXCITATORY);
}
