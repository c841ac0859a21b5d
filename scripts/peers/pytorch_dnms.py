#!/usr/bin/env python3
"""A peer of `hebbian-rnn train dnms`: the same trials and updates in PyTorch, without autograd, on the CPU in float32.

S networks and B trials run side by side as batch dimensions. A step is five calls over all of them. Perturbations are
drawn for whole trials at once, one number for each event; the eligibility is one product over time and trials, its
rows scaled by the neuromodulator. The equations and symbols are those of docs/model.md. Everything except
the learning itself is left out: metrics, checkpoints, the criterion, and expected errors, which leave-one-out does not need.

With `--rule bptt` the update is torch.optim.AdamW on the gradient of the mean squared error, by autograd; nothing is perturbed.

    pip install torch numpy
    python scripts/peers/pytorch_dnms.py --networks 1 --updates 10 --threads 2
    python scripts/peers/pytorch_dnms.py --check

Prints one line of JSON. `ms_per_trial` is the median over updates of the time of a whole update (draws, dynamics,
eligibility, update) divided by its trials in all networks; a first update warms up and is not counted.
`errors` are the mean errors of all updates in order, including the warm-up, and `error` is the last of them.

`--check` compares a batched update with a loop over single trials and single neurons' weights, in float64.
"""

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import dataclass

import torch

TAU_MS, DT_MS, GAIN = 30.0, 1.0, 1.5
CLAMPED = {1: 1.0, 10: 1.0, 11: -1.0}
OUTPUT = 0
PROBABILITY, AMPLITUDE, PERTURBED_FROM = 0.003, 16.0, 4
ETA, MAX_DW, CLIP_GROWTH, X_MEAN_DECAY, LEARNT_FROM = 0.1, 3e-4, 0.5, 0.05, 3
TARGET = 0.98
LEARNING_RATE, GRADIENT_CLIP = 1e-3, 1.0


@dataclass
class Task:
    """When a trial's events happen, in steps."""

    steps: int = 1000
    first: int = 1
    second: int = 400
    stimulus: int = 200
    response: int = 200


class Networks:
    """S networks: w_in [S, N, 2] and w_rec [S, N, N], both [post, pre]."""

    def __init__(self, networks, neurons):
        self.w_in = torch.empty(networks, neurons, 2).uniform_(-1, 1)
        self.w_in[:, OUTPUT] = 0
        self.w_rec = torch.randn(networks, neurons, neurons) * (GAIN / math.sqrt(neurons))
        # The leak rate of a clamped neuron is 0, which keeps it at its initial x.
        self.rate = torch.full((neurons,), DT_MS / TAU_MS)
        self.rate[list(CLAMPED)] = 0


def draw_perturbations(out):
    """Fills out [S, T, B, N]: each entry is an event with PROBABILITY, of size U(-AMPLITUDE, AMPLITUDE); else 0.

    The gaps between events are geometric, so the draws are as many as the events.
    """
    flat = out.zero_().view(-1)
    mean = flat.numel() * PROBABILITY
    gaps = torch.empty(int(mean + 8 * math.sqrt(mean) + 8), dtype=torch.int64).geometric_(PROBABILITY)
    at = gaps.cumsum(0) - 1
    at = at[at < flat.numel()]
    flat[at] = torch.empty(at.numel(), dtype=out.dtype).uniform_(-AMPLITUDE, AMPLITUDE)
    out[:, :PERTURBED_FROM] = 0


def draw_perturbations_each_step(out):
    """The same statistics drawn the usual way: two numbers for each neuron and step."""
    for xi in out.unbind(1):
        xi.copy_((torch.rand_like(xi) < PROBABILITY) * torch.empty_like(xi).uniform_(-AMPLITUDE, AMPLITUDE))
    out[:, :PERTURBED_FROM] = 0


class Memory:
    """Buffers for an update, [S, T, B, N] each, reused by every update."""

    def __init__(self, networks, steps, batch, neurons):
        self.drive, self.rates, self.deltas = (torch.empty(networks, steps, batch, neurons) for _ in range(3))


def draw_start(networks, batch, neurons):
    """x(0), [S, B, N]."""
    x = torch.empty(networks, batch, neurons).uniform_(-0.1, 0.1)
    for neuron, value in CLAMPED.items():
        x[..., neuron] = value
    return x


def run_trials(net, task, memory, x):
    """Runs B trials of each network from x(0); memory.drive holds the perturbations.

    Returns the errors [S, B] and the sum over trials of E M e, [S, N, N].
    """
    networks, batch, neurons = x.shape
    drive, rates, deltas = memory.drive, memory.rates, memory.deltas
    first, second = (torch.arange(batch) % 4) // 2, torch.arange(batch) % 2
    for stimulus, start in ((first, task.first), (second, task.second)):
        drive[:, start : start + task.stimulus] += net.w_in[:, :, stimulus].transpose(1, 2).unsqueeze(1)

    w, mean, last = net.w_rec.transpose(1, 2).contiguous(), x.clone(), torch.empty_like(x)
    before = rates.unbind(1)
    torch.tanh(x, out=before[0])
    for d, delta, r, r_next in zip(drive.unbind(1), deltas.unbind(1), before, (*before[1:], last)):
        d.baddbmm_(r, w)
        x.lerp_(d, net.rate)
        torch.sub(x, mean, out=delta)
        mean.lerp_(x, 1 - X_MEAN_DECAY)
        torch.tanh(x, out=r_next)

    z = torch.cat((rates[:, 1:, :, OUTPUT], last[:, None, :, OUTPUT]), 1)[:, task.steps - task.response :]
    target = torch.where(first == second, -TARGET, TARGET)
    errors = (z - target).abs().mean(1)
    # Trial k is of type k % 4: the other trials of a type are a column without one entry.
    by_type = errors.view(networks, -1, 4)
    others = (by_type.sum(1, keepdim=True) - by_type) / (by_type.shape[1] - 1)
    weights = (others * (others - by_type)).view(networks, 1, batch, 1)

    deltas[:, :LEARNT_FROM] = 0
    deltas.pow_(3).mul_(weights)
    rates.pow_(3)
    flat = (networks, task.steps * batch, neurons)
    return errors, torch.bmm(deltas.view(flat).transpose(1, 2), rates.view(flat))


@torch.no_grad()
def update(net, task, memory, trials_each, draw=draw_perturbations):
    """One update from trials_each trials of each network, B at a time; returns the mean error."""
    networks, _, batch, neurons = memory.drive.shape
    total, error = 0, 0.0
    parts = trials_each // batch
    for _ in range(parts):
        draw(memory.drive)
        errors, dw = run_trials(net, task, memory, draw_start(networks, batch, neurons))
        total, error = total + dw, error + errors.mean().item() / parts
    bound = MAX_DW * max(1, CLIP_GROWTH * math.sqrt(trials_each))
    net.w_rec += (ETA * total).clamp_(-bound, bound)
    return error


def update_bptt(net, task, optimiser, batch):
    """One update by backpropagation through time; returns the mean error."""
    networks, neurons, _ = net.w_rec.shape
    first, second = (torch.arange(batch) % 4) // 2, torch.arange(batch) % 2
    shown = [net.w_in[:, :, stimulus].transpose(1, 2).contiguous() for stimulus in (first, second)]
    x, w, z = draw_start(networks, batch, neurons), net.w_rec.transpose(1, 2), []
    r = torch.tanh(x)
    for step in range(task.steps):
        d = torch.bmm(r, w)
        for u, start in zip(shown, (task.first, task.second)):
            if start <= step < start + task.stimulus:
                d = d + u
        x = torch.lerp(x, d, net.rate)
        r = torch.tanh(x)
        if step >= task.steps - task.response:
            z.append(r[..., OUTPUT])
    off = torch.stack(z) - torch.where(first == second, -TARGET, TARGET)
    optimiser.zero_grad()
    (off**2).mean((0, 2)).sum().backward()
    norm = net.w_rec.grad.norm(dim=(1, 2), keepdim=True)
    net.w_rec.grad.mul_((GRADIENT_CLIP / norm).clamp(max=1))
    optimiser.step()
    return off.detach().abs().mean().item()


@torch.no_grad()
def check():
    """A batched update against single trials whose eligibility is an N x N matrix of cubes, step by step."""
    torch.set_default_dtype(torch.float64)
    networks, batch, neurons, task = 2, 8, 16, Task(60, 1, 24, 12, 12)
    net, memory = Networks(networks, neurons), Memory(networks, task.steps, batch, neurons)
    events = torch.rand(memory.drive.shape) < 0.05
    xi = torch.empty_like(memory.drive).uniform_(-AMPLITUDE, AMPLITUDE) * events
    start = draw_start(networks, batch, neurons)
    memory.drive.copy_(xi)
    errors, dw = run_trials(net, task, memory, start.clone())

    slow_errors, slow_dw = torch.zeros_like(errors), torch.zeros_like(dw)
    for s in range(networks):
        traces = []
        for b in range(batch):
            shown = {task.first: b % 4 // 2, task.second: b % 2}
            x, target = start[s, b].clone(), TARGET if b % 4 in (1, 2) else -TARGET
            r, mean, e = torch.tanh(x), x.clone(), torch.zeros(neurons, neurons)
            for t in range(task.steps):
                u = torch.zeros(2)
                for begin, which in shown.items():
                    if begin <= t < begin + task.stimulus:
                        u[which] = 1
                d = net.w_in[s] @ u + net.w_rec[s] @ r + xi[s, t, b]
                x = x + DT_MS / TAU_MS * (d - x)
                for neuron, value in CLAMPED.items():
                    x[neuron] = value
                if t >= LEARNT_FROM:
                    e += torch.outer(x - mean, r) ** 3
                mean = X_MEAN_DECAY * mean + (1 - X_MEAN_DECAY) * x
                r = torch.tanh(x)
                if t >= task.steps - task.response:
                    slow_errors[s, b] += abs(r[OUTPUT] - target) / task.response
            traces.append(e)
        for b in range(batch):
            others = [slow_errors[s, k] for k in range(b % 4, batch, 4) if k != b]
            expected = sum(others) / len(others)
            slow_dw[s] += expected * (expected - slow_errors[s, b]) * traces[b]

    far_errors = (errors - slow_errors).abs().max() / slow_errors.abs().max()
    far_dw = (dw - slow_dw).abs().max() / slow_dw.abs().max()
    drawn = torch.empty(1, 500, 64, 50)
    draw_perturbations(drawn)
    after = drawn[:, PERTURBED_FROM:]
    fraction = (after != 0).double().mean()
    size = after[after != 0].abs().mean()
    print(f"largest difference relative to the largest entry: errors {far_errors:.1e}, update {far_dw:.1e}")
    print(f"perturbations: {fraction:.5f} of entries ({PROBABILITY}), mean size {size:.2f} ({AMPLITUDE / 2})")
    ok = far_errors < 1e-10 and far_dw < 1e-10 and slow_dw.abs().max() > 1e-3
    ok = ok and abs(fraction / PROBABILITY - 1) < 0.05 and abs(size / (AMPLITUDE / 2) - 1) < 0.05
    ok = ok and not drawn[:, :PERTURBED_FROM].any()
    print("agree" if ok else "DISAGREE")
    return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(description="dnms in PyTorch; see the head of this file")
    parser.add_argument("--trials-each", type=int, default=64, help="trials of each network in an update [64]")
    parser.add_argument("--batch", type=int, help="trials at a time, each judged against these [--trials-each]")
    parser.add_argument("--networks", type=int, default=1)
    parser.add_argument("--updates", type=int, default=3, help="updates timed, after one warm-up [3]")
    parser.add_argument("--threads", type=int, help="[what PyTorch takes]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--noise", choices=("gaps", "steps"), default="gaps",
                        help="draw the gaps between perturbations, or numbers for every neuron and step [gaps]")
    parser.add_argument("--rule", choices=("delta-x", "bptt"), default="delta-x")
    parser.add_argument("--check", action="store_true", help="compare with a slow loop, and do nothing else")
    args = parser.parse_args()
    batch = args.batch or args.trials_each
    if batch % 4 or batch < 8 or args.trials_each % batch:
        parser.error("--batch must be a multiple of 4, at least 8 and divide --trials-each")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.check:
        return check()

    draw = draw_perturbations if args.noise == "gaps" else draw_perturbations_each_step
    task, neurons = Task(), 200
    net, memory = Networks(args.networks, neurons), Memory(args.networks, task.steps, batch, neurons)
    if args.rule == "bptt":
        optimiser = torch.optim.AdamW([net.w_rec.requires_grad_()], LEARNING_RATE, weight_decay=0)
    errors, ms = [], []
    for _ in range(args.updates + 1):
        begun = time.perf_counter()
        if args.rule == "bptt":
            errors.append(update_bptt(net, task, optimiser, args.trials_each))
        else:
            errors.append(update(net, task, memory, args.trials_each, draw))
        ms.append((time.perf_counter() - begun) * 1e3 / (args.trials_each * args.networks))
    print(json.dumps({
        "peer": "pytorch", "rule": args.rule, "noise": args.noise, "networks": args.networks, "batch": batch, "threads": torch.get_num_threads(),
        "ms_per_trial": round(statistics.median(ms[1:]), 4), "error": round(errors[-1], 4),
        "errors": [round(e, 4) for e in errors],
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
