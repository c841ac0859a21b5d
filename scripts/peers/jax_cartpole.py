#!/usr/bin/env python3
"""A peer of `hebbian-rnn train cartpole`: the same episodes and updates in JAX, with gymnax's CartPole, on the CPU in float32.

A whole update is one compiled function. A `while_loop` takes steps until no episode of any network is alive; what a step adds
to the eligibilities is stored for a few steps and then multiplied in at once; the readout is folded into the recurrent product.
Noise is made by an integer hash and not stored: with `--noise normal` by jax.random instead. The equations are those of
docs/worlds.md.

    pip install jax gymnax six
    python scripts/peers/jax_cartpole.py --networks 20 --batch 16 --updates 100

XLA takes all cores the process may use; `taskset -c 0 python …` gives it, and ours, one. Prints one line of JSON:
environment steps of running episodes per second, over all updates but the first, which compiles, and mean returns. With `--program
target/release/hebbian-rnn` and `--rounds 5`, both run in turn, and the ratio in each round is printed too; our time is that of
the whole process, with its start, its checkpoint and its pictures.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import tempfile
import time
from functools import partial

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from gymnax.environments.classic_control.cartpole import CartPole

NEURONS, GAIN, SIGMA, BIAS = 64, 0.8, 0.2, 0.5
ETA, MAX_DW, ETA_OUT, MAX_DW_OUT = 1.5625, 3e-3, 0.0625, 0.01
SIZES = jnp.array([2.4, 2.0, 0.21, 2.0])
LIMIT = 500

world = CartPole()
PARAMS = world.default_params
step_world = jax.vmap(jax.vmap(lambda state, action: world.step_env(None, state, action, PARAMS)))


def draw_networks(key, networks):
    """w_rec [S, N, N] (pre, post), w_in [S, 4, N], b [S, N], w_out [S, N, 2] and b_out [S, 2]."""
    rec, inputs, bias, out = jax.random.split(key, 4)
    return {
        "w_rec": jax.random.normal(rec, (networks, NEURONS, NEURONS)) * (GAIN / NEURONS**0.5),
        "w_in": jax.random.uniform(inputs, (networks, 4, NEURONS), minval=-1, maxval=1) / SIZES[:, None],
        "b": jax.random.uniform(bias, (networks, 1, NEURONS), minval=-BIAS, maxval=BIAS),
        "w_out": jax.random.normal(out, (networks, NEURONS, 2)) * (0.01 / NEURONS**0.5),
        "b_out": jnp.zeros((networks, 1, 2)),
    }


def words(update, step, shape):
    """Words that look random: a hash of their place (the finaliser of MurmurHash3)."""
    place = jnp.arange(shape[0] * shape[1] * shape[2], dtype=jnp.uint32).reshape(shape)
    h = place * jnp.uint32(0x9E3779B9) + (update * LIMIT + step) * jnp.uint32(0x85EBCA6B)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> shift)) * jnp.uint32(factor)
    return h ^ (h >> 16)


def perturbation(noise, update, step, shape):
    """ξ of a step: N(0, σ²), or by the hash the sum of four bytes, which is nearly that."""
    if noise == "normal":
        return SIGMA * jax.random.normal(jax.random.fold_in(jax.random.key(1), update * LIMIT + step), shape)
    h = words(update, step, shape)
    total = (h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24)
    # Four uniform bytes have the mean 510 and the variance 4 (256² − 1) / 12.
    return (total.astype(jnp.float32) - 510.0) * (SIGMA / 147.8)


@partial(jax.jit, static_argnames=("batch", "block", "noise"))
def update(networks, number, key, batch, block, noise):
    """One update: new networks, the mean return and the steps that living episodes took."""
    s = networks["w_rec"].shape[0]
    shape = (s, batch, NEURONS)
    start, draws = jax.random.split(key)
    observation, state = jax.vmap(jax.vmap(lambda key: world.reset_env(key, PARAMS)))(jax.random.split(start, (s, batch)))
    both = jnp.concatenate([networks["w_rec"], networks["w_out"]], 2)
    uniform = jax.random.uniform(draws, (LIMIT + block, s, batch))

    def step(carry, t):
        r, drive, observation, state, alive = carry
        xi = perturbation(noise, number, t, shape)
        x = drive + observation @ networks["w_in"] + networks["b"] + xi
        before, r = r, jnp.tanh(x)
        product = r @ both
        drive, z = product[..., :NEURONS], product[..., NEURONS:] + networks["b_out"]
        p = jax.nn.sigmoid(z[..., 1] - z[..., 0])
        action = (uniform[t] < p).astype(jnp.int32)
        score = (action - p) * alive
        observation, state, _, done, _ = step_world(state, action)
        living, alive = alive, alive * (1.0 - done) * (t + 1 < LIMIT)
        # The scores of two actions are opposite.
        kept = (before, r, score, living) if noise == "hash" else (before, r, score, living, xi)
        return (r, drive, observation, state, alive), kept

    def blocks(carry):
        t, inner, e_rec, e_out, e_bias, returns = carry
        inner, (before, r, score, living, *stored) = jax.lax.scan(step, inner, t + jnp.arange(block, dtype=jnp.uint32))
        # Noise is made again rather than kept.
        again = lambda k: perturbation(noise, number, t + k, shape)
        xi = stored[0] if stored else jax.vmap(again)(jnp.arange(block, dtype=jnp.uint32))
        e_rec += jnp.einsum("tsbj,tsbi->sbji", before, xi * living[..., None])
        e_out += jnp.einsum("tsbj,tsb->sbj", r, score)
        return t + block, inner, e_rec, e_out, e_bias + score.sum(0), returns + living.sum(0)

    zeros = jnp.zeros((s, batch))
    inner = (jnp.zeros(shape), jnp.zeros(shape), observation, state, jnp.ones((s, batch)))
    start = (jnp.uint32(0), inner, jnp.zeros((s, batch, NEURONS, NEURONS)), jnp.zeros(shape), zeros, zeros)
    *_, e_rec, e_out, e_bias, returns = jax.lax.while_loop(lambda carry: carry[1][4].any(), blocks, start)

    m = (returns - returns.mean(1, keepdims=True)) * (batch / (batch - 1))
    m /= jnp.sqrt((m * m).mean(1, keepdims=True)) + 1e-12
    both_actions = lambda e: jnp.stack([-e, e], -1)
    change = lambda eta, e, most: jnp.clip(eta * e, -most, most)
    moved = {
        "w_rec": change(ETA, jnp.einsum("sb,sbji->sji", m, e_rec), MAX_DW),
        "w_out": change(ETA_OUT, both_actions(jnp.einsum("sb,sbj->sj", m, e_out)), MAX_DW_OUT),
        "b_out": change(ETA_OUT, both_actions(jnp.einsum("sb,sb->s", m, e_bias))[:, None], MAX_DW_OUT),
    }
    return {name: w + moved.get(name, 0.0) for name, w in networks.items()}, returns.mean(), returns.sum()


def train(args):
    """Steps a second, and what the updates gave."""
    key = jax.random.key(args.seed)
    networks, returns, steps = draw_networks(key, args.networks), [], 0.0
    for k in range(args.updates + 1):
        if k == 1:
            begin = time.perf_counter()
        number, now = jnp.uint32(k), jax.random.fold_in(key, k)
        networks, mean, taken = update(networks, number, now, args.batch, args.block, args.noise)
        returns.append(float(mean))
        steps += float(taken) if k > 0 else 0.0
    seconds = time.perf_counter() - begin
    report = {"jax": jax.__version__, "steps_per_second": steps / seconds, "world_steps": steps, "seconds": seconds}
    return {**report, "first_return": returns[0], "last_returns": returns[-5:]}


def ours(args):
    """Our steps a second, of as many networks, episodes and updates."""
    with tempfile.TemporaryDirectory() as folder:
        size = {"--networks": args.networks, "--batch": args.batch, "--updates": args.updates, "--out": f"{folder}/run"}
        options = [str(word) for option in size.items() for word in option]
        begin = time.perf_counter()
        command = [args.program, "train", "cartpole", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        with open(f"{folder}/run/metrics.csv") as file:
            return sum(int(row["world_steps"]) for row in csv.DictReader(file)) / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--block", type=int, default=8, help="steps between products into the eligibilities")
    parser.add_argument("--noise", choices=["hash", "normal"], default="hash")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", help="compare with this program")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()

    ratios = []
    for _ in range(args.rounds):
        report = train(args)
        if args.program:
            report["ours"] = ours(args)
            report["ratio"] = report["ours"] / report["steps_per_second"]
            ratios.append(report["ratio"])
        print(json.dumps(report), flush=True)
    if ratios:
        print(f"ours is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
