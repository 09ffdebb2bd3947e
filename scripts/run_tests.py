#!/usr/bin/env python3
"""Runs test suites and ends with one line that sums all of them: N passed, N failed.

    run_tests.py [--build DIR] [--no-model] unit|api|cli|sdk|schemas|soak ... [NAME ...]

unit: every DIR/test/** (cmocka), and the Rust library's own tests; NAME picks one.
the others: pytest over tests/SUITE, with POLLUX naming the binary. --no-model leaves
out tests marked `model`: under sanitizers only the scripted engine runs.

One unit test runs for each core, and of the others one more, for they also wait. Whoever needs the machine for itself, because it measures time or
computes with a thread for each core, comes apart from the others: ALONE here, the mark `alone`
in Python. In DIR remain JUnit files, one for each suite, and times.json, by which the next run
starts what takes longest first. What a new test has to keep to is in tests/README.md.

A suite that finds nothing to run says so; when no test ran at all, that is a failure.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("unit", "api", "cli", "sdk", "schemas", "soak")
ALONE = ("kernel/panel", "kernel/plug", "train/trainer")
CORES = os.cpu_count() or 1
UNIT_SECONDS = 300
COLOUR = sys.stdout.isatty()


class Tally:
    passed = failed = skipped = 0

    def add(self, passed, failed, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


class Times:
    """How long each unit test and each file of tests took."""

    def __init__(self, path):
        self.path = path
        try:
            self.took = json.loads(path.read_text())
        except (OSError, ValueError):
            self.took = {}

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.took, indent=0, sort_keys=True))


def say(text, colour=None):
    if COLOUR and colour:
        text = f"\033[{colour}m{text}\033[0m"
    print(text, flush=True)


def report(name, passed, failed, seconds):
    words = f"{passed} passed" + (f", {failed} FAILED" if failed else "")
    say(f"  {name:<28} {words:<24} {seconds:6.2f} s", "31" if failed else None)


# ---- unit tests ----


def run_binary(path, options):
    """Returns (rc, output); its whole process group is ended if it takes too long."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    env.setdefault("GOMP_SPINCOUNT", "10000")  # as `pollux serve` does for itself (src/main.c)
    env.setdefault("TEST_THREADS", "1")  # of models, for others compute beside
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


def cmocka(path, name, options):
    start = time.monotonic()
    rc, output = run_binary(path, options)
    passed, failed, skipped = count_cmocka(output)
    if failed == 0 and (rc != 0 or passed + skipped == 0):
        failed = 1  # it died outside of a test, or a sanitizer ended it
    words = re.sub(r"^(ok|1\.\.).*\n", "", output, flags=re.M).rstrip()
    return (name, passed, failed, skipped, time.monotonic() - start,
            f"{words}\n  (exit {rc}; again with: {path.relative_to(ROOT)})")


def rust():
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
    return "rust", passed, failed, 0, time.monotonic() - start, done.stdout.rstrip()


def unit(tally, times, options):
    tests = ROOT / options.build / "test"
    found = {str(p.relative_to(tests)).removesuffix("_test"): p for p in sorted(tests.rglob("*_test"))
             if os.access(p, os.X_OK) and p.is_file()
             and (ROOT / "src" / p.relative_to(tests).with_suffix(".c")).exists()}
    jobs = {name: lambda name=name, path=path: cmocka(path, name, options)
            for name, path in found.items() if not options.names or name in options.names}
    if not options.names and options.build == "build":
        jobs["rust"] = rust

    def done(result):
        name, passed, failed, skipped, seconds, output = result
        report(name, passed, failed, seconds)
        if failed:
            say(output)
        tally.add(passed, failed, skipped)
        times.took[f"unit/{name}"] = round(seconds, 2)

    for name in ALONE:
        if name in jobs:
            done(jobs.pop(name)())
    with ThreadPoolExecutor(CORES) as pool:
        for running in [pool.submit(jobs[name]) for name in
                        sorted(jobs, key=lambda name: -times.took.get(f"unit/{name}", 1))]:
            done(running.result())


# ---- pytest ----


def file_of(case):
    """Of the class of test_x.py or x.http, as junit names it: api.model.test_x."""
    path = case.get("classname", "").replace(".", "/")
    return path.removesuffix("/http") + ".http" if path.endswith("/http") else f"{path}.py"


def split(whole, suites, build):
    """A JUnit file for each suite in place of those of the parts; returns {suite: its cases}."""
    cases = {suite: [] for suite in suites}
    for path in whole:
        try:
            found = list(xml.parse(path).getroot().iter("testcase"))
        except (OSError, xml.ParseError):
            continue
        path.unlink()
        for case in found:  # what `make soak` finds among the others is the soak's, as is an error of pytest's
            suite = case.get("classname", "").partition(".")[0]
            cases.get(suite, cases[suites[0]]).append(case)
    for suite, mine in cases.items():
        kinds = Counter(map(outcome, mine))
        root = xml.Element("testsuites")
        root.append(xml.Element("testsuite", name=suite, tests=str(len(mine)), failures=str(kinds["failed"]),
                                errors="0", skipped=str(kinds["skipped"]),
                                time=f"{sum(float(c.get('time', 0)) for c in mine):.3f}"))
        root[0].extend(mine)
        xml.ElementTree(root).write(build / f"{suite}.xml", encoding="utf-8", xml_declaration=True)
    return cases


def outcome(case):
    """A test that passed and whose fixture then failed is two cases of one name: one of each."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def marked(mark, folders):
    """Files that have tests with the mark: reading all others again takes seconds."""
    return [path for folder in folders for path in sorted(folder.rglob("test_*.py"))
            if f"mark.{mark}" in path.read_text(encoding="utf-8")]


def pytest(suites, tally, times, options):
    folders = [ROOT / "tests" / s for s in suites]
    for suite, folder in zip(suites, folders):
        if not list(folder.rglob("test_*.py")):
            say(f"  {suite}: no tests yet")
    venv = subprocess.run([ROOT / "scripts" / "venv.sh"], stdout=subprocess.PIPE, text=True)
    if venv.returncode != 0:
        say("  the Python packages of tests/requirements.txt could not be installed", "31")
        tally.add(0, 1)
        return
    build = ROOT / options.build
    least = " and not model" if options.no_model else ""
    if suites == ["soak"]:
        others = [ROOT / "tests" / s for s in SUITES[1:-1]]
        parts = [("soak", folders, {}),
                 ("soak-more", [*marked("soak", others), "-m", "soak"], {"POLLUX_SOAK": "1"})]
    else:
        parts = [("together", [*folders, "-m", f"not alone{least}", "-n", CORES + 1, "--dist", "loadfile",
                               "--no-loadscope-reorder"], {"TEST_THREADS": "1"}),
                 ("alone", [*(marked("alone", folders) or folders), "-m", f"alone{least}"], {})]
    broke, results = 0, []
    for name, choice, more in parts:
        results.append(build / f"tests-{name}.xml")
        results[-1].unlink(missing_ok=True)
        command = [venv.stdout.strip(), "-m", "pytest", "--tb=short", "-q", "-ra",
                   f"--junitxml={results[-1]}", *map(str, choice)]
        command += os.environ.get("PYTEST_ARGS", "").split()
        env = dict(os.environ, POLLUX=str(build / "pollux"), PYTHONUNBUFFERED="1",
                   TEST_TIMES=str(times.path), **more)
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would rewrite each test again
        broke += subprocess.run(command, cwd=ROOT, env=env).returncode not in (0, 5)  # 5: there was none
    failed = 0
    for suite, cases in split(results, suites, build).items():
        kinds = Counter(map(outcome, cases))
        report(suite, kinds["passed"], kinds["failed"], sum(float(c.get("time", 0)) for c in cases))
        tally.add(kinds["passed"], kinds["failed"], kinds["skipped"])
        failed += kinds["failed"]
        took = Counter()
        for case in cases:
            took[file_of(case)] += float(case.get("time", 0))
        times.took.update({file: round(seconds, 2) for file, seconds in took.items()})
    if broke and not failed:
        tally.add(0, 1)  # it ended otherwise than by a test that failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--no-model", action="store_true")
    parser.add_argument("words", nargs="+", metavar="SUITE")
    options = parser.parse_args()
    suites = [w for w in options.words if w in SUITES]
    options.names = [w.removesuffix("_test") for w in options.words if w not in SUITES]
    tally, times = Tally(), Times(ROOT / options.build / "times.json")
    for part in (["unit"], [s for s in suites if s not in ("unit", "soak")], ["soak"]):
        part = [s for s in part if s in suites]
        if not part:
            continue
        say(f"{' '.join(part)}:", "1")
        start = time.monotonic()
        before = (tally.passed, tally.failed)
        if part == ["unit"]:
            unit(tally, times, options)
        else:
            pytest(part, tally, times, options)
        say(f"{' '.join(part)}: {tally.passed - before[0]} ok, {tally.failed - before[1]} not ok"
            f" in {time.monotonic() - start:.1f} s")
        times.save()
    if tally.passed + tally.failed == 0:
        say("no test ran", "31")
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    say(f"{tally.passed} passed, {tally.failed} failed{skipped}", "31" if tally.failed else "32")
    return 0 if tally.passed and not tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
