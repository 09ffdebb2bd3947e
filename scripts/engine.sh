#!/usr/bin/env bash
# engine.sh - gets and builds libllama, the only part of Pollux that is not built by make.
#
#   scripts/engine.sh           build the static library; print its prefix on standard output
#   scripts/engine.sh --where   print that prefix and do nothing
#   scripts/engine.sh --peer    also build llama-server, the peer of `make bench`; print its path
#
# The prefix (include/, lib/, stamp) lies in the cache and is shared by checkouts. Its name holds
# the version and a key of the compiler and the CPU, since the kernels are built for this CPU:
# the same cache on another machine builds again instead of crashing. The stamp is written last,
# so an interrupted build goes on where it was. LLAMA_PREFIX names a libllama of your own.
set -euo pipefail
{ # read whole before it runs: a build takes minutes, and a checkout may change meanwhile

version=0.3.36
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
sdist=llama_cpp_python-$version.tar.gz
cmake_flags=(
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF
    -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=ON
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_APP=OFF
    -DCMAKE_C_FLAGS=-w -DCMAKE_CXX_FLAGS=-w # 14,000 lines of warnings are not ours to mend
)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pollux

say() { echo "engine: $*" >&2; }
die() { say "$*"; exit 1; }

# What makes one build differ from another: how it is configured, by what, for which CPU.
key() {
    {
        echo "${cmake_flags[@]}"
        c++ --version 2>/dev/null | head -n 1
        uname -m
        grep -m1 -E '^(flags|Features)' /proc/cpuinfo |
            grep -oE '\<(sse[0-9_]+|ssse3|avx[a-z0-9_]*|fma|f16c|bmi[12]|amx_[a-z0-9]+|asimd[a-z]*|sve[a-z0-9]*|i8mm|bf16)\>' |
            sort -u
    } 2>/dev/null | sha256sum | cut -c1-12
}

prefix=${LLAMA_PREFIX:-$cache/engine/$version-$(key)}
mode=${1:-build}

case $mode in
--where) echo "$prefix"; exit 0 ;;
build | --peer) ;;
*) echo "usage: scripts/engine.sh [--where | --peer]" >&2; exit 2 ;;
esac

peer=$prefix/tree/bin/llama-server
done_already() {
    [ -f "$prefix/stamp" ] && [ -f "$prefix/mtmd-stamp" ] && { [ "$mode" != --peer ] || [ -f "$prefix/peer-stamp" ]; }
}
answer() { if [ "$mode" = --peer ]; then echo "$peer"; else echo "$prefix"; fi; }

if [ -n "${LLAMA_PREFIX:-}" ]; then
    [ -f "$prefix/include/llama.h" ] || die "LLAMA_PREFIX=$prefix has no include/llama.h"
    [ "$mode" != --peer ] || die "--peer needs the pinned engine: unset LLAMA_PREFIX"
    echo "$prefix"
    exit 0
fi
if done_already; then answer; exit 0; fi

mkdir -p "$prefix" "$cache/dl"
exec 9>"$prefix/lock"
flock -n 9 || { say "another build is running; waiting for it"; flock 9; }
if done_already; then answer; exit 0; fi

for tool in cmake ninja c++ python3; do
    command -v "$tool" >/dev/null || die "$tool is missing: run scripts/setup.sh"
done

# pip is the one client that knows this machine's index, mirrors and certificates. For a source
# package it also wants metadata, and would install a build backend to get two lines of it; a
# backend of four lines says the same at once.
fetch() {
    python3 -m pip --version >/dev/null 2>&1 || die "pip is missing: run scripts/setup.sh"
    local stub=$prefix/stub/scikit_build_core tmp=$cache/dl/engine.$$
    mkdir -p "$stub" "$tmp"
    touch "$stub/__init__.py"
    cat >"$stub/build.py" <<PY
import os
def get_requires_for_build_wheel(config_settings=None): return []
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.makedirs(os.path.join(folder, "llama_cpp_python-$version.dist-info"))
    with open(os.path.join(folder, "llama_cpp_python-$version.dist-info", "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: $version\n")
    return "llama_cpp_python-$version.dist-info"
PY
    echo "llama-cpp-python==$version --hash=sha256:$sha256" >"$tmp/pin"
    PYTHONPATH=$prefix/stub python3 -m pip download --quiet --disable-pip-version-check \
        --no-cache-dir --no-deps --no-binary llama-cpp-python --no-build-isolation \
        --dest "$tmp" -r "$tmp/pin" >&2 || { rm -rf "$tmp"; die "could not download $sdist"; }
    mv "$tmp/$sdist" "$cache/dl/$sdist"
    rm -rf "$tmp" "$prefix/stub"
}

has_right_hash() { echo "$sha256  $cache/dl/$sdist" | sha256sum --check --status 2>/dev/null; }

# Ninja draws its own line on a terminal; a log gets a line every tenth of the way. (Not by awk:
# Debian's waits until its buffer is full.)
progress() {
    if [ -t 2 ]; then
        "$@" >&2
        return
    fi
    "$@" | {
        tenth=-1
        while IFS= read -r line; do
            if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
                now=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
                [ "$now" -ne "$tenth" ] || continue
                tenth=$now
            fi
            printf '%s\n' "$line" >&2
        done
    }
}

if [ ! -f "$prefix/src/unpacked" ]; then
    if [ ! -f "$cache/dl/$sdist" ] || ! has_right_hash; then
        say "downloading $sdist (77 MB)"
        rm -f "$cache/dl/$sdist"
        fetch
        has_right_hash || die "$cache/dl/$sdist: wrong hash: expected $sha256," \
            "got $(sha256sum "$cache/dl/$sdist" | cut -d' ' -f1)"
    fi
    rm -rf "$prefix/src"
    mkdir -p "$prefix/src"
    tar -xzf "$cache/dl/$sdist" -C "$prefix/src" --strip-components=3 \
        "llama_cpp_python-$version/vendor/llama.cpp"
    touch "$prefix/src/unpacked"
fi

# Not cmake's own notion of "configured": an interrupted cmake leaves a cache without build files.
if [ ! -f "$prefix/tree/configured" ]; then
    say "configuring"
    cmake -S "$prefix/src" -B "$prefix/tree" -G Ninja "${cmake_flags[@]}" >"$prefix/cmake.log" 2>&1 ||
        { tail -n 20 "$prefix/cmake.log" >&2; die "cmake failed; all of it: $prefix/cmake.log"; }
    touch "$prefix/tree/configured"
fi

jobs=${ENGINE_JOBS:-$(nproc)}
export NINJA_STATUS="[%f/%t] "
if [ ! -f "$prefix/stamp" ]; then
    say "building libllama $version for this CPU (4 to 6 minutes on 2 cores)"
    progress ninja -C "$prefix/tree" -j "$jobs" llama || die "the build of libllama failed"
    mkdir -p "$prefix/include" "$prefix/lib"
    cp "$prefix"/src/include/*.h "$prefix"/src/ggml/include/*.h "$prefix/include/"
    cp "$prefix"/tree/src/libllama.a "$prefix"/tree/ggml/src/libggml*.a "$prefix/lib/"
    echo "llama-cpp-python $version ${cmake_flags[*]}" >"$prefix/stamp.new"
    sync "$prefix/stamp.new"
    mv "$prefix/stamp.new" "$prefix/stamp"
fi
if [ ! -f "$prefix/mtmd-stamp" ]; then
    say "building libmtmd, by which models see (1 to 3 minutes on 2 cores)"
    progress ninja -C "$prefix/tree" -j "$jobs" mtmd || die "the build of libmtmd failed"
    cp "$prefix/src/tools/mtmd/mtmd.h" "$prefix/include/"
    cp "$prefix/tree/tools/mtmd/libmtmd.a" "$prefix/lib/"
    touch "$prefix/mtmd-stamp"
fi
if [ "$mode" = --peer ] && [ ! -f "$prefix/peer-stamp" ]; then
    say "building llama-server, the peer for benchmarks"
    progress ninja -C "$prefix/tree" -j "$jobs" llama-server || die "the build of llama-server failed"
    touch "$prefix/peer-stamp"
fi
answer
exit
}
