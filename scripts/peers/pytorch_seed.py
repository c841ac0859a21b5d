#!/usr/bin/env python3
"""The forward pass of the PyTorch program this project grew from: a network with a Hebbian trace, in eager PyTorch.

B trials side by side, N neurons, T steps, one input, no gradients, float32 on the CPU. Each step

    h_new = tanh(i2h(x) + h2h(h) + bmm(H, h))
    H     = (1 - eta) H + eta m bmm(h, h_new^T)

with H [B, N, N] starting at 0 and m ~ U(0, 1) for each trial and step. This is the `modulated` trace with alpha = 1
and association `pre-post` of docs/model.md. As in that program, each step allocates new matrices; `--in-place` updates H
in one call (baddbmm_), which is several times as fast.

    pip install torch numpy
    python scripts/peers/pytorch_seed.py --batch 256 --steps 100 --neurons 128 --threads 2

Prints one line of JSON; `ms` is the median time of a whole forward pass, after a warm-up.
"""

import argparse
import json
import statistics
import time

import torch


class Seed(torch.nn.Module):
    def __init__(self, neurons, eta):
        super().__init__()
        self.i2h, self.h2h = torch.nn.Linear(1, neurons), torch.nn.Linear(neurons, neurons)
        self.eta = eta

    def forward(self, inputs, modulator, in_place=False):
        """inputs and modulator are [T, B, 1]; returns the last rates [B, N] and the trace [B, N, N]."""
        batch, neurons = inputs.shape[1], self.h2h.in_features
        h, trace = torch.zeros(batch, neurons), torch.zeros(batch, neurons, neurons)
        for x, m in zip(inputs, modulator):
            plastic = torch.bmm(trace, h.unsqueeze(2)).squeeze(2)
            h_new = torch.tanh(self.i2h(x) + self.h2h(h) + plastic)
            if in_place:
                trace.baddbmm_((m * h).unsqueeze(2), h_new.unsqueeze(1), beta=1 - self.eta, alpha=self.eta)
            else:
                outer = torch.bmm(h.unsqueeze(2), h_new.unsqueeze(1))
                trace = (1 - self.eta) * trace + self.eta * m.unsqueeze(2) * outer
            h = h_new
        return h, trace


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description="the seed network in PyTorch; see the head of this file")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--neurons", type=int, default=128)
    parser.add_argument("--eta", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=5, help="passes timed, after one warm-up [5]")
    parser.add_argument("--threads", type=int, help="[what PyTorch takes]")
    parser.add_argument("--in-place", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)

    net = Seed(args.neurons, args.eta)
    inputs = torch.randint(2, (args.steps, args.batch, 1)).float()
    modulator = torch.rand(args.steps, args.batch, 1)
    # Both ways must give the same trace.
    few, few_m = inputs[:10, :4], modulator[:10, :4]
    torch.testing.assert_close(net(few, few_m)[1], net(few, few_m, in_place=True)[1])

    ms = []
    for _ in range(args.repeats + 1):
        begun = time.perf_counter()
        net(inputs, modulator, args.in_place)
        ms.append((time.perf_counter() - begun) * 1e3)
    print(json.dumps({
        "peer": "pytorch-seed", "batch": args.batch, "steps": args.steps, "neurons": args.neurons,
        "threads": torch.get_num_threads(), "in_place": args.in_place, "ms": round(statistics.median(ms[1:]), 2),
    }))


if __name__ == "__main__":
    main()
