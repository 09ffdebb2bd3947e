#!/usr/bin/env python3
"""What tuning teaches, and what it costs: right answers before and after, seconds, speed, memory.

    make bench-tuned
    scripts/bench_tuned.py --pollux build/pollux [--model NAME] [--task increment|tickets|memory] [--shown]

Everything goes through the API of one server: create, wait for the operation, ask the model of that
name at temperature 0. Right is an answer that is the wanted text and nothing else.

increment   the tuning guide's fifteen pairs, with nothing set but the examples, and eight numbers that
            are not among them.
tickets     200 messages to a shop's help desk and the code of the desk that they belong to, three
            epochs. Codes and desks are this shop's own, so a base model cannot know them. 60 messages
            are held out, made of other sentences than those that are trained on. While the first half
            of it is trained, a client has the base model speak without a pause: what each of the two
            costs the other.
memory      `pollux train-job` on four examples of 512 tokens, one at a time and four at once; the
            kernel's word on the most that it held.
"""
import argparse
import datetime
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]
import pollux  # noqa: E402
from bench_train import CACHE, INCREMENT  # noqa: E402

PATH = "/v1beta/tunedModels"
HELD_OUT = [("5", "6"), ("42", "43"), ("-7", "-6"), ("twelve", "thirteen"), ("99", "100"),
            ("fifty five", "fifty six"), ("2,000", "2,001"), ("six", "seven")]

GOODS = ["kettle", "lamp", "bicycle pump", "rain jacket", "headphones", "desk chair", "coffee grinder",
         "backpack", "keyboard", "garden hose"]
DESKS = {
    "K7-RETURNS": (["I want to send the {} back.", "The {} does not fit me, how do I return it?",
                    "Please take my {} back, I changed my mind.", "Where is the return label for the {}?",
                    "I sent the {} back last week and heard nothing."],
                   ["May I still hand back the {}?", "The {} is the wrong colour, I would like to return it.",
                    "Can I give the {} back without its box?"]),
    "M2-MONEY": (["You charged me twice for the {}.", "My card was declined for the {}.",
                  "I need an invoice for the {}.", "The price of the {} on my bill is wrong.",
                  "When do I get my money for the {}?"],
                 ["The invoice of the {} shows a wrong amount.", "I paid for the {} two times.",
                  "Why does my bill for the {} say a different price?"]),
    "T4-TRANSIT": (["Where is my {}? It should have come on Monday.", "The parcel with the {} is lost.",
                    "The driver left the {} with a neighbour.", "Tracking for the {} has not moved for days.",
                    "Can you deliver the {} to another address?"],
                   ["My {} still has not arrived.", "The tracking number of the {} does not work.",
                    "Please deliver the {} on Saturday."]),
    "R9-REPAIR": (["The {} stopped working after a week.", "A part of the {} is broken.",
                   "My {} makes a strange noise.", "Is the {} still under warranty? It is broken.",
                   "The {} does not switch on any more."],
                  ["My {} broke yesterday.", "There is a crack in the {}.",
                   "The {} no longer works, can it be repaired?"]),
    "Q1-QUESTION": (["Do you have the {} in green?", "How heavy is the {}?",
                     "Is the {} suitable for children?", "When will the {} be in stock again?",
                     "Which {} do you recommend?"],
                    ["Is the {} made of metal?", "Does the {} come in other sizes?",
                     "What is the difference between your {} models?"]),
}


def tickets():
    dice = random.Random(3)
    train, test = [], []
    for desk, (known, held) in DESKS.items():
        all_known = [(s.format(g), desk) for s, g in itertools.product(known, GOODS)]
        all_held = [(s.format(g), desk) for s, g in itertools.product(held, GOODS)]
        train += dice.sample(all_known, 40)
        test += dice.sample(all_held, 12)
    dice.shuffle(train)
    return train, test


def row(*cells):
    print("|", " | ".join(str(c) for c in cells), "|", flush=True)


def ask(server, model, text, tokens=24):
    answer = server.post(f"/v1beta/{model}:generateContent", {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"temperature": 0, "maxOutputTokens": tokens}}, timeout=300)
    if answer.status != 200:
        sys.exit(f"bench-tuned: {answer}")
    return answer


def right(server, model, pairs, shown=False):
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda pair: ask(server, model, pair[0]).said.strip(), pairs))
    for (question, _), words in zip(pairs, said):
        if shown:
            print(f"    {question} -> {words}", file=sys.stderr)
    return sum(words == wanted for words, (_, wanted) in zip(said, pairs))


class Speaker:
    """A client that has the base model speak without a pause; tokens a second of each answer."""

    def __init__(self, server):
        self.server, self.rates, self.over = server, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            answer = ask(self.server, "models/default", "Count from one to five hundred in words.", 48)
            n = answer.json["usageMetadata"].get("candidatesTokenCount", 0)
            self.rates.append(n / (time.monotonic() - began))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def start(server, id, pairs, hyper):
    wish = {"baseModel": "models/gemini-1.5-flash-001-tuning", "tuningTask": {
        "trainingData": {"examples": {"examples": [{"textInput": i, "output": o} for i, o in pairs]}},
        **({"hyperparameters": hyper} if hyper else {})}}
    answer = server.post(f"{PATH}?tunedModelId={id}", wish, timeout=60)
    if answer.status != 200:
        sys.exit(f"bench-tuned: {answer}")
    return answer.json["name"]


def finish(server, operation):
    while not (answer := server.post(f"/v1beta/{operation}:wait", {"timeout": "600s"}, timeout=620).json).get("done"):
        pass
    if "error" in answer:
        sys.exit(f"bench-tuned: {answer['error']}")
    return answer["response"]["tuningTask"]


def losses(task):
    epochs = {}
    for s in task["snapshots"]:
        epochs.setdefault(s["epoch"], []).append(s["meanLoss"])
    return " ".join(f"{statistics.mean(values):.2f}" for values in epochs.values())


def teach(server, options, id, train, test, hyper, beside=None):
    """beside(operation): what else happens while it trains."""
    before = right(server, "models/default", test)
    began = time.monotonic()
    operation = start(server, id, train, hyper)
    more = beside(operation) if beside else None
    task = finish(server, operation)
    seconds = time.monotonic() - began
    after = right(server, f"tunedModels/{id}", test, options.shown)
    row(id, len(train), task["hyperparameters"]["epochCount"], f"{seconds:.1f}", losses(task),
        f"{before} of {len(test)}", f"{after} of {len(test)}")
    return task, more


def seconds_of(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def steps_a_second(task, begin, end):
    times = [t for s in task["snapshots"] if begin <= (t := seconds_of(s["computeTime"])) <= end]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else float("nan")


def lessons(options):
    print("| task | examples | epochs | seconds from create to ACTIVE | mean losses | right before | right after |")
    row(*["---"] * 7)
    with pollux.Server("--model", options.model, "--parallel", 4, "--ctx", 1024, start_s=120) as server:
        time.sleep(5)  # it times its steps when it is idle
        if options.task in (None, "increment"):
            teach(server, options, "increment", INCREMENT, HELD_OUT, None)
        if options.task == "increment":
            return None
        train, test = tickets()
        with Speaker(server) as alone:
            time.sleep(12)

        def beside(operation):
            while not server.get(f"/v1beta/{operation}").json["metadata"]["completedSteps"]:
                time.sleep(0.1)
            total = server.get(f"/v1beta/{operation}").json["metadata"]["totalSteps"]
            began = time.time()
            with Speaker(server) as spoke:
                while server.get(f"/v1beta/{operation}").json["metadata"]["completedSteps"] < total / 2:
                    time.sleep(0.5)
            return spoke, began, time.time()

        task, (spoke, began, ended) = teach(server, options, "tickets", train, test,
                                            {"epochCount": 3, "learningRate": 0.0005}, beside)
        return (alone.rates, spoke.rates, steps_a_second(task, ended, float("inf")), steps_a_second(task, began, ended))


def print_neighbours(alone, together, steps_alone, steps_together):
    print("\n| | alone | both at once | of it |")
    row(*["---"] * 4)
    a, b = statistics.median(alone), statistics.median(together)
    row("a client of the base model, tokens/s", f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}")
    row("the training, steps/s", f"{steps_alone:.2f}", f"{steps_together:.2f}", f"{steps_together / steps_alone:.2f}")


def memory(options, batch):
    """Peak of the trainer on four examples of 512 tokens, in MB, and tokens a second."""
    gguf = next((CACHE / "models").glob(f"{options.model}*.gguf"))
    with tempfile.TemporaryDirectory() as folder:
        # Each word is a token, and the template adds some twenty.
        words = ["stone", "river", "light", "music"]
        lines = [{"textInput": " ".join([word] * 400), "output": " ".join([word] * 85)} for word in words]
        (Path(folder) / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (Path(folder) / "job.json").write_text(json.dumps({
            "base": str(gguf), "examples": "examples.jsonl", "epochCount": 1, "batchSize": batch}))
        with subprocess.Popen([options.pollux, "train-job", folder], stdout=subprocess.PIPE, text=True) as job:
            events = [json.loads(line) for line in job.stdout]
            _, status, usage = os.wait4(job.pid, 0)
            job.returncode = status
    if events[-1]["event"] != "done":
        sys.exit(f"bench-tuned: {events[-1]}")
    return sum(e["tokens"] for e in events if e["event"] == "step"), usage.ru_maxrss / 1024


def print_memory(options):
    print("\n| memory of a training | tokens | peak MB | at most 2,500 MB |")
    row(*["---"] * 4)
    for batch in (1, 4):
        tokens, peak = memory(options, batch)
        row(f"{4 // batch} steps of {batch} examples", tokens, f"{peak:.0f}", "yes" if peak <= 2500 else "NO")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pollux", default=ROOT / "build/pollux")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--task", choices=("increment", "tickets", "memory"), help="one of the three")
    parser.add_argument("--shown", action="store_true", help="print what the tuned models say")
    options = parser.parse_args()
    pollux.BINARY = Path(options.pollux).resolve()
    print(f"Tuning {options.model}, {os.cpu_count()} cores.\n")
    neighbours = None
    if options.task != "memory":
        neighbours = lessons(options)
    if neighbours:
        print_neighbours(*neighbours)
    if options.task in (None, "memory"):
        print_memory(options)


if __name__ == "__main__":
    main()
