#!/usr/bin/env bash
# venv.sh - prints a Python that has the packages of tests/requirements.txt.
# One environment per content of that file and per Python, in the cache; the stamp comes last.
set -euo pipefail
cd "$(dirname "$0")/.."
key=$({ python3 -VV; cat tests/requirements.txt; } | sha256sum | cut -c1-12)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/venv/$key
if [ ! -f "$venv/stamp" ]; then
    mkdir -p "${venv%/*}"
    exec 9>"$venv.lock"
    flock 9
    if [ ! -f "$venv/stamp" ]; then
        echo "venv: installing tests/requirements.txt (once)" >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        # --no-deps: the file names them all, and older pips let a newer release of one break
        # the pin that names it with an extra.
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            -r tests/requirements.txt >&2
        "$venv/bin/python" -m pip check --disable-pip-version-check >&2
        touch "$venv/stamp"
    fi
fi
echo "$venv/bin/python"
