#!/usr/bin/env python3
"""Compares the time of a life with that of plain C programs, in turns, on one core and on two; with --brian2 also with Brian2.

    python scripts/peers/lives.py [--rounds 3] [--seconds 600] [--brian2]

Needs gcc and the built program (cargo build --release). Prints seconds of one core for a life, the median ratio of this
program's to C's, and how much faster two cores are than one, beside what C gains from them. Whole processes are timed: of
this program with several lives, pictures and files included; of the others with one. Building C's and Brian2's programs is
not timed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def seconds(command, threads=1, folder=None):
    """Wall-clock seconds of a command on the first `threads` cores."""
    cores = ",".join(str(k) for k in range(threads))
    start = time.perf_counter()
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    subprocess.run(["taskset", "-c", cores, *map(str, command)], check=True, stdout=subprocess.DEVNULL, env=environment, cwd=folder)
    return time.perf_counter() - start


def at_once(command):
    """Wall-clock seconds of a command that runs twice at once, on a core each: what two cores of this machine can do."""
    start = time.perf_counter()
    both = [subprocess.Popen(["taskset", "-c", str(k), *map(str, command)], stdout=subprocess.DEVNULL) for k in range(2)]
    for process in both:
        assert process.wait() == 0
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=600, help="simulated seconds of distal-reward")
    parser.add_argument("--brian2", action="store_true", help="distal-reward in Brian2 too, in this Python's installation")
    parser.add_argument("--program", default="target/release/hebbian-rnn")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ["distal_reward", "xor_rate"]:
            flags = ["-O3", "-march=native", "-ffast-math"]
            subprocess.run(["gcc", *flags, HERE / f"{name}.c", "-o", folder / name, "-lm"], check=True)
        lives = [
            ("distal-reward", ["distal_reward", 1, args.seconds], 6, ["--seconds", args.seconds]),
            ("xor-rate", ["xor_rate", 1, 200], 24, []),
        ]
        if args.brian2:
            peer = [sys.executable, HERE / "distal_reward_brian2.py", folder / "brian2", "1", str(args.seconds)]
            subprocess.run(peer, check=True, stdout=subprocess.DEVNULL)
        for life, (peer, *numbers), networks, options in lives:
            def ours(threads):
                command = [args.program, "live", life, "--networks", networks, "--out", folder / "run", "--force"]
                return seconds([*command, "--checkpoint-every", 0, *options], threads) / networks

            plain = [folder / peer, *numbers]
            rows = [(seconds(plain), at_once(plain), ours(1), ours(2)) for _ in range(args.rounds)]
            c, _, one, two = (statistics.median(column) for column in zip(*rows))
            ratio = statistics.median(one / c for c, _, one, _ in rows)
            gain = statistics.median(one / two for _, _, one, two in rows)
            limit = statistics.median(2 * c / both for c, both, _, _ in rows)
            if args.brian2 and life == "distal-reward":
                brian = [seconds([folder / "brian2" / "main"], folder=folder / "brian2") for _ in range(args.rounds)]
                brian = statistics.median(brian)
                print(f"{life}: Brian2 {brian:.2f} s, x {brian / one:.2f} of this program's, x {brian / c:.2f} of C's")
            print(f"{life}: C {c:.2f} s, ours {one:.2f} s (x {ratio:.2f})")
            print(f"{life}: on two cores {two:.2f} s (x {gain:.2f} faster; two C programs at once: x {limit:.2f})")


if __name__ == "__main__":
    main()
