#!/usr/bin/env python3
"""Writes docs/atlas.md and its picture from the finished sweep that docs/atlas.toml describes.

    pip install scipy
    hebbian-rnn sweep plan docs/atlas.toml --out runs/atlas
    hebbian-rnn sweep run runs/atlas
    hebbian-rnn sweep collect runs/atlas [--partial]
    python scripts/make_atlas.py runs/atlas

Networks are compared in pairs: under each setting, network k starts with the same weights and sees the same trials. A network that
diverged is worse than any that did not. p values are Wilcoxon's, two-sided, corrected by Holm's method for all comparisons on the
page.
"""

import csv
import math
import pathlib
import sys
import tomllib

from scipy.stats import wilcoxon

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What a rule is compared with, and the heading of that column.
CONTROLS = {"shuffled": "modulators shuffled", "untrained": "untrained", "none": "rule `none`"}


def sign(rows):
    """−1 if a return is measured, of which more is better; 1 for an error."""
    return -1 if rows[0]["mean_return"] else 1


def costs(rows):
    """By network: the error, or minus the return; infinite if it diverged."""
    column = "mean_return" if rows[0]["mean_return"] else "error"
    return {row["network"]: math.inf if row["diverged_at"] else sign(rows) * float(row[column]) for row in rows}


def read(folder):
    """The costs of networks by (task, rule, control), where the control of the rule itself is "rule"."""
    settings = {}
    with open(folder / "results.csv") as file:
        for row in csv.DictReader(file):
            settings.setdefault(row["setting"], []).append(row)
    found = {}
    for rows in settings.values():
        first = rows[0]
        control = {"true": "shuffled", "false": "rule", "": "untrained"}[first["modulator.shuffle"]]
        found[first["task.name"], first["rule.name"], control] = rows
    return found


def compare(rule, control):
    """How many networks did better and worse under the rule, and p."""
    differences = []
    for network, cost in rule.items():
        other = control[network]
        differences.append(0.0 if cost == other else cost - other)
    better, worse = sum(d < 0 for d in differences), sum(d > 0 for d in differences)
    # Ranks stand for the differences, which are infinite where a network diverged.
    sizes = [0.0, *sorted({abs(d) for d in differences} - {0.0})]
    ranks = [math.copysign(sizes.index(abs(d)), d) for d in differences]
    p = wilcoxon(ranks).pvalue if better + worse else 1.0
    return better, worse, p


def holm(p):
    order = sorted(p, key=p.get)
    corrected, largest = {}, 0.0
    for done, key in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - done) * p[key]))
        corrected[key] = largest
    return corrected


def quartiles(rows):
    """Median and quartiles of the error or return, in words."""
    values = sorted(sign(rows) * cost for cost in costs(rows).values())

    def at(q):
        place = q * (len(values) - 1)
        below, above = values[math.floor(place)], values[math.ceil(place)]
        value = below if below == above else below + (place % 1) * (above - below)
        return f"{value:.3g}" if math.isfinite(value) else "diverged"

    return f"{at(0.5)} ({at(0.25)}, {at(0.75)})"


def shade(share):
    """Blue for 1, white for a half, orange for 0."""
    blue, orange = (33, 102, 172), (230, 97, 1)
    end, weight = (blue, 2 * share - 1) if share >= 0.5 else (orange, 1 - 2 * share)
    return "#" + "".join(f"{round(255 + weight * (channel - 255)):02x}" for channel in end)


def picture(tasks, rules, panels):
    """A heat map for each panel, a title with the cells: networks that did better and worse, of how many, and whether that is sure."""
    wide, high, left, top = 110, 24, 170, 60
    panel = top + high * len(tasks) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + wide * len(rules) + 10}" height="{panel * len(panels) + 30}" '
        'font-family="DejaVu Sans, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (title, cells) in enumerate(panels):
        start = panel * number
        lines.append(f'<text x="10" y="{start + 20}" font-size="14">{title}</text>')
        for k, rule in enumerate(rules):
            lines.append(
                f'<text x="{left + wide * (k + 0.5)}" y="{start + top - 8}" text-anchor="middle">{rule}</text>'
            )
        for row, task in enumerate(tasks):
            y = start + top + high * row
            lines.append(f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{task}</text>')
            for k, rule in enumerate(rules):
                if (task, rule) not in cells:
                    continue
                better, worse, count, sure = cells[task, rule]
                # Networks that did the same count half.
                share = (count + better - worse) / (2 * count)
                ink = "white" if share > 0.85 or share < 0.15 else "black"
                place = f'x="{left + wide * k}" y="{y}" width="{wide - 2}" height="{high - 2}"'
                text = f'x="{left + wide * (k + 0.5)}" y="{y + 15}" text-anchor="middle" fill="{ink}"'
                lines.append(f'<rect {place} fill="{shade(share)}" stroke="#bbb"/>')
                lines.append(f"<text {text}>{better}, {worse}{' *' if sure else ''}</text>")
    note = "* p &lt; 0.05, corrected for all comparisons. Empty: the rule cannot learn this task, or there is nothing to compare."
    lines.append(f'<text x="10" y="{panel * len(panels) + 15}">{note}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def main():
    folder = pathlib.Path(sys.argv[1])
    found = read(folder)
    with open(folder / "sweep.toml", "rb") as file:
        plan = tomllib.load(file)
    rules = [rule for rule in plan["grid"]["rule"]["name"] if any(key[1] == rule for key in found)]
    # A task is shown once all its settings have been run.
    with open(folder / "plan.tsv") as file:
        planned = {(row["task.name"], row["setting"]) for row in csv.DictReader(file, delimiter="\t")}
    done = {(key[0], rows[0]["setting"]) for key, rows in found.items()}
    unfinished = {task for task, _ in planned - done}
    tasks = [task for task in plan["grid"]["task"]["name"] if task not in unfinished]
    found = {key: rows for key, rows in found.items() if key[0] in tasks}
    trials = next(entry["train"]["trials"] for entry in plan["list"] if "trials" in entry["train"])
    cost = {key: costs(rows) for key, rows in found.items()}

    compared = {}
    for task, rule, control in cost:
        if control != "rule":
            continue
        others = {
            "shuffled": (task, rule, "shuffled"),
            "untrained": (task, rule, "untrained"),
            "none": (task, "none", "rule"),
        }
        for name, other in others.items():
            if other in cost and not (name == "none" and rule == "none"):
                compared[task, rule, name] = compare(cost[task, rule, "rule"], cost[other])
    p = holm({key: value[2] for key, value in compared.items()})

    def cells(*names):
        """The comparison with the first of these controls that there is."""
        chosen = {}
        for task, rule in {key[:2] for key in compared}:
            name = next((name for name in names if (task, rule, name) in compared), None)
            if name:
                better, worse, _ = compared[task, rule, name]
                count = len(cost[task, rule, "rule"])
                chosen[task, rule] = (better, worse, count, p[task, rule, name] < 0.05)
        return chosen

    panels = [
        ("Networks that did better and worse with the rule than with its control", cells("shuffled", "untrained")),
        ("Networks that did better and worse than with rule none, whose readout learns where it can", cells("none")),
    ]
    (ROOT / "docs" / "atlas.svg").write_text(picture(tasks, rules, panels))

    missing = [f"`{task}`" for task in plan["grid"]["task"]["name"] if task not in tasks]
    seed = plan["set"]["train"]["seed"]
    out = [
        "# Atlas",
        "",
        "Every rule on every task that it can learn, with one budget: "
        f"{plan['networks']} networks, {trials} trials each, seed {seed}, and each task's",
        "usual settings, which suit its usual rule. So this page does not say how well a rule can do after tuning, or with more trials;",
        "[results.md](results.md) does. It says where a rule learns at all, beside two controls in the same networks: modulators permuted",
        "among the trials of a batch, and no training. `r-stdp` is left out, since it runs on plain operations, many times slower.",
        "",
        "![networks that did better and worse with the rule than with its control](atlas.svg)",
        "",
        "The control in the upper half is shuffled modulators or, where these cannot be shuffled (one trial at a time, credit at every",
        "step, `rflo`, `bptt` in tasks that are not environments), the untrained network. Where a readout learns beside the rule, as in",
        "most environments, a success can be the readout's: the lower half, the comparison with rule `none`, tells them apart.",
        "",
        "```sh",
        "hebbian-rnn sweep plan docs/atlas.toml --out runs/atlas   # add your rule or task to its lists",
        "hebbian-rnn sweep run runs/atlas",
        "hebbian-rnn sweep collect runs/atlas",
        "python scripts/make_atlas.py runs/atlas                  # this page and its picture",
        "```",
        "",
        "The tables give the error (or the return, in environments) on 400 fresh trials after training, as medians and quartiles over",
        "networks. Beside each control are the networks that did better and worse with the rule than under the control, and p",
        f"(Wilcoxon, corrected by Holm's method for the {len(p)} comparisons on this page). `left_out.txt` in the sweep's folder says",
        "why a rule is missing from a task."
        + (f" Not run yet, or not by all rules: {', '.join(missing)}." if missing else ""),
        "",
    ]

    def against(task, rule, name):
        if (task, rule, name) not in compared:
            return ""
        better, worse, _ = compared[task, rule, name]
        value = p[task, rule, name]
        return f"{better}, {worse}; p = {value:.2g}" if value < 0.995 else f"{better}, {worse}; p = 1"

    for task in tasks:
        rows = next(rows for key, rows in found.items() if key[0] == task)
        heading = ["rule", "return" if sign(rows) < 0 else "error", "shuffled", "untrained"]
        out += [f"## {task}", "", "| " + " | ".join(heading + [f"against {text}" for text in CONTROLS.values()]) + " |"]
        out.append("|---" * 7 + "|")
        for rule in rules:
            if (task, rule, "rule") not in cost:
                continue
            values = [
                quartiles(found[task, rule, control]) if (task, rule, control) in found else ""
                for control in ("rule", "shuffled", "untrained")
            ]
            row = [f"`{rule}`", *values, *(against(task, rule, name) for name in CONTROLS)]
            out.append("| " + " | ".join(row) + " |")
        out.append("")
    (ROOT / "docs" / "atlas.md").write_text("\n".join(out))


if __name__ == "__main__":
    main()
