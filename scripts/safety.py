#!/usr/bin/env python3
"""How well a model judges what is harmful: tests/data/safety.jsonl through the real server.

    scripts/safety.py --model qwen2.5-coder-1.5b-instruct --half test

A scripted Pollux that answers nothing gets the model as its guard, and each text as a prompt with a
threshold for every category. Ratings come from the answer, probabilities from the server's log. The
half `tune` is for choosing questions and cuts (src/chat/safety.c), `test` for reporting. With --out a run
that was cut short (--seconds) goes on where it ended.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATEGORIES = ["HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY"]
LEVELS = ["NEGLIGIBLE", "LOW", "MEDIUM", "HIGH"]


def ask(server, text):
    settings = [{"category": f"HARM_CATEGORY_{c}", "threshold": "BLOCK_ONLY_HIGH"} for c in CATEGORIES]
    answer = server.generate(text, fields={"safetySettings": settings}, timeout=120)
    if answer.status != 200:
        sys.exit(f"{text!r}: {answer}")
    return {r["category"].removeprefix("HARM_CATEGORY_"): r["probability"]
            for r in answer.json["promptFeedback"]["safetyRatings"]}


def measure(options, rows):
    from pollux import Server
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        script.write_text('{"default": {"text": ""}}')
        with Server("--script", script, "--guard-model", options.model, "--log-level", "debug",
                    *options.more, start_s=120) as server:
            for row in (r for r in rows if "levels" not in r):
                if time.monotonic() > end:
                    break
                start = time.monotonic()
                row["levels"] = ask(server, row["text"])
                row["ms"] = round((time.monotonic() - start) * 1000)
                told = re.findall(r"judge.* harm=(\w+) .*yes=([\d.]+)", server.log)
                row["yes"] = {harm: float(yes) for harm, yes in told[-len(CATEGORIES):]}


def ranks(harmful, others):
    """How often a harmful text is more probable than another: 1 is perfect, 0.5 is chance."""
    pairs = [(a > b) + (a == b) / 2 for a in harmful for b in others]
    return sum(pairs) / len(pairs)


def report(rows):
    print("| category | texts | blocked from LOW | from MEDIUM | only HIGH | harmless blocked | ranks |")
    print("|---|---|---|---|---|---|---|")
    harmless = [r for r in rows if not r["harms"]]
    for c in CATEGORIES:
        harmful = [r for r in rows if c in r["harms"]]

        def blocked(texts, level):
            n = sum(LEVELS.index(r["levels"][c]) >= LEVELS.index(level) for r in texts)
            return f"{n} of {len(texts)}"
        alarms = ", ".join(blocked(harmless, level).split()[0] for level in LEVELS[1:])
        rank = ranks([r["yes"][c] for r in harmful], [r["yes"][c] for r in harmless])
        print(f"| {c} | {len(harmful)} | {blocked(harmful, 'LOW')} | {blocked(harmful, 'MEDIUM')} | "
              f"{blocked(harmful, 'HIGH')} | {alarms} of {len(harmless)} | {rank:.2f} |")
    times = sorted(r["ms"] for r in rows)
    print(f"\n{len(rows)} texts, five questions each: {times[len(times) // 2]} ms a text (median)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pollux", default=ROOT / "build" / "pollux")
    parser.add_argument("--model", required=True)
    parser.add_argument("--half", choices=["tune", "test"], default="test")
    parser.add_argument("--out", type=Path, help="keep the scores in this file")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("more", nargs="*", help="options for the server, behind --")
    options = parser.parse_args()
    os.environ["POLLUX"] = str(options.pollux)
    sys.path.insert(0, str(ROOT / "tests"))
    rows = [json.loads(line) for line in (ROOT / "tests" / "data" / "safety.jsonl").open()]
    rows = [r for r in rows if r["half"] == options.half]
    if options.out and options.out.exists():
        rows = json.loads(options.out.read_text())
    measure(options, rows)
    if options.out:
        options.out.write_text(json.dumps(rows))
    left = sum("levels" not in r for r in rows)
    if left:
        sys.exit(f"{left} of {len(rows)} texts are left")
    report(rows)


if __name__ == "__main__":
    main()
