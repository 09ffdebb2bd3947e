#!/usr/bin/env bash
# fetch.sh - what `make test` wants besides the system's packages and the build: readers, Python's packages,
# models, the official clients. All of it comes from elsewhere or is made once, and is kept in the cache; most of
# the time is waiting, so make runs this beside the build of the engine. It is quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pollux

# As `pollux pull` does, which is not built yet.
model() {
    local entry
    entry=$(python3 -c 'import json, os, sys
name, folder = sys.argv[1:]
entry = next(m for m in json.load(open("models/catalogue.json"))["models"] if m["name"] == name)
path = os.path.join(folder, entry["file"])
if not os.path.isfile(path) or os.path.getsize(path) != entry["bytes"]:
    print(json.dumps(entry))' "$1" "$cache/models")
    [ -z "$entry" ] || python3 scripts/pull.py --entry "$entry" --dest "$cache/models"
}

if [ "${1:-}" = unit ]; then # what unit tests want of it
    model smollm2-135m-instruct
    exit
fi
scripts/readers.sh
scripts/tools.sh
python=$(scripts/venv.sh)
for name in smollm2-135m-instruct qwen2.5-coder-0.5b-instruct all-minilm-l6-v2; do
    model "$name"
done
"$python" tests/sdk/toolchain.py || echo "fetch: not all clients could be made ready; their tests will fail" >&2
mkdir -p "$cache/rust"
cargo test --quiet --release --locked --lib --no-run --manifest-path rust/Cargo.toml \
    --target-dir "$cache/rust/target" 2>&1 | grep -v '^ *Executable' >&2 || true
