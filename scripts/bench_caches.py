#!/usr/bin/env python3
"""Measures the first token of a request with a long cached beginning: cold, warm, after a restart.

    make bench-caches
    scripts/bench_caches.py --pollux build/pollux [--model NAME] [--tokens 4096] [--rounds 3]

Each round has a text of its own. cold: it is sent whole, and nobody has seen it before. Then a cache is made of
it (create: until its answer), a request uses it (warm), the server is started anew, and a request uses it again
(restart: rows come from the disk, which the page cache may help; --drop empties that before, as root). A time is
that from sending a request to the first byte of its stream.
"""
import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench import free_port, spawn  # noqa: E402

NAME = "models/gemini-2.0-flash"
CONFIG = {"temperature": 0, "maxOutputTokens": 1}


class Pollux:
    def __init__(self, options, folder):
        self.options, self.folder, self.server = options, folder, None

    def start(self):
        self.port = free_port()
        self.server = spawn([self.options.pollux, "serve", "--model", self.options.model, "--port", str(self.port),
                             "--ctx", str(self.options.tokens + 512), "--data-dir", self.folder / "data"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                self.call("GET", "/healthz")
                break
            except OSError:
                time.sleep(0.05)
        else:
            sys.exit("bench-caches: Pollux does not start")
        time.sleep(3)  # it times its steps when it is idle
        self.first_ms({"contents": user("Say hello.")})

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(30)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status != 200:
            sys.exit(f"bench-caches: {method} {path}: {answer.status} {data[:300]}")
        return json.loads(data)

    def first_ms(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        since = time.monotonic()
        connection.request("POST", f"/v1beta/{NAME}:streamGenerateContent?alt=sse",
                           json.dumps({"generationConfig": CONFIG, **body}))
        answer = connection.getresponse()
        first = answer.read1()
        ms = (time.monotonic() - since) * 1000
        data = first + answer.read()
        connection.close()
        if answer.status != 200:
            sys.exit(f"bench-caches: {answer.status} {data[:300]}")
        last = json.loads(data.split(b"data: ")[-1])
        return ms, last["usageMetadata"].get("cachedContentTokenCount", 0)


def user(text):
    return [{"role": "user", "parts": [{"text": text}]}]


def text_of(round, n_tokens, pollux):
    """Lines until they are so many tokens, all told."""
    lines = [f"Record {round}-{i}: ship {i * 37 % 101} left harbour {i % 13} with {i * 7 % 50} crates." for i in
             range(n_tokens)]
    low, high = 1, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        n = pollux.call("POST", f"/v1beta/{NAME}:countTokens", {"contents": user("\n".join(lines[:middle]))})
        low, high = (middle, high) if n["totalTokens"] <= n_tokens else (low, middle - 1)
    return "\n".join(lines[:low])


def drop_page_cache():
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("1")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--drop", action="store_true", help="empty the page cache before each restart")
    options = parser.parse_args()
    took = {"cold": [], "create": [], "warm": [], "restart": []}
    with tempfile.TemporaryDirectory() as name:
        pollux = Pollux(options, Path(name))
        pollux.start()
        for round in range(options.rounds):
            text = text_of(round, options.tokens, pollux)
            question = user("How many records are there? Answer with a number.")
            ms, _ = pollux.first_ms({"contents": user("Read this.\n" + text) + question})
            took["cold"].append(ms)
            since = time.monotonic()
            cache = pollux.call("POST", "/v1beta/cachedContents", {"model": NAME, "contents": user(text)})
            took["create"].append((time.monotonic() - since) * 1000)
            total = cache["usageMetadata"]["totalTokenCount"]
            for key in ("warm", "restart"):
                if key == "restart":
                    pollux.stop()
                    if options.drop:
                        drop_page_cache()
                    pollux.start()
                ms, n = pollux.first_ms({"contents": question, "cachedContent": cache["name"]})
                if n < total:
                    sys.exit(f"bench-caches: {key}: {n} of {total} tokens were cached")
                took[key].append(ms)
        size = sum(p.stat().st_size for p in (Path(name) / "data" / "blobs").rglob("*") if p.is_file())
        pollux.stop()
    print(f"# First token with a cache of {total} tokens, {options.model}\n")
    print("| | median ms | of cold | all |\n|---|---|---|---|")
    cold = statistics.median(took["cold"])
    for key, values in took.items():
        median = statistics.median(values)
        print(f"| {key} | {median:.0f} | {median / cold * 100:.1f} % | {' '.join(f'{v:.0f}' for v in values)} |")
    print(f"\n{size / options.rounds / 1e6:.0f} MB on the disk for each cache; {os.cpu_count()} cores.")
    if statistics.median(took["restart"]) > cold / 10:
        sys.exit("bench-caches: after a restart the first token takes more than 10 % of the time without the cache")


if __name__ == "__main__":
    main()
