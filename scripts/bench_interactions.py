#!/usr/bin/env python3
"""Whether stored chains stay cheap: CHAINS chains of TURNS turns on the scripted engine, then what
a create at the end of a chain and a get cost with few and with many interactions in the database,
and at the beginning and at the end of a chain. Milliseconds, median and 95th percentile.

    scripts/bench_interactions.py --pollux build/pollux [--chains 1000] [--turns 20]
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def call(self, method, path, body=None):
        self.connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return json.loads(data)

    def create(self, text, previous=None):
        body = {"model": "gemini-3-flash-preview", "input": text}
        if previous:
            body["previous_interaction_id"] = previous
        return self.call("POST", "/v1beta/interactions?prettyPrint=false", body)["id"]

    def get(self, id):
        return self.call("GET", f"/v1beta/interactions/{id}?prettyPrint=false&include_input=true")


def timed(do):
    began = time.perf_counter()
    value = do()
    return (time.perf_counter() - began) * 1000, value


def line(name, times):
    times = sorted(times)
    print(f"| {name} | {statistics.median(times):.2f} | {times[int(len(times) * 0.95)]:.2f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pollux", default=str(ROOT / "build" / "pollux"))
    parser.add_argument("--chains", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args()
    os.environ["POLLUX"] = options.pollux
    from pollux import Server

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        script.write_text(json.dumps({"model": "scripted", "context": 100000, "replies": [], "default": {"text": "Well said."}}))
        with Server("--script", script) as server:
            client = Client(server.port)
            creates = {"first": [], "last": []}
            gets = {"few": [], "many": []}
            few = max(1, options.chains // 20)
            ends = []
            for chain in range(options.chains):
                id = None
                for turn in range(options.turns):
                    ms, id = timed(lambda: client.create(f"Turn {turn} of chain {chain}.", id))
                    if turn in (0, options.turns - 1):
                        where = "first" if turn == 0 else "last"
                        creates[where].append((chain, ms))
                ends.append(id)
                if chain + 1 == few:
                    gets["few"] = [timed(lambda: client.get(ends[i % few]))[0] for i in range(500)]
            gets["many"] = [timed(lambda: client.get(ends[i * 7919 % len(ends)]))[0] for i in range(500)]
            print("| ms | median | p95 |\n|---|---|---|")
            for where, times in creates.items():
                line(f"create, {where} turn, among the first {few} chains", [ms for chain, ms in times if chain < few])
                line(f"create, {where} turn, among the last {few} chains", [ms for chain, ms in times if chain >= options.chains - few])
            line(f"get, {few * options.turns} interactions", gets["few"])
            line(f"get, {options.chains * options.turns} interactions", gets["many"])


if __name__ == "__main__":
    main()
