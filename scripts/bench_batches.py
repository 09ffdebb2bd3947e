#!/usr/bin/env python3
"""Measures what a batch costs the clients beside it, and what it does.

    make bench-batches
    scripts/bench_batches.py --pollux build/pollux [--model NAME] [--rounds 3] [--lines 16]

In each round, of about half a minute on a quiet machine: the first word and the whole of a client's short answer
alone and beside a batch, in turn; then the same lines once as a batch and once by as many clients as a batch has slots.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bench import free_port, spawn  # noqa: E402

MODEL = "/v1beta/models/gemini-2.5-flash"


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"bench-batches: {method} {path}: {answer.status} {data[:300]}")
    return json.loads(data)


def start(options, folder):
    port = free_port()
    server = spawn([options.pollux, "serve", "--model", options.model, "--port", str(port), "--parallel",
                    str(options.parallel), "--data-dir", folder / "data"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            ask(port, "GET", "/healthz")
            return server, port
        except OSError:
            time.sleep(0.1)
    sys.exit("bench-batches: Pollux does not start")


def request(i, n_tokens):
    return {"contents": [{"parts": [{"text": f"Write about the number {i}."}]}],
            "generationConfig": {"maxOutputTokens": n_tokens}}


def client(port, i):
    """Seconds to the first word, and to the end."""
    since = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", MODEL + ":streamGenerateContent?alt=sse", json.dumps(request(i, 32)))
    answer = connection.getresponse()
    answer.readline()
    first = time.monotonic() - since
    answer.read()
    connection.close()
    return first, time.monotonic() - since


def make_batch(port, first, n, n_tokens):
    lines = [{"request": request(first + i, n_tokens)} for i in range(n)]
    return ask(port, "POST", MODEL + ":batchGenerateContent",
               {"batch": {"inputConfig": {"requests": {"requests": lines}}}})["name"]


def wait(port, name):
    while not ask(port, "GET", f"/v1beta/{name}").get("done"):
        time.sleep(0.1)
    ask(port, "DELETE", f"/v1beta/{name}")


def timed(work):
    since = time.monotonic()
    work()
    return time.monotonic() - since


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=16)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pollux-bench-"))
    server, port = start(options, folder)
    rows = {name: [] for name in ("first word alone, s", "first word beside a batch, s", "32 tokens alone, s",
                                  "32 tokens beside a batch, s", "lines by clients, lines/s", "lines as a batch, lines/s")}
    try:
        time.sleep(3)  # it times its steps when it is idle
        client(port, 9_999_999)
        for i in range(options.rounds):
            print(f"round {i + 1} of {options.rounds}", file=sys.stderr, flush=True)
            at = 10_000 * i
            first, whole = client(port, at)
            rows["first word alone, s"].append(first)
            rows["32 tokens alone, s"].append(whole)
            name = make_batch(port, at + 1000, 1000, 64)
            time.sleep(1)
            first, whole = client(port, at + 1)
            ask(port, "DELETE", f"/v1beta/{name}")
            rows["first word beside a batch, s"].append(first)
            rows["32 tokens beside a batch, s"].append(whole)
            time.sleep(0.5)
            with ThreadPoolExecutor(max(1, options.parallel // 2)) as pool:
                seconds = timed(lambda: list(pool.map(
                    lambda k: ask(port, "POST", MODEL + ":generateContent", request(at + 3000 + k, 32)),
                    range(options.lines))))
            rows["lines by clients, lines/s"].append(options.lines / seconds)
            seconds = timed(lambda: wait(port, make_batch(port, at + 5000, options.lines, 32)))
            rows["lines as a batch, lines/s"].append(options.lines / seconds)
        print(f"{options.model}, --parallel {options.parallel}, {options.rounds} rounds\n\n"
              "| measure | minimum / median / maximum |\n| --- | --- |")
        for title, values in rows.items():
            print(f"| {title} | " + " / ".join(f"{f(values):.2f}" for f in (min, statistics.median, max)) + " |")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
