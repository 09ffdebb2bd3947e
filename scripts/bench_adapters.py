#!/usr/bin/env python3
"""Two tuned models and the base at once: whether they mix, and what taking turns costs.

    make bench-adapters
    scripts/bench_adapters.py --pollux build/pollux --model qwen2.5-coder-0.5b-instruct

Starts one server and makes two adapters with random values (tests/trainer.py). First each is asked
with seeds, alone, and then all again at once by 24 clients: every answer must be the same, and no two
of base and adapters may agree. Then tokens a second: 8 clients of the base alone, 8 of one adapter
alone, 8 of each at once. Rounds are interleaved; the median counts. Exit status 1: answers differed."""

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import pollux  # noqa: E402

BASE, ONE, TWO = "models/default", "tunedModels/one", "tunedModels/two"
PROMPTS = ["Tell me about the sea.", "What is a lighthouse?", "Name three cities.", "How do birds fly?"]


def make(server, id):
    answer = server.post(f"/v1beta/tunedModels?tunedModelId={id}", {
        "baseModel": "models/gemini-pro", "tuningTask": {
            "trainingData": {"examples": {"examples": [{"textInput": id, "output": "x"}]}}}})
    server.post(f"/v1beta/{answer.json['name']}:wait", b"", timeout=120)


def ask(server, name, prompt, **config):
    answer = server.post(f"/v1beta/{name}:generateContent", {
        "contents": [{"parts": [{"text": prompt}]}], "generationConfig": config}, timeout=600)
    if answer.status != 200:
        sys.exit(f"bench-adapters: {answer}")
    return answer


def mixed_up(server):
    """How many seeded answers of how many were not, in company, what they were alone."""
    asked = [(name, prompt) for prompt in PROMPTS for name in (BASE, ONE, TWO)]

    def say(pair):
        return ask(server, *pair, seed=7, temperature=0.7, maxOutputTokens=24).said

    alone = {pair: say(pair) for pair in asked}
    with ThreadPoolExecutor(24) as pool:
        together = list(pool.map(say, asked * 2))
    differ = sum(said != alone[pair] for pair, said in zip(asked * 2, together))
    alike = sum(len({alone[name, prompt] for name in (BASE, ONE, TWO)}) < 3 for prompt in PROMPTS)
    return differ, len(together), alike


def tokens_a_second(server, names, tokens):
    def count(name):
        answer = ask(server, name, "Count from one to five hundred in words.", temperature=1, maxOutputTokens=tokens)
        return answer.json["usageMetadata"].get("candidatesTokenCount", 0)

    began = time.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        n = sum(pool.map(count, names))
    return n / (time.monotonic() - began)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--pollux", default=ROOT / "build" / "pollux")
    args.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    args.add_argument("--tokens", type=int, default=64)
    args.add_argument("--rounds", type=int, default=3)
    given = args.parse_args()
    pollux.BINARY = Path(given.pollux).resolve()
    loads = {"the base, 8 clients": [BASE] * 8, "one adapter, 8 clients": [ONE] * 8,
             "two adapters and the base, 8 clients each": [BASE, ONE, TWO] * 8}
    rates = {name: [] for name in loads}
    with pollux.Server("--model", given.model, "--parallel", 8, "--ctx", 1024, start_s=120,
                       env={"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}) as server:
        make(server, "one")
        make(server, "two")
        time.sleep(5)  # it times its steps when it is idle
        differ, n, alike = mixed_up(server)
        for _ in range(given.rounds):
            for name, names in loads.items():
                rates[name].append(tokens_a_second(server, names, given.tokens))
    first = statistics.median(rates["the base, 8 clients"])
    print(f"Adapters over {given.model}, {given.tokens} tokens an answer.\n")
    print("| load | tokens/s | of the base's | rounds |")
    print("| --- | --- | --- | --- |")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.1f} | {median / first:.2f} | {', '.join(f'{v:.1f}' for v in values)} |")
    print(f"\nSeeded answers of 24 clients at once that were not what they are alone: {differ} of {n}. "
          f"Prompts to which two of the three said the same: {alike} of {len(PROMPTS)}.")
    return 1 if differ or alike else 0


sys.exit(main())
