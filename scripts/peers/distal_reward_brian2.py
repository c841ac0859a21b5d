#!/usr/bin/env python3
"""Izhikevich's distal reward (2007, figure 1) in Brian2, the fastest way it has: C++ standalone, synapses event-driven with the
product of eligibility and dopamine integrated in closed form. `live distal-reward` is compared with it in speed (lives.py).

    python scripts/peers/distal_reward_brian2.py FOLDER SEED SECONDS [--rates]

Builds the program FOLDER/main, which lives that long; with --rates counts spikes, runs it and prints mean rates. Needs `pip install brian2` and a C++ compiler.
"""

import sys

from brian2 import (
    NeuronGroup, SpikeMonitor, Synapses, defaultclock, device, ms, prefs, run, second, seed, set_device,
)
import numpy as np

# Brings a synapse up to date: both c and d decay, and s gains the integral of (0.002 + d) c, in steps of 10 ms.
CATCH_UP = """
age{0} = t - last{0}
fast = exp(-age{0} / (200*ms))
slow = exp(-age{0} / (1000*ms))
s{0} = clip(s{0} + c{0} * (0.2 * (1 - slow) + 100 * d{0} * (1 - fast * slow) / 6), 0, 4)
c{0} *= slow
d{0} *= fast
last{0} = t
"""


def main():
    folder, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    set_device("cpp_standalone", build_on_run=False)
    prefs.codegen.cpp.extra_compile_args_gcc = ["-O3", "-march=native", "-ffast-math", "-std=c++17"]
    prefs.devices.cpp_standalone.openmp_threads = 0
    defaultclock.dt = 1 * ms
    seed(number)
    draw = np.random.default_rng(number)

    neurons = NeuronGroup(
        1000,
        "v : 1\nu : 1\na : 1 (constant)\nkick : 1 (constant)\ninput : 1",
        threshold="v >= 30", reset="v = -65; u += kick",
    )
    neurons.v, neurons.u = -65, -13
    neurons.a = np.r_[np.full(800, 0.02), np.full(200, 0.1)]
    neurons.kick = np.r_[np.full(800, 8), np.full(200, 2)]
    neurons.run_regularly("""
        total = input + 13 * (rand() - 0.5)
        v += 0.5 * ((0.04 * v + 5) * v + 140 - u + total)
        v += 0.5 * ((0.04 * v + 5) * v + 140 - u + total)
        u += a * (0.2 * v - u)
        input = 0
    """)

    plastic = Synapses(
        neurons, neurons,
        """s : 1
        c : 1
        d : 1
        last : second
        dpre/dt = -pre / (20*ms) : 1 (event-driven)
        dpost/dt = -post / (20*ms) : 1 (event-driven)
        age : second""",
        on_pre=CATCH_UP.format("") + "input_post += s\nc -= 1.5 * post\npre = 0.1",
        on_post=CATCH_UP.format("") + "c += pre\npost = 0.1",
    )
    targets = np.concatenate([draw.choice(1000, 100, replace=False) for _ in range(800)])
    plastic.connect(i=np.repeat(np.arange(800), 100), j=targets)
    start = np.ones(80_000)
    start[0] = 0
    plastic.s = start
    fixed = Synapses(neurons, neurons, on_pre="input_post -= 1")
    fixed.connect(i=np.repeat(np.arange(800, 1000), 100), j=np.concatenate([draw.choice(800, 100) for _ in range(200)]))

    # A spike of the second neuron less than 20 ms after one of the first is answered by dopamine after 1 to 3 s.
    teacher = NeuronGroup(1, "v : 1\nseen : second\nchoice : 1", threshold="v > 0", reset="v = 0; choice = floor(rand() * 200)")
    teacher.seen = -1 * second
    first = Synapses(neurons, teacher, on_pre="seen_post = t")
    first.connect(i=0, j=0)
    then = Synapses(neurons, teacher, on_pre="v_post = int(t - seen_post < 20*ms) * int(t > seen_post)")
    then.connect(i=int(targets[0]), j=0)
    reward = NeuronGroup(1, "v : 1", threshold="v > 0", reset="v = 0")
    later = Synapses(teacher, reward, "place : 1", on_pre="v_post += int(place == choice_pre)")
    later.connect(i=np.zeros(200, int), j=np.zeros(200, int))
    later.place = np.arange(200)
    later.delay = 1 * second + np.arange(200) * 10 * ms
    dopamine = Synapses(reward, plastic, on_pre=CATCH_UP.format("_post") + "d_post += 0.5")
    dopamine.connect()

    rates = "--rates" in sys.argv
    spikes = SpikeMonitor(neurons, record=False) if rates else None
    run(seconds * second)
    device.build(directory=folder, compile=True, run=rates, debug=False)
    if rates:
        counts = np.array(spikes.count)
        print(f"excitatory {counts[:800].mean() / seconds:.2f} Hz, inhibitory {counts[800:].mean() / seconds:.2f} Hz")


if __name__ == "__main__":
    main()
