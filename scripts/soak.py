#!/usr/bin/env python3
"""Trains a small network for a million updates: do memory, open files and time per update stay constant?

    python scripts/soak.py target/release/hebbian-rnn            # minutes
    python scripts/soak.py target/release/hebbian-rnn --updates 20000

Watches the process through /proc (Linux). Then redraws the run's pictures and resumes it, to show the cost of so long a
metrics.csv. Exit code 1 if anything grew.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NETWORK = ["sequence", "--neurons", "4", "--networks", "1", "--batch", "1", "--device", "cpu"]


def look(pid):
    """Resident memory in MB and the number of open files; None once the process is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            rss = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
        return rss, len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, StopIteration):
        return None


def run(command, metrics=None):
    """Runs a command. Returns seconds, peak memory in MB, stderr's bytes, and samples (time, bytes of metrics, MB, files)."""
    start, samples, peak = time.monotonic(), [], 0.0
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        while child.poll() is None:
            seen = look(child.pid)
            if seen:
                peak = max(peak, seen[0])
                if metrics and metrics.exists():
                    samples.append((time.monotonic() - start, metrics.stat().st_size, *seen))
            time.sleep(0.05)
        if child.returncode != 0:
            errors.seek(0)
            sys.exit(f"{command}: exit code {child.returncode}\n{errors.read().decode()}")
        size = os.fstat(errors.fileno()).st_size
    return time.monotonic() - start, peak, size, samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--keep", type=pathlib.Path, help="keep the run in this folder")
    given = parser.parse_args()
    program = str(given.program.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or pathlib.Path(scratch) / "run"
        metrics = folder / "metrics.csv"
        every = str(max(1, given.updates // 100))
        command = [program, "train", *NETWORK, "--updates", str(given.updates), "--checkpoint-every", every]
        seconds, peak, written, samples = run([*command, "--out", str(folder)], metrics)
        with open(metrics, "rb") as file:
            rows = sum(1 for _ in file) - 1
        size = metrics.stat().st_size
        print(f"{rows} rows for {given.updates} updates, {size / 1e6:.1f} MB, in {seconds:.0f} s; stderr {written} bytes")
        # Only samples from training: evaluation and pictures need additional memory afterwards.
        training = [sample for sample in samples if sample[1] < size]
        assert len(training) >= 50, f"only {len(training)} samples: more updates are needed"
        tenth = len(training) // 10
        print("tenth of the training time   updates/s   memory MB   open files")
        for k in range(10):
            part = training[k * tenth : (k + 1) * tenth + 1]
            (t0, size0, _, _), (t1, size1, _, _) = part[0], part[-1]
            speed = (size1 - size0) / size * rows / max(t1 - t0, 1e-9)
            print(f"{k + 1:26}   {speed:9.0f}   {max(s[2] for s in part):9.1f}   {max(s[3] for s in part):10}")
        settled, last = training[tenth : 2 * tenth], training[-tenth:]
        grown = max(s[2] for s in last) - max(s[2] for s in settled)
        # A checkpoint being written adds one for a moment; a leak would persist.
        files = min(s[3] for s in last) - min(s[3] for s in settled)
        print(f"grown since the second tenth: {grown:.1f} MB, {files} open files; peak with pictures {peak:.0f} MB")

        plot, plot_peak, _, _ = run([program, "plot", str(folder)])
        print(f"plot: {plot:.1f} s, {plot_peak:.0f} MB")
        more = str(given.updates + 10)
        resumed, resume_peak, _, _ = run([program, "train", "--resume", "--out", str(folder), "--updates", more])
        print(f"train --resume for 10 updates, pictures included: {resumed:.1f} s, {resume_peak:.0f} MB")
        fine = rows == given.updates and written == 0 and grown < 8 and files <= 0
        print("flat" if fine else "NOT FLAT")
        return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
