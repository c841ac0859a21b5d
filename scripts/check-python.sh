#!/usr/bin/env bash
# Builds the Python package as a wheel, installs it into an empty environment and tests it there. The environment is made anew in
# target/python by pip, which fetches what it needs from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/python/venv wheels=target/python/wheels
rm -rf "$venv" "$wheels"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check "maturin>=1.9.4,<2"
"$venv/bin/maturin" build --release --locked --quiet --manifest-path python/Cargo.toml --out "$wheels"
"$venv/bin/pip" install --quiet --disable-pip-version-check --find-links "$wheels" "hebbian-rnn[test]"
own="python/pyproject.toml" others=(examples scripts/peers/python_package.py)
"$venv/bin/ruff" check --quiet python
"$venv/bin/ruff" check --quiet --config "$own" "${others[@]}"
"$venv/bin/ruff" format --check --quiet python
"$venv/bin/ruff" format --check --quiet --config "$own" "${others[@]}"
"$venv/bin/mypy" --config-file python/pyproject.toml python/hebbian_rnn
# The installed package is what is tested: the folder `python` is not where modules are looked for.
"$venv/bin/python" -m mypy.stubtest hebbian_rnn
export HEBBIAN_RNN=$PWD/target/debug/hebbian-rnn
[ -x "$HEBBIAN_RNN" ] || cargo build --locked --quiet
"$venv/bin/pytest" --quiet --rootdir python -p no:cacheprovider python/tests
"$venv/bin/python" examples/own_task.py
"$venv/bin/python" examples/own_world.py
# The tutorial runs from beginning to end, every docstring makes a page.
"$venv/bin/pytest" --quiet --rootdir python -p no:cacheprovider --nbmake docs/tutorial.ipynb
"$venv/bin/pdoc" --output-directory target/python/api hebbian_rnn
