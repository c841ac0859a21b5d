#!/usr/bin/env python3
"""Draws the pictures of docs/gallery.md and writes the page: trials of tasks, lives, every analysis.

    cargo build --release && python3 scripts/make_gallery.py [NAME ...]

With names, only these are run again; the page is always written again, from the pictures that exist. Running everything takes
about a quarter of an hour on two cores.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "release" / "hebbian-rnn"
RUNS = ROOT / "target" / "gallery"
PICTURES = ROOT / "docs" / "gallery"

# Tasks and lives, with the options of their runs, which are as short as possible while still showing what is learnt.
TRAINED = {
    "dnms": "--until-criterion",
    "dnms-long-delay": "--until-criterion",
    "dnms-variable-delay": "--networks 2 --trials 6400",
    "dnms-ei": "--networks 2 --trials 6400",
    "selective-integration": "--trials 12800",
    "evidence-accumulation": "--networks 2 --trials 12800",
    "reach": "--trials 6400",
    "pattern-generation": "--networks 2 --trials 1600",
    "yang19": "--networks 1 --trials 12800 --set task.tasks=['fdgo','fdanti']",
    "recall": "--networks 1",
    "sequence": "",
    "echo": "",
    "bandit": "--networks 20",
    "two-step": "--networks 20",
    "perceptual-decision": "--networks 4",
    "open-field": "--networks 4",
    "cartpole": "--networks 4",
    "acrobot": "--networks 4",
    "pendulum": "--networks 4",
}
LIVED = {
    "xor-rate": "--networks 4",
    "distal-reward": "--networks 1",
    "hoerzer": "--networks 1",
    "maze": "--networks 2",
}
# Analyses, each with the run it is shown on and the name of its picture.
ANALYSED = {
    "learning": ("dnms", "learning"),
    "psychometric": ("selective-integration", "psychometric"),
    "episodes": ("open-field", "episodes"),
    "choices": ("two-step", "choices"),
    "decoding": ("dnms", "decoding"),
    "trajectories": ("dnms", "trajectories"),
    "subspace": ("selective-integration", "subspace"),
    "fixed-points": ("selective-integration", "fixed_points"),
    "similarity": ("dnms", "similarity"),
    "weights": ("dnms", "weights"),
    "gradient": ("dnms", "gradient"),
}


def program(*arguments: str) -> str:
    return subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=RUNS).stdout


def main() -> None:
    asked = set(sys.argv[1:])
    RUNS.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    known = {**TRAINED, **LIVED, **ANALYSED}
    if asked - set(known):
        sys.exit(f"not in the gallery: {', '.join(sorted(asked - set(known)))}")
    wanted = lambda name: name in asked or not asked and not (PICTURES / f"{name}.svg").exists()
    for command, runs, picture in (("train", TRAINED, "sample_trials"), ("live", LIVED, "life")):
        for name, options in runs.items():
            if wanted(name):
                print(name, flush=True)
                program(command, name, *options.split(), "--out", name, "--force")
                shutil.copyfile(RUNS / name / f"{picture}.svg", PICTURES / f"{name}.svg")
    for name, (run, picture) in ANALYSED.items():
        if wanted(name):
            print(name, flush=True)
            program("analyse", run, name)
            shutil.copyfile(RUNS / run / "analysis" / f"{picture}.svg", PICTURES / f"{name}.svg")
    (ROOT / "docs" / "gallery.md").write_text(page())


def page() -> str:
    described = {entry["name"]: entry["summary"] for kind in ("tasks", "lives") for entry in json.loads(program(kind, "--json"))}
    # The help is wrapped: a line that does not start with a name and two spaces continues the one above.
    name = ""
    for line in program("analyse", "--help").split("Analyses:")[1].strip("\n").split("\n\n")[0].splitlines():
        if start := re.match(r"  (\S+)  +(.+)", line):
            name = start[1]
            described[name] = start[2].strip()
        elif name:
            described[name] += f" {line.strip()}"
    text = (
        "# Gallery\n\nThis page shows trials of the tasks after training (not of `t-maze`, nor of `maze` and the swing-ups, which repeat "
        "lives), "
        "some lives, and every analysis, each with the command that drew it. `scripts/make_gallery.py` writes the page. "
        "Runs are just long enough to show what is learnt; "
        "[results.md](results.md) has the figures of full runs.\n"
    )
    for title, command, runs in (("Tasks", "train", TRAINED), ("Lives", "live", LIVED)):
        text += f"\n## {title}\n"
        for name, options in runs.items():
            text += f"\n### {name}\n\n{described[name]}\n\n![{described[name]}](gallery/{name}.svg)\n"
            text += f"\n```sh\n{shlex.join(['hebbian-rnn', command, name, *options.split(), '--out', f'runs/{name}'])}\n```\n"
    text += "\n## Analyses\n"
    for name, (run, _) in ANALYSED.items():
        text += f"\n### {name}\n\n{described[name]}\n\n![{described[name]}](gallery/{name}.svg)\n"
        text += f"\n```sh\nhebbian-rnn analyse runs/{run} {name}\n```\n"
    return text


if __name__ == "__main__":
    main()
