#!/usr/bin/env bash
# fuzz.sh SECONDS [NAME] - runs every fuzz target (or src/NAME_fuzz.c) for SECONDS.
# Seeds: tests/fuzz/NAME/. What libFuzzer learns stays in the cache and is used again.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
only=${2:-}
failed=0
ran=0
for target in $(find build/fuzz -name '*_fuzz' -type f -perm -u+x | sort); do
    name=${target#build/fuzz/}
    name=${name%_fuzz}
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    ran=$((ran + 1))
    corpus=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/fuzz/$name
    mkdir -p "$corpus" "build/fuzz/found/$name"
    seeds=()
    [ ! -d "tests/fuzz/$name" ] || seeds=("tests/fuzz/$name")
    log=build/fuzz/found/$name/log
    echo "fuzz: $name for $seconds s"
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name/" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
        awk -v n="$name" '/number_of_executed_units/ {r = $2} / cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i+1)}
            END {printf "fuzz: %s: %d runs, %d edges, no finding\n", n, r, c}' "$log"
    else
        tail -n 60 "$log"
        echo "fuzz: $name: FINDING; input in build/fuzz/found/$name/, again with: $target FILE"
        failed=$((failed + 1))
    fi
done
[ "$ran" -gt 0 ] || { echo "fuzz: no target named '$only'"; exit 1; }
echo "fuzz: $((ran - failed)) clean, $failed with findings"
[ "$failed" -eq 0 ]
