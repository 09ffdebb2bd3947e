#!/usr/bin/env bash
# tools.sh - installs what code that a model writes can import (setup.sh tools): a folder in the cache,
# named by what it is made of, with `current` pointing at it:
#   venv/  Python with src/tools/python/requirements.txt (numpy, pandas, matplotlib, sympy)
#   base   where the venv's Python itself lies: the sandbox must show it, too
# Without it code runs with Python's own library alone. It is quick when all is there, and quiet.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=src/tools/python/requirements.txt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/tools
key=$({ python3 -VV; cat "$requirements"; } | sha256sum | cut -c1-12)
here=$cache/$key

finished() { [ -f "$here/stamp" ] && [ "$(readlink "$cache/current" 2>/dev/null)" = "$key" ]; }
finished && exit 0

mkdir -p "$here"
exec 9>"$cache/lock"
flock 9
finished && exit 0

if [ ! -f "$here/stamp" ]; then
    echo "tools: installing $requirements (once)" >&2
    rm -rf "$here/venv"
    python3 -m venv "$here/venv"
    "$here/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r "$requirements" >&2
    "$here/venv/bin/python" -m pip check --disable-pip-version-check >&2
    "$here/venv/bin/python" -c 'import sys; print(sys.base_prefix, end="")' >"$here/base"
    # Compiled now, and the list of fonts: the sandbox cannot keep either.
    MPLCONFIGDIR="$here/matplotlib" "$here/venv/bin/python" -c 'import matplotlib.pyplot, pandas, sympy' >&2
    touch "$here/stamp"
fi

# The sandbox reads it as a user without rights.
chmod -R a+rX "$here"
ln -sfn "$key" "$cache/current.new"
mv -T "$cache/current.new" "$cache/current"
echo "tools: ready: $here" >&2
