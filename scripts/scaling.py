#!/usr/bin/env python3
"""How the time of a training update grows with neurons, networks, trials and steps, from `hebbian-rnn bench`.

    cargo build --release
    python3 scripts/scaling.py

One quantity is doubled repeatedly while the others stay at N = 200, S = 2, B = 64, T = 1000. Each line shows the time of an
update with a bar on a logarithmic scale, on which a power law looks linear; `slope` is the exponent of the power law through the
last two lines, which is 2 for neurons and 1 for the others once the products dominate.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STANDARD = {"neurons": 200, "networks": 2, "batch": 64, "steps": 1000}
SERIES = {
    "neurons": [50, 100, 200, 400, 800],
    "networks": [1, 2, 4, 8],
    "batch": [16, 32, 64, 128],
    "steps": [1000, 2000, 4000],
}


def milliseconds(program, values, rounds):
    """Time of one update."""
    command = [
        program, "bench", "--json", "--updates", "1", "--rounds", str(rounds), "--neurons", str(values["neurons"]),
        "--networks", str(values["networks"]), "--batch", str(values["batch"]), "--set", f"task.steps={values['steps']}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    report = json.loads(done.stdout)[0]
    return report["ms_per_trial"] * values["networks"] * values["batch"], report["share"]


def main():
    parser = argparse.ArgumentParser(description="growth of an update's time; see the head of this file")
    parser.add_argument("--program", default=ROOT / "target/release/hebbian-rnn")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for name, sizes in SERIES.items():
        print(f"\n{name:>9}  {'ms an update':>12}  {'share':>5}  {'slope':>5}")
        last = None
        for size in sizes:
            ms, share = milliseconds(args.program, {**STANDARD, name: size}, args.rounds)
            slope = f"{math.log(ms / last[1]) / math.log(size / last[0]):5.2f}" if last else "     "
            print(f"{size:>9}  {ms:>12.1f}  {100 * share:>3.0f} %  {slope}  {'#' * max(1, round(4 * math.log2(ms)))}", flush=True)
            last = (size, ms)


if __name__ == "__main__":
    main()
