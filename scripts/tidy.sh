#!/usr/bin/env bash
# tidy.sh - clang-tidy of one file, unless it was found clean before.
#
#   scripts/tidy.sh src/json/schema.c OPTION... -- FLAG...
#
# A look costs seconds, so what was found clean is remembered, for all checkouts on this machine: by what
# the file is once its headers are in it. A header whose declarations stay as they are costs nothing.
set -euo pipefail

file=$1
shift
options=()
while [ "$1" != -- ]; do
    options+=("$1")
    shift
done
shift

known=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/tidy
key=$({
    clang-tidy --version
    cat .clang-tidy "$file"
    grep -rh NOLINT src rust --include='*.h' || true
    echo "${options[@]}" "$@"
    clang -E -P "$@" "$file"
} | sha256sum | cut -c-40)
if [ -f "$known/$key" ]; then
    touch "$known/$key" # scripts/setup.sh lint forgets what was of no use for a month
    exit 0
fi
echo "  tidy  $file"
clang-tidy --quiet --warnings-as-errors='*' "${options[@]}" "$file" -- "$@" 2>&1 | {
    grep -v 'warnings\? generated\|warnings\? treated as error' || true
}
mkdir -p "$known"
touch "$known/$key"
