#!/usr/bin/env bash
# setup.sh - makes sure that the system has what a goal needs.
#
#   scripts/setup.sh run|test|unit|system|lint|fuzz|readers|tools
#
# `system` is the packages that `test` wants, without what is fetched from elsewhere (scripts/fetch.sh).
# `readers` is what puts media into words (src/media/): programs of Debian, and what scripts/readers.sh
# keeps in the cache. `run` and `test` want them, too; where they cannot be had, `run` says so and goes on,
# for a server without them still answers text. `tools` is what code that a model writes can import
# (scripts/tools.sh); the same holds for it.
#
# It asks for capabilities (a command, a pkg-config module), not for packages, so that it is quick
# when nothing is missing and content with what a person installed in another way. On Debian and
# its kin it installs what is missing; elsewhere it says what that is.
set -euo pipefail

goal=${1:-run}
missing=()   # Debian's names
reasons=()

need_command() { command -v "$1" >/dev/null || lacks "$2" "$1"; }
lacks() { missing+=("$1"); reasons+=("$2"); }

need_module() {
    pkg-config --exists "$1" 2>/dev/null || lacks "$2" "$1"
}

need_command gcc build-essential
need_command g++ build-essential
need_command pkg-config pkg-config
need_command ninja ninja-build
need_command cmake cmake
need_command flock util-linux
need_command python3 python3
command -v python3 >/dev/null && {
    # One start of Python for both questions; looking for a module does not import it.
    for module in $(python3 -c 'from importlib.util import find_spec as f
print(*[m for m in ("pip", "venv", "ensurepip") if not f(m)])'); do
        case $module in pip) lacks python3-pip pip ;; *) lacks python3-venv "$module" ;; esac
    done
}
modules=(libmicrohttpd json-c zlib libcurl libedit sqlite3 libcrypto libseccomp cmocka)
packages=(libmicrohttpd-dev libjson-c-dev zlib1g-dev libcurl4-openssl-dev libedit-dev libsqlite3-dev libssl-dev libseccomp-dev libcmocka-dev)
if ! pkg-config --exists "${modules[@]}" 2>/dev/null; then
    for i in "${!modules[@]}"; do need_module "${modules[$i]}" "${packages[$i]}"; done
fi
case $goal in
unit | tools)
    [ "$goal" = unit ] || tools=1
    need_command bwrap bubblewrap
    need_command prlimit util-linux
    ;;
run | test | system | readers)
    [ "$goal" = system ] || readers=1
    [ "$goal" = system ] || [ "$goal" = readers ] || tools=1
    for program in bwrap:bubblewrap prlimit:util-linux pdftotext:poppler-utils ffmpeg:ffmpeg \
        tesseract:tesseract-ocr espeak-ng:espeak-ng; do
        need_command "${program%%:*}" "${program#*:}"
    done
    ;;
lint)
    need_command clang clang
    need_command clang-tidy clang-tidy
    need_command clang-format clang-format
    need_command cppcheck cppcheck
    known=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/tidy # scripts/tidy.sh
    [ ! -d "$known" ] || find "$known" -type f -mtime +30 -delete
    ;;
fuzz)
    need_command clang clang
    if command -v clang >/dev/null; then
        version=$(clang -dumpversion | cut -d. -f1)
        runtime=$(clang -print-file-name=libclang_rt.fuzzer-x86_64.a)
        [ "$(uname -m)" != x86_64 ] || [ -f "$runtime" ] || lacks "libclang-rt-$version-dev" libFuzzer
    else
        lacks libclang-rt-14-dev libFuzzer
    fi
    ;;
esac

if [ ${#missing[@]} -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    echo "setup: missing: ${reasons[*]}" >&2
    if ! command -v apt-get >/dev/null; then
        echo "setup: this is not Debian or Ubuntu; please install what they call: ${missing[*]}" >&2
        exit 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "setup: as root: apt-get install ${missing[*]}" >&2; exit 1; }
        sudo=sudo
    fi
    echo "setup: $sudo apt-get install ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -qq >&2
    $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

# Debian's cargo is often too old and rustup is the person's own choice, so this only tells.
if ! command -v cargo >/dev/null; then
    echo "setup: cargo is missing (Rust 1.87 or newer): install rustup, then 'rustup default stable';" >&2
    exit 1
fi
stamp=${XDG_CACHE_HOME:-$HOME/.cache}/pollux/cargo-1.87-checked
cargo=$(command -v cargo)
if [ ! -f "$stamp" ] || [ "$cargo" -nt "$stamp" ]; then
    minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt 87 ]; then
        echo "setup: $(cargo --version) is too old: Rust 1.87 or newer is needed ('rustup update stable')" >&2
        exit 1
    fi
    mkdir -p "${stamp%/*}"
    touch "$stamp"
fi

if [ -n "${readers:-}" ]; then
    "$(dirname "$0")/readers.sh" || {
        echo "setup: the media readers could not be installed; scripts/setup.sh readers tries again" >&2
        [ "$goal" = run ] || exit 1
    }
fi
if [ -n "${tools:-}" ]; then
    "$(dirname "$0")/tools.sh" || {
        echo "setup: Python's packages for code execution could not be installed; scripts/setup.sh tools tries again" >&2
        [ "$goal" = run ] || exit 1
    }
fi
