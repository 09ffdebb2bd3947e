#!/usr/bin/env bash
# fuzz.sh SECONDS [NAME] - runs every fuzz target (or src/NAME_fuzz.c) for SECONDS, one for each core at a time.
# Seeds: tests/fuzz/NAME/. What libFuzzer learns stays in the cache and is used again.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
only=${2:-}

fuzz() { # TARGET
    local name=${1#build/fuzz/} seeds=() log
    name=${name%_fuzz}
    local corpus=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/fuzz/$name found=build/fuzz/found/$name
    mkdir -p "$corpus" "$found"
    [ ! -d "tests/fuzz/$name" ] || seeds=("tests/fuzz/$name")
    log=$found/log
    if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="$found/" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
        awk -v n="$name" '/number_of_executed_units/ {r = $2} / cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i+1)}
            END {printf "fuzz: %s: %d runs, %d edges, no finding\n", n, r, c}' "$log"
    else
        tail -n 60 "$log"
        echo "fuzz: $name: FINDING; input in $found/, again with: $1 FILE"
        return 1
    fi
}
export -f fuzz
export seconds

targets=$(find build/fuzz -name '*_fuzz' -type f -perm -u+x | sort)
[ -z "$only" ] || targets=$(grep -x "build/fuzz/${only}_fuzz" <<<"$targets") || { echo "fuzz: no target named '$only'"; exit 1; }
echo "fuzz: $(wc -l <<<"$targets") targets, $seconds s each"
xargs -P "$(nproc)" -I{} bash -c 'fuzz {}' <<<"$targets" || { echo "fuzz: there are findings"; exit 1; }
echo "fuzz: all clean"
