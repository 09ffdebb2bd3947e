#!/usr/bin/env python3
"""What tuning teaches: right answers on examples that were held out, before and after.

    make bench-tuned
    scripts/bench_tuned.py --pollux build/pollux --peer LLAMA_SERVER [--task increment|tickets]

`pollux tune` trains with its defaults (increment) or with three epochs (tickets); the adapter is
loaded into llama.cpp's own server, which answers at temperature 0, first without it.

increment: the tuning guide's fifteen pairs, and eight numbers that are not among them.
tickets: 200 messages to a shop's help desk and the code of the desk that they belong to. Codes and
desks are this shop's own, so a base model cannot know them. 60 messages are held out, made of other
sentences than those that are trained on.
"""
import argparse
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench import free_port, spawn  # noqa: E402
from bench_train import CACHE, INCREMENT  # noqa: E402

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


class Peer:
    """llama.cpp's server with the adapter or without."""

    def __init__(self, options, adapter=None):
        self.port = free_port()
        extra = ["--lora", str(adapter)] if adapter else []
        self.child = spawn([options.peer, "-m", str(options.model), "--port", str(self.port),
                            "--host", "127.0.0.1", "-c", "2048", "-np", "1", "--no-webui", *extra],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        sys.exit("bench-tuned: llama-server does not start")

    def answer(self, text):
        body = json.dumps({"messages": [{"role": "user", "content": text}], "temperature": 0,
                           "max_tokens": 24}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/chat/completions", body,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["choices"][0]["message"]["content"].strip()

    def right(self, pairs, shown=False):
        n = 0
        for question, wanted in pairs:
            said = self.answer(question)
            n += said == wanted
            if shown:
                print(f"    {question} -> {said}")
        return n

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


def run(options, name, train, test, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        data, adapter = Path(folder) / "data.jsonl", Path(folder) / "adapter.gguf"
        data.write_text("".join(json.dumps({"textInput": i, "output": o}) + "\n" for i, o in train))
        begun = time.monotonic()
        said = subprocess.run([options.pollux, "tune", data, "--base", options.model, "-o", adapter,
                               *arguments], check=True, capture_output=True, text=True).stdout
        seconds = time.monotonic() - begun
        with Peer(options) as peer:
            before = peer.right(test)
        with Peer(options, adapter) as peer:
            after = peer.right(test, options.shown)
    print(f"{name}: {len(train)} examples in {seconds:.1f} s;", "mean losses",
          *re.findall(r"mean loss (\S+)", said),
          f"; right of {len(test)} held out: {before} before, {after} after", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--peer", required=True, help="llama-server")
    parser.add_argument("--model", default=CACHE / "models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    parser.add_argument("--task", choices=("increment", "tickets"))
    parser.add_argument("--shown", action="store_true", help="print what the tuned model says")
    options = parser.parse_args()
    if options.task != "tickets":
        run(options, "increment", INCREMENT, HELD_OUT)
    if options.task != "increment":
        run(options, "tickets", *tickets(), "--epochs", "3", "--learning-rate", "0.0005")


if __name__ == "__main__":
    main()
