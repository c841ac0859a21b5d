#!/usr/bin/env python3
"""Edits a checkpoint with the safetensors package for Python, and checks how `hebbian-rnn` treats it.

The script trains `dnms` for one update, scales the recurrent weights `w_rec` in its checkpoint by 0.9, and writes the file with
the same metadata. The program must then detect the edit (`inspect` fails); run the file with a warning and outputs that differ
from those of the unedited file for the same inputs and initial state (`simulate`); and refuse to resume training from it
(`train --resume`), except with `--accept-edited`, which must continue from the edited weights.

    cargo build --release
    pip install numpy safetensors
    python scripts/edit_checkpoint.py

Prints one line for each check. Exit status: 0 if all pass, 1 if any fails.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
SCALE, STEPS, TRIALS = 0.9, 100, 8
UPDATES_BEFORE, UPDATES_AFTER = 1, 3


def run(*command):
    """Returns (whether the command exited 0, what it wrote to standard error)."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return done.returncode == 0, done.stderr.strip()


def read(path):
    """The tensors and the metadata of a checkpoint."""
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    return load_file(path), metadata


def make_run(program, folder):
    ok, error = run(program, "train", "dnms", "--updates", UPDATES_BEFORE, "--networks", 2, "--batch", TRIALS,
                    "--neurons", 32, "--device", "cpu", "--out", folder)
    if not ok:
        sys.exit(f"could not make the run: {error}")


def edit(source, target):
    """Scales w_rec and keeps everything else, the metadata included."""
    tensors, metadata = read(source)
    tensors["w_rec"] = tensors["w_rec"] * np.float32(SCALE)
    save_file(tensors, target, metadata=metadata)


def check_edit(original, edited):
    """The edit itself: only w_rec differs, and the metadata is the same."""
    (before, metadata_before), (after, metadata_after) = read(original), read(edited)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    return metadata_before == metadata_after and changed == ["w_rec"], f"changed: {', '.join(changed)}"


def check_inspect(program, original, edited):
    whole, error = run(program, "inspect", original)
    passed, said = run(program, "inspect", edited)
    return whole and not passed and "checksum does not match" in said, error or said


def simulate(program, checkpoint, inputs, out):
    ok, error = run(program, "simulate", checkpoint, "--inputs", inputs, "--out", out, "--device", "cpu")
    return (load_file(out)["outputs"], "") if ok else (None, error)


def check_simulate(program, original, edited, folder):
    n_in = load_file(original)["w_in"].shape[2]
    bits = np.random.default_rng(1).integers(0, 2, (TRIALS, STEPS, n_in)).astype(np.float32)
    inputs = folder / "inputs.safetensors"
    save_file({"inputs": bits}, inputs)
    results = []
    for name, checkpoint in (("before", original), ("again", original), ("after", edited)):
        outputs, error = simulate(program, checkpoint, inputs, folder / f"{name}.safetensors")
        if outputs is None:
            return False, error
        results.append(outputs)
    before, again, after = results
    difference = float(np.abs(after - before).max())
    repeats = np.array_equal(before, again)
    detail = f"outputs differ by up to {difference:.3g}; unedited, run twice: {'the same' if repeats else 'NOT the same'}"
    return repeats and np.isfinite(after).all() and difference > 1e-3, detail


def check_resume(program, run_folder, original, edited):
    checkpoint = run_folder / "checkpoint.safetensors"
    shutil.copyfile(edited, checkpoint)
    resume = "train", "--resume", "--updates", UPDATES_AFTER, "--device", "cpu", "--out", run_folder
    ok, error = run(program, *resume)
    if ok or "--accept-edited" not in error:
        return False, f"not refused as it should be: {error}"
    ok, error = run(program, *resume, "--accept-edited")
    if not ok:
        return False, error
    after, metadata = read(checkpoint)
    header = json.loads(metadata["hebbian_rnn"])
    # One update changes a weight by at most max_dw · max(1, clip_growth · √B), so w_rec shows which file was resumed.
    rule = header["config"]["rule"]
    bound = rule["max_dw"] * max(1, rule["clip_growth"] * TRIALS**0.5)
    bound *= (UPDATES_AFTER - UPDATES_BEFORE) * 1.001  # and rounding to float32
    from_edited, from_original = (
        float(np.abs(after["w_rec"] - load_file(path)["w_rec"]).max()) for path in (edited, original))
    detail = (f"{header['updates']} updates; w_rec moved by up to {from_edited:.2g} from the edited (allowed {bound:.2g}), "
              f"{from_original:.2g} from the unedited")
    return header["updates"] == UPDATES_AFTER and 0 < from_edited <= bound < from_original, detail


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "target/release/hebbian-rnn", type=Path,
                        help="the built command [default: target/release/hebbian-rnn of this repository]")
    args = parser.parse_args()
    if not args.program.is_file():
        sys.exit(f"{args.program} is not there: build it, or name it with --program")
    program = args.program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run_folder, original, edited = folder / "run", folder / "original.safetensors", folder / "edited.safetensors"
        make_run(program, run_folder)
        shutil.copyfile(run_folder / "checkpoint.safetensors", original)
        edit(original, edited)
        checks = {
            "edit": check_edit(original, edited),
            "inspect": check_inspect(program, original, edited),
            "simulate": check_simulate(program, original, edited, folder),
            "resume": check_resume(program, run_folder, original, edited),
        }
    for name, (ok, detail) in checks.items():
        print(f"{name:9} {'ok' if ok else 'FAILED'}" + (f"  {detail}" if detail else ""))
    sys.exit(0 if all(ok for ok, _ in checks.values()) else 1)


if __name__ == "__main__":
    main()
