#!/usr/bin/env python3
"""Runs test suites and ends with one line that sums all of them: N passed, N failed.

    run_tests.py [--build DIR] [--no-model] unit|api|cli|sdk|schemas|soak ... [NAME ...]

unit: every DIR/test/** (cmocka), and the Rust library's own tests; NAME picks one.
the others: pytest over tests/SUITE, with POLLUX naming the binary. --no-model leaves
out tests marked `model`: under sanitizers only the scripted engine runs.

A suite that finds nothing to run says so; when no test ran at all, that is a failure.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("unit", "api", "cli", "sdk", "schemas", "soak")
ALONE = ("schemas", "soak")  # their tests are heavy, or measure
UNIT_SECONDS = 300
COLOUR = sys.stdout.isatty()


class Tally:
    passed = failed = skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def say(text, colour=None):
    if COLOUR and colour:
        text = f"\033[{colour}m{text}\033[0m"
    print(text, flush=True)


def report(name, passed, failed, seconds):
    words = f"{passed} passed" + (f", {failed} FAILED" if failed else "")
    say(f"  {name:<28} {words:<24} {seconds:6.2f} s", "31" if failed else None)


def run_binary(path, options):
    """Returns (rc, output); its whole process group is ended if it takes too long."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    env.setdefault("GOMP_SPINCOUNT", "10000")  # as `pollux serve` does for itself (src/main.c)
    if options.no_model:
        env["POLLUX_TEST_NO_MODEL"] = "1"  # such tests skip() themselves
    with subprocess.Popen([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                          cwd=ROOT, start_new_session=True) as child:
        try:
            output, _ = child.communicate(timeout=UNIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            output += f"\nended after {UNIT_SECONDS} s".encode()
            return 1, output.decode(errors="replace")
    return child.returncode, output.decode(errors="replace")


def count_cmocka(output):
    """Of TAP; of cmocka's own format where a test hides the environment that asks for TAP."""
    def n(tap, own):  # its own format names a test that failed twice
        return len(re.findall(tap, output, re.M)) + len(set(re.findall(own, output, re.M)))

    passed = n(r"^ok \d+", r"^\[       OK \] (\w+)$")
    failed = n(r"^not ok \d+\b(?! # SKIP)", r"^\[  FAILED  \] (\w+)$")
    skipped = n(r"^not ok \d+ # SKIP", r"^\[  SKIPPED \] (\w+)$")
    return passed, failed, skipped


def unit(tally, options):
    tests = ROOT / options.build / "test"
    binaries = [p for p in sorted(tests.rglob("*_test")) if os.access(p, os.X_OK) and p.is_file()
                and (ROOT / "src" / p.relative_to(tests).with_suffix(".c")).exists()]
    for path in binaries:
        name = str(path.relative_to(tests)).removesuffix("_test")
        if options.names and name not in options.names:
            continue
        start = time.monotonic()
        rc, output = run_binary(path, options)
        passed, failed, skipped = count_cmocka(output)
        if failed == 0 and (rc != 0 or passed + skipped == 0):
            failed = 1  # it died outside of a test, or a sanitizer ended it
        report(name, passed, failed, time.monotonic() - start)
        if failed:
            say(re.sub(r"^(ok|1\.\.).*\n", "", output, flags=re.M).rstrip())
            say(f"  (exit {rc}; again with: {path.relative_to(ROOT)})")
        tally.add(passed, failed, skipped)
    if not options.names and options.build == "build":
        rust(tally)


def rust(tally):
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pollux"
    start = time.monotonic()
    done = subprocess.run(
        ["cargo", "test", "--quiet", "--release", "--locked", "--lib", "--manifest-path",
         ROOT / "rust" / "Cargo.toml", "--target-dir", cache / "rust" / "target"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", done.stdout, re.M)
    passed, failed = sum(int(p) for p, _ in found), sum(int(f) for _, f in found)
    if done.returncode != 0 and failed == 0:
        failed = 1
    report("rust", passed, failed, time.monotonic() - start)
    if failed:
        say(done.stdout.rstrip())
    tally.add(passed, failed)


def pytest(suite, tally, options):
    folder = ROOT / "tests" / suite
    if not list(folder.rglob("test_*.py")):
        say("  no tests yet")
        return
    venv = subprocess.run([ROOT / "scripts" / "venv.sh"], stdout=subprocess.PIPE, text=True)
    if venv.returncode != 0:
        say("  the Python packages of tests/requirements.txt could not be installed", "31")
        tally.add(0, 1)
        return
    # Most tests wait more than they work; but two models at once slow each other ten times.
    parts = [("", ["-m", "not model", "-n", "2", "--dist", "loadfile"])]
    if suite in ALONE:
        parts = [("", [])]
    elif not options.no_model:
        parts.append(("-model", ["-m", "model"]))
    for name, choice in parts:
        junit = ROOT / options.build / f"{suite}{name}.xml"
        junit.unlink(missing_ok=True)
        command = [venv.stdout.strip(), "-m", "pytest", "--tb=short", "-p", "no:cacheprovider", "-q",
                   "-ra", f"--junitxml={junit}", str(folder), *choice]
        command += os.environ.get("PYTEST_ARGS", "").split()
        env = dict(os.environ, POLLUX=str(ROOT / options.build / "pollux"), PYTHONUNBUFFERED="1")
        rc = subprocess.run(command, cwd=ROOT, env=env).returncode
        passed, failed, skipped = count(junit)
        if rc not in (0, 5) and failed == 0:  # 5: nothing was collected
            failed = 1
        tally.add(passed, failed, skipped)


def count(junit):
    try:
        suites = list(xml.parse(junit).getroot().iter("testsuite"))
    except (OSError, xml.ParseError):
        return 0, 0, 0
    total = {k: sum(int(s.get(k, 0)) for s in suites)
             for k in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    return max(0, total["tests"] - failed - total["skipped"]), failed, total["skipped"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--no-model", action="store_true")
    parser.add_argument("words", nargs="+", metavar="SUITE")
    options = parser.parse_args()
    suites = [w for w in options.words if w in SUITES]
    options.names = [w.removesuffix("_test") for w in options.words if w not in SUITES]
    tally = Tally()
    for suite in suites:
        say(f"{suite}:", "1")
        start = time.monotonic()
        before = (tally.passed, tally.failed)
        if suite == "unit":
            unit(tally, options)
        else:
            pytest(suite, tally, options)
        say(f"{suite}: {tally.passed - before[0]} ok, {tally.failed - before[1]} not ok"
            f" in {time.monotonic() - start:.1f} s")
    if tally.passed + tally.failed == 0:
        say("no test ran", "31")
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    say(f"{tally.passed} passed, {tally.failed} failed{skipped}", "31" if tally.failed else "32")
    return 0 if tally.passed and not tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
