#!/usr/bin/env python3
"""What a search costs: `bench_search.py --pollux build/pollux [--chunks 10000] [--real]`.

Fills a store of one server with passages of made-up text (words by Zipf's law, so that there are
common and rare ones), then asks it questions, one after the other, over HTTP. Vectors are the
script's, 384 numbers each, so that filling takes seconds: what is timed is ranking by words, the
scan of all vectors, fusion, and reading the passages. With --real the embedding model makes them,
and the time of a question includes its vector; filling then takes minutes."""

import argparse
import bisect
import itertools
import http.client
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

WORDS_OF_A_CHUNK = 120
CHUNKS_OF_A_DOCUMENT = 100


def vocabulary(rng, n=20000):
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(2, 10))) for _ in range(n)]
    return words, list(itertools.accumulate(1 / (i + 1) for i in range(n)))


def draw(rng, vocabulary_, n):
    words, sums = vocabulary_
    return " ".join(words[bisect.bisect(sums, rng.random() * sums[-1])] for _ in range(n))


def call(server, method, path, body=None):
    headers = {"Content-Type": "application/json"}
    server.request(method, path, body if isinstance(body, bytes) else json.dumps(body or {}), headers)
    answer = server.getresponse()
    text = answer.read()
    if answer.status != 200:
        sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
    return json.loads(text)


def fill(server, store, rng, words, n_chunks):
    for at in range(0, n_chunks, CHUNKS_OF_A_DOCUMENT):
        n = min(CHUNKS_OF_A_DOCUMENT, n_chunks - at)
        text = draw(rng, words, n * WORDS_OF_A_CHUNK).encode()
        file = call(server, "POST", "/upload/v1beta/files?uploadType=media", text)["file"]["name"]
        call(server, "POST", f"/v1beta/{store}:importFile", {"fileName": file, "chunkingConfig": {
            "whiteSpaceConfig": {"maxTokensPerChunk": WORDS_OF_A_CHUNK, "maxOverlapTokens": 0}}})
    while int(call_get(server, f"/v1beta/{store}").get("pendingDocumentsCount", 0)):
        time.sleep(0.2)


def call_get(server, path):
    server.request("GET", path)
    return json.loads(server.getresponse().read())


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--chunks", type=int, default=10000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--real", action="store_true")
    args = parser.parse_args()
    os.environ["POLLUX"] = str(Path(args.pollux).resolve())
    from pollux import Server

    rng = random.Random(1)
    words = vocabulary(rng)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        script.write_text(json.dumps({"embeddings": {"dimensions": 384}, "default": {"echo": True}}))
        more = ["--embedding-model", "all-minilm-l6-v2"] if args.real else []
        with Server("--script", script, "--log-level", "warn", *more) as s:
            server = http.client.HTTPConnection("127.0.0.1", s.port)
            store = call(server, "POST", "/v1beta/fileSearchStores", {"displayName": "bench"})["name"]
            since = time.monotonic()
            fill(server, store, rng, words, args.chunks)
            filled = time.monotonic() - since
            times, n_found, cpu = [], 0, cpu_ms(s.process.pid)
            for _ in range(args.queries):
                question = draw(rng, words, rng.randint(3, 10))
                since = time.monotonic()
                n_found += len(call(server, "POST", f"/v1beta/{store}:query", {"query": question})["passages"])
                times.append((time.monotonic() - since) * 1000)
            times.sort()
            cpu = (cpu_ms(s.process.pid) - cpu) / args.queries
            print(f"| passages | filled in s | found | median ms | p95 ms | worst ms | CPU ms each | memory MB |\n|---|---|---|---|---|---|---|---|\n"
                  f"| {args.chunks} | {filled:.1f} | {n_found / args.queries:.1f} | {times[len(times) // 2]:.1f} | "
                  f"{times[int(len(times) * 0.95)]:.1f} | {times[-1]:.1f} | {cpu:.1f} | {s.rss_mb:.0f} |")
            server.close()


if __name__ == "__main__":
    main()
