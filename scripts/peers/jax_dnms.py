#!/usr/bin/env python3
"""A peer of `hebbian-rnn train dnms`: the same trials and updates in JAX (jax.jit, lax.scan), on the CPU in float32.

A whole update is one compiled function: perturbations for all trials are drawn with jax.random, one number for each
event, a scan runs the steps of S networks and B trials side by side, and the eligibility is one product over time and
trials, its rows scaled by the neuromodulator. The equations and symbols are those of docs/model.md.

    pip install jax
    python scripts/peers/jax_dnms.py --networks 1 --updates 10

XLA takes all cores the process may use. To limit it, give it fewer: `taskset -c 0 python …`; or, for products on one
thread only, `XLA_FLAGS=--xla_cpu_multi_thread_eigen=false python …`.

Prints one line of JSON. `ms_per_trial` is the median over updates of the time of a whole update divided by its trials
in all networks, waiting for the result each time; a first update, which compiles and warms up, is not counted.
`errors` are the mean errors of all updates in order, including the warm-up, and `error` is the last of them.
"""

import argparse
import json
import math
import os
import statistics
import time
from functools import partial

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp

STEPS, FIRST, SECOND, STIMULUS, RESPONSE = 1000, 1, 400, 200, 200
NEURONS, RATE, GAIN = 200, 1 / 30, 1.5
CLAMPED = {1: 1.0, 10: 1.0, 11: -1.0}
OUTPUT = 0
PROBABILITY, AMPLITUDE, PERTURBED_FROM = 0.003, 16.0, 4
ETA, MAX_DW, CLIP_GROWTH, X_MEAN_DECAY, LEARNT_FROM = 0.1, 3e-4, 0.5, 0.05, 3
TARGET = 0.98


def draw_networks(key, networks):
    """w_in [S, N, 2] and w_rec [S, N, N], both [post, pre]."""
    for_in, for_rec = jax.random.split(key)
    w_in = jax.random.uniform(for_in, (networks, NEURONS, 2), minval=-1, maxval=1).at[:, OUTPUT].set(0)
    return w_in, jax.random.normal(for_rec, (networks, NEURONS, NEURONS)) * (GAIN / math.sqrt(NEURONS))


def draw_perturbations(key, shape):
    """xi [T, S, B, N]: each entry is an event with PROBABILITY, of size U(-AMPLITUDE, AMPLITUDE); else 0.

    The gaps between events are geometric, so the draws are as many as the events; those past the end are dropped.
    """
    entries, skipped = math.prod(shape), math.prod((PERTURBED_FROM, *shape[1:]))
    mean = (entries - skipped) * PROBABILITY
    count = int(mean + 8 * math.sqrt(mean) + 8)
    for_gaps, for_sizes = jax.random.split(key)
    at = jnp.cumsum(jax.random.geometric(for_gaps, PROBABILITY, (count,))) - 1 + skipped
    sizes = jax.random.uniform(for_sizes, (count,), minval=-AMPLITUDE, maxval=AMPLITUDE)
    xi = jnp.zeros(entries).at[at].set(sizes, mode="drop", unique_indices=True, indices_are_sorted=True)
    return xi.reshape(shape)


def draw_step(key, shape):
    """xi [S, B, N] of one step drawn the usual way: two numbers for each neuron."""
    for_events, for_sizes = jax.random.split(key)
    sizes = jax.random.uniform(for_sizes, shape, minval=-AMPLITUDE, maxval=AMPLITUDE)
    return jnp.where(jax.random.bernoulli(for_events, PROBABILITY, shape), sizes, 0)


@partial(jax.jit, static_argnames=("batch", "noise"), donate_argnames="w_rec")
def update(w_in, w_rec, key, batch, noise="gaps"):
    """One update from B trials of each network: the new w_rec and the mean error."""
    networks = w_rec.shape[0]
    for_start, for_xi = jax.random.split(key)
    first, second = (jnp.arange(batch) % 4) // 2, jnp.arange(batch) % 2
    # w_in u of each stimulus, [S, B, N].
    inputs = [jnp.swapaxes(w_in[:, :, shown], 1, 2) for shown in (first, second)]
    free = jnp.ones(NEURONS, bool).at[jnp.array(list(CLAMPED))].set(False)
    x = jax.random.uniform(for_start, (networks, batch, NEURONS), minval=-0.1, maxval=0.1)
    for neuron, value in CLAMPED.items():
        x = x.at[..., neuron].set(value)

    def step(state, at):
        x, r, mean = state
        t, xi = at
        if noise == "steps":
            xi = jnp.where(t >= PERTURBED_FROM, draw_step(xi, x.shape), 0)
        d = jnp.einsum("sbj,sij->sbi", r, w_rec) + xi
        for u, start in zip(inputs, (FIRST, SECOND)):
            d += jnp.where((t >= start) & (t < start + STIMULUS), u, 0)
        x = jnp.where(free, x + RATE * (d - x), x)
        delta = jnp.where(t >= LEARNT_FROM, x - mean, 0)
        mean = X_MEAN_DECAY * mean + (1 - X_MEAN_DECAY) * x
        after = jnp.tanh(x)
        return (x, after, mean), (delta**3, r**3, after[..., OUTPUT])

    if noise == "steps":
        xi = jax.random.split(for_xi, STEPS)
    else:
        xi = draw_perturbations(for_xi, (STEPS, networks, batch, NEURONS))
    _, (deltas, rates, z) = jax.lax.scan(step, (x, jnp.tanh(x), x), (jnp.arange(STEPS), xi))

    target = jnp.where(first == second, -TARGET, TARGET)
    errors = jnp.abs(z[-RESPONSE:] - target).mean(0)
    # Trial k is of type k % 4: the other trials of a type are a column without one entry.
    by_type = errors.reshape(networks, -1, 4)
    others = (by_type.sum(1, keepdims=True) - by_type) / (by_type.shape[1] - 1)
    weights = (others * (others - by_type)).reshape(1, networks, batch, 1)

    # As [S, T B, N]: three times as fast as one einsum over t and b.
    post, pre = (jnp.swapaxes(a, 0, 1).reshape(networks, -1, NEURONS) for a in (deltas * weights, rates))
    dw = ETA * jnp.einsum("sti,stj->sij", post, pre)
    bound = MAX_DW * max(1, CLIP_GROWTH * math.sqrt(batch))
    return w_rec + jnp.clip(dw, -bound, bound), errors.mean()


def main():
    parser = argparse.ArgumentParser(description="dnms in JAX; see the head of this file")
    parser.add_argument("--batch", type=int, default=64, help="trials of each network in an update [64]")
    parser.add_argument("--networks", type=int, default=1)
    parser.add_argument("--updates", type=int, default=3, help="updates timed, after one warm-up [3]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", choices=("gaps", "steps"), default="gaps",
                        help="draw the gaps between perturbations, or numbers for every neuron and step [gaps]")
    args = parser.parse_args()
    if args.batch % 4 or args.batch < 8:
        parser.error("--batch must be a multiple of 4, at least 8")

    key, for_networks = jax.random.split(jax.random.key(args.seed))
    w_in, w_rec = draw_networks(for_networks, args.networks)
    errors, ms = [], []
    for k in range(args.updates + 1):
        begun = time.perf_counter()
        w_rec, error = jax.block_until_ready(update(w_in, w_rec, jax.random.fold_in(key, k), args.batch, args.noise))
        ms.append((time.perf_counter() - begun) * 1e3 / (args.batch * args.networks))
        errors.append(float(error))
    print(json.dumps({
        "peer": "jax", "noise": args.noise, "networks": args.networks, "batch": args.batch,
        "ms_per_trial": round(statistics.median(ms[1:]), 4), "error": round(errors[-1], 4),
        "errors": [round(e, 4) for e in errors],
    }))


if __name__ == "__main__":
    main()
