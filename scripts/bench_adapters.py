#!/usr/bin/env python3
"""Two tuned models and the base at once: what taking turns costs.

    scripts/bench_adapters.py --pollux build/pollux --model qwen2.5-coder-0.5b-instruct

Starts one server, makes two adapters with random values (tests/trainer.py), and measures tokens a
second: 8 clients of the base alone, 8 of one adapter alone, then 8 of each at once. Rounds are
interleaved; the median counts."""

import argparse
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pollux", default=ROOT / "build" / "pollux")
    args.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    args.add_argument("--tokens", type=int, default=64)
    args.add_argument("--rounds", type=int, default=3)
    given = args.parse_args()
    import pollux
    pollux.BINARY = Path(given.pollux)
    with pollux.Server("--model", given.model, "--parallel", 8, "--ctx", 1024, start_s=120,
                       env={"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}) as server:
        for id in ("one", "two"):
            made = server.post(f"/v1beta/tunedModels?tunedModelId={id}", {"baseModel": "models/gemini-pro", "tuningTask": {
                "trainingData": {"examples": {"examples": [{"textInput": id, "output": "x"}]}}}}).json
            server.post(f"/v1beta/{made['name']}:wait", b"", timeout=120)

        def ask(name):
            answer = server.post(f"/v1beta/{name}:generateContent", {
                "contents": [{"parts": [{"text": "Count from one to five hundred in words."}]}],
                "generationConfig": {"maxOutputTokens": given.tokens, "temperature": 1}}, timeout=600)
            return answer.json["usageMetadata"].get("candidatesTokenCount", 0)

        def run(names):
            began = time.monotonic()
            with ThreadPoolExecutor(len(names)) as pool:
                n = sum(pool.map(ask, names))
            return n / (time.monotonic() - began)

        base, one, two = "models/default", "tunedModels/one", "tunedModels/two"
        loads = {"base, 8 clients": [base] * 8, "one adapter, 8 clients": [one] * 8,
                 "two adapters and the base, 8 clients each": [base, one, two] * 8}
        rates = {name: [] for name in loads}
        for names in loads.values():
            run(names)
        for _ in range(given.rounds):
            for name, names in loads.items():
                rates[name].append(run(names))
        for name, values in rates.items():
            print(f"{name:45} {statistics.median(values):7.1f} tokens/s   {json.dumps([round(v, 1) for v in values])}")


main()
