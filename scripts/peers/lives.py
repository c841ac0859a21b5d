#!/usr/bin/env python3
"""Compares the time of a life with that of plain C programs, in turns, on one core and on two.

    python scripts/peers/lives.py [--rounds 3] [--seconds 600]

Needs gcc and the built program (cargo build --release). Prints seconds of one core for each life, the median ratio of this
program's to C's, and how much faster two cores live two networks.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def seconds(command, threads=1):
    """Wall-clock seconds of a command on `threads` cores."""
    cores = ",".join(str(k) for k in range(threads))
    start = time.perf_counter()
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    subprocess.run(["taskset", "-c", cores, *map(str, command)], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=600, help="simulated seconds of distal-reward")
    parser.add_argument("--program", default="target/release/hebbian-rnn")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ["distal_reward", "xor_rate"]:
            flags = ["-O3", "-march=native", "-ffast-math"]
            subprocess.run(["gcc", *flags, HERE / f"{name}.c", "-o", folder / name, "-lm"], check=True)
        lives = [
            ("distal-reward", ["distal_reward", 1, args.seconds], ["--seconds", args.seconds]),
            ("xor-rate", ["xor_rate", 1, 200], []),
        ]
        for life, (peer, *numbers), options in lives:
            def ours(networks, threads):
                command = [args.program, "live", life, "--networks", networks, "--out", folder / "run", "--force"]
                return seconds([*command, "--checkpoint-every", 0, *options], threads)

            rows = [(seconds([folder / peer, *numbers]), ours(1, 1), ours(2, 2)) for _ in range(args.rounds)]
            c, one, two = (statistics.median(column) for column in zip(*rows))
            ratio = statistics.median(one / c for c, one, _ in rows)
            gain = statistics.median(2 * one / two for _, one, two in rows)
            print(f"{life}: C {c:.2f} s, one life {one:.2f} s (x {ratio:.2f}), two lives on two cores {two:.2f} s (x {gain:.2f})")


if __name__ == "__main__":
    main()
