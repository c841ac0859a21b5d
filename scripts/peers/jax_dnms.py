#!/usr/bin/env python3
"""A peer of `hebbian-rnn train dnms`: the same trials and updates in JAX (jax.jit, lax.scan), on the CPU in float32.

A whole update is one compiled function: perturbations for all trials are drawn with jax.random, one number for each
event, a scan runs the steps of S networks and B trials side by side, and the eligibility is one product over time and
trials, its rows scaled by the neuromodulator. The equations and symbols are those of docs/model.md. With `--rule bptt` the update
is AdamW on the gradient of the mean squared error, which jax.grad takes through the scan; nothing is perturbed.

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
LEARNING_RATE, BETA1, BETA2, EPSILON, GRADIENT_CLIP = 1e-3, 0.9, 0.999, 1e-8, 1.0


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


def begin(w_in, key, batch):
    """What is shown in each trial, w_in u of each stimulus [S, B, N], which neurons are free, and x(0) [S, B, N]."""
    first, second = (jnp.arange(batch) % 4) // 2, jnp.arange(batch) % 2
    inputs = [jnp.swapaxes(w_in[:, :, shown], 1, 2) for shown in (first, second)]
    free = jnp.ones(NEURONS, bool).at[jnp.array(list(CLAMPED))].set(False)
    x = jax.random.uniform(key, (w_in.shape[0], batch, NEURONS), minval=-0.1, maxval=0.1)
    for neuron, value in CLAMPED.items():
        x = x.at[..., neuron].set(value)
    return (first, second), inputs, free, x


def advance(w_rec, inputs, free, x, r, t, xi=0.0):
    """x after step t."""
    d = jnp.einsum("sbj,sij->sbi", r, w_rec) + xi
    for u, start in zip(inputs, (FIRST, SECOND)):
        d += jnp.where((t >= start) & (t < start + STIMULUS), u, 0)
    return jnp.where(free, x + RATE * (d - x), x)


@partial(jax.jit, static_argnames=("batch", "noise"), donate_argnames="w_rec")
def update(w_in, w_rec, key, batch, noise="gaps"):
    """One update from B trials of each network: the new w_rec and the mean error."""
    networks = w_rec.shape[0]
    for_start, for_xi = jax.random.split(key)
    (first, second), inputs, free, x = begin(w_in, for_start, batch)

    def step(state, at):
        x, r, mean = state
        t, xi = at
        if noise == "steps":
            xi = jnp.where(t >= PERTURBED_FROM, draw_step(xi, x.shape), 0)
        x = advance(w_rec, inputs, free, x, r, t, xi)
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


@partial(jax.jit, static_argnames="batch", donate_argnames=("w_rec", "moments"))
def update_bptt(w_in, w_rec, moments, key, batch):
    """One update by backpropagation through time: the new w_rec, AdamW's moments, and the mean error."""
    (first, second), inputs, free, x = begin(w_in, key, batch)
    target = jnp.where(first == second, -TARGET, TARGET)

    def loss(w_rec):
        def step(state, t):
            x = advance(w_rec, inputs, free, *state, t)
            r = jnp.tanh(x)
            return (x, r), r[..., OUTPUT]

        _, z = jax.lax.scan(step, (x, jnp.tanh(x)), jnp.arange(STEPS))
        off = z[-RESPONSE:] - target
        return (off**2).mean((0, 2)).sum(), jnp.abs(off).mean()

    gradient, error = jax.grad(loss, has_aux=True)(w_rec)
    norm = jnp.sqrt((gradient**2).sum((1, 2), keepdims=True))
    gradient *= jnp.minimum(1, GRADIENT_CLIP / norm)
    k, first_moment, second_moment = moments
    k, first_moment = k + 1, BETA1 * first_moment + (1 - BETA1) * gradient
    second_moment = BETA2 * second_moment + (1 - BETA2) * gradient**2
    step = first_moment / (1 - BETA1**k) / (jnp.sqrt(second_moment / (1 - BETA2**k)) + EPSILON)
    return w_rec - LEARNING_RATE * step, (k, first_moment, second_moment), error


def main():
    parser = argparse.ArgumentParser(description="dnms in JAX; see the head of this file")
    parser.add_argument("--batch", type=int, default=64, help="trials of each network in an update [64]")
    parser.add_argument("--networks", type=int, default=1)
    parser.add_argument("--updates", type=int, default=3, help="updates timed, after one warm-up [3]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", choices=("gaps", "steps"), default="gaps",
                        help="draw the gaps between perturbations, or numbers for every neuron and step [gaps]")
    parser.add_argument("--rule", choices=("delta-x", "bptt"), default="delta-x")
    args = parser.parse_args()
    if args.batch % 4 or args.batch < 8:
        parser.error("--batch must be a multiple of 4, at least 8")

    key, for_networks = jax.random.split(jax.random.key(args.seed))
    w_in, w_rec = draw_networks(for_networks, args.networks)
    moments = (0, jnp.zeros_like(w_rec), jnp.zeros_like(w_rec))
    errors, ms = [], []
    for k in range(args.updates + 1):
        begun = time.perf_counter()
        now = jax.random.fold_in(key, k)
        if args.rule == "bptt":
            w_rec, moments, error = jax.block_until_ready(update_bptt(w_in, w_rec, moments, now, args.batch))
        else:
            w_rec, error = jax.block_until_ready(update(w_in, w_rec, now, args.batch, args.noise))
        ms.append((time.perf_counter() - begun) * 1e3 / (args.batch * args.networks))
        errors.append(float(error))
    print(json.dumps({
        "peer": "jax", "rule": args.rule, "noise": args.noise, "networks": args.networks, "batch": args.batch,
        "ms_per_trial": round(statistics.median(ms[1:]), 4), "error": round(errors[-1], 4),
        "errors": [round(e, 4) for e in errors],
    }))


if __name__ == "__main__":
    main()
