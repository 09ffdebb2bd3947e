#!/usr/bin/env python3
"""Measures what constrains an answer: schemas, and function calls. Prints tables.

    scripts/bench_mind.py --pollux build/pollux [--peer PATH/llama-server] [OPTION]...

schema: tokens a second of free answers and of answers with a schema, Pollux's and
llama-server's, in turn, round by round, and how many of the finished ones validate.
compile: what schemas cost before the first token (tests/schemas/check.py).
calls: how many of the public function-calling cases (COVERAGE_DATA, default
../shared/data) are called right, category by category, in AUTO mode, by Pollux alone.
lists: answers that are arrays without a limit, how many end by themselves
(tests/bench/lists.py). chains: whether the next call follows from a result
(tests/bench/chains.py). The last two run only when they are named.
What each figure means: docs/benchmarks.md.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import bench
from bench import ROOT, Peer, Pollux, Table, Trouble, say

sys.path.insert(0, str(ROOT / "tests/bench"))
import chains  # noqa: E402
import lists  # noqa: E402
from score_calls import score  # noqa: E402

DATA = Path(os.environ.get("COVERAGE_DATA", ROOT / ".." / "shared" / "data"))
TASKS = (  # a prompt, and the properties of its answer
    ("Invent a person for a telephone book.",
     {"name": "string", "street": "string", "city": "string", "postcode": "string",
      "telephone": "string", "age": "integer"}),
    ("Describe the planet Mars for a catalogue of planets.",
     {"name": "string", "diameter_in_kilometres": "number", "number_of_moons": "integer",
      "has_rings": "boolean", "surface_description": "string"}),
    ("Give me a recipe for pancakes.",
     {"recipe_name": "string", "preparation_minutes": "integer", "servings": "integer",
      "ingredients": [{"ingredient": "string", "amount": "string"}], "steps": ["string"]}),
    ("Write a record for a library about a famous novel.",
     {"title": "string", "author": "string", "publication_year": "integer",
      "original_language": "string", "summary": "string", "subjects": ["string"]}),
    ("Plan a day in Rome for a tourist.",
     {"city": "string", "date": "string",
      "activities": [{"time_of_day": "string", "place": "string", "description": "string"}]}),
    ("Report a bug in a web shop's basket.",
     {"title": "string", "severity": "string", "component": "string",
      "steps_to_reproduce": ["string"], "expected_result": "string", "actual_result": "string"}),
)


def schema_of(kind):
    if isinstance(kind, dict):
        return {"type": "object", "properties": {k: schema_of(v) for k, v in kind.items()},
                "required": list(kind), "additionalProperties": False}
    if isinstance(kind, list):
        return {"type": "array", "items": schema_of(kind[0]), "minItems": 1, "maxItems": 5}
    return {"type": kind}


def ask(server, body, path):
    """The answer, and the milliseconds of the call."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data,
                                     {"Content-Type": "application/json"})
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=300) as reply:
        answer = json.load(reply)
    return answer, (time.monotonic() - began) * 1000


def generate(server, contents, config, more=None):
    body = {"contents": contents, "generationConfig": config, **(more or {})}
    return ask(server, body, "/v1beta/models/gemini-2.5-flash:generateContent")


def user(text):
    return [{"role": "user", "parts": [{"text": text}]}]


# ---- schemas ----

def write(server, prompt, schema, n_tokens):
    """One answer: its text, its tokens, whether it ended, and the seconds of decoding."""
    if isinstance(server, Pollux):
        config = {"maxOutputTokens": n_tokens, "temperature": 0.7, "topK": 20, "topP": 0.8}
        if schema:
            config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
        answer, _ = generate(server, user(prompt), config)
        decode = server.last_turn("decode_ms") / 1000
        candidate = answer["candidates"][0]
        text = "".join(p.get("text", "") for p in candidate["content"].get("parts", []))
        return (text, answer["usageMetadata"]["candidatesTokenCount"],
                candidate["finishReason"] == "STOP", decode)
    body = {**bench.SAMPLING, "min_p": 0, "samplers": ["top_k", "top_p", "temperature"],
            "messages": [{"role": "user", "content": prompt}], "max_tokens": n_tokens}
    if schema:
        body["response_format"] = {"type": "json_schema",
                                   "json_schema": {"name": "answer", "schema": schema}}
    answer, _ = ask(server, body, "/v1/chat/completions")
    timings = answer["timings"]
    choice = answer["choices"][0]
    return (choice["message"]["content"], timings["predicted_n"],
            choice["finish_reason"] == "stop", timings["predicted_ms"] / 1000)


class LoggedPollux(Pollux):
    def last_turn(self, key):
        """A figure of the log's last line about a turn."""
        for _ in range(40):
            lines = [dict(w.split("=", 1) for w in line.split() if "=" in w)
                     for line in self.log.read_text(errors="replace").splitlines()
                     if " turn id=" in line]
            if len(lines) > getattr(self, "n_turns", 0):
                self.n_turns = len(lines)
                return float(lines[-1][key])
            time.sleep(0.01)
        raise Trouble("the log has no line about the turn")


def validates(text, schema):
    import jsonschema
    try:
        jsonschema.validate(json.loads(text), schema)
        return True
    except (ValueError, jsonschema.ValidationError):
        return False


def schemas(options, folder, table):
    servers = [LoggedPollux(options, folder)]
    if options.peer:
        servers.append(Peer(options, folder, False))
    tally = {s.title: Counter() for s in servers}
    try:
        for server in servers:
            server.start()
        time.sleep(10)  # both are done with warming up and calibrating
        for round_ in range(options.rounds):
            for server in servers:
                say(f"  schema, round {round_ + 1}: {server.title}")
                schema_round(server, options, table, tally[server.title])
    finally:
        for server in servers:
            server.stop()
    for title, counts in tally.items():
        table.note(f"{title}: of {counts['asked']} answers with a schema {counts['ended']} ended "
                   f"by themselves, {counts['valid']} of those validate")


def schema_round(server, options, table, counts):
    seconds, tokens = Counter(), Counter()
    for prompt, properties in TASKS:
        schema = schema_of(properties)
        prompt += " Answer with a JSON object that has: " + ", ".join(properties) + "."
        for kind, form in (("free", None), ("held", schema)):
            text, n, ended, took = write(server, prompt, form, options.tokens)
            tokens[kind] += n
            seconds[kind] += took
            if form:
                counts["asked"] += 1
                counts["ended"] += ended
                counts["valid"] += ended and validates(text, form)
    free, held = (tokens[k] / seconds[k] for k in ("free", "held"))
    table.add(server, "free", "free answers", "tok/s", free, True)
    table.add(server, "held", "answers with a schema", "tok/s", held, True)
    table.add(server, "held_free", "with a schema over free", "x", held / free, True)


def compile_times(options):
    """With the model's vocabulary and no server: needs build/hold (make build/hold)."""
    script = ROOT / "tests/schemas/check.py"
    done = subprocess.run([sys.executable, script, "--model", options.gguf], check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


# ---- calls ----

def calls_of(answer):
    parts = answer["candidates"][0].get("content", {}).get("parts", [])
    return [{"name": c["name"], "args": c.get("args", {})}
            for c in (p.get("functionCall") for p in parts) if c]


def request_of(case):
    contents = [{"role": "model" if m["role"] == "assistant" else "user",
                 "parts": [{"text": m["content"]}]}
                for m in case["messages"] if m["role"] != "system"]
    functions = [{"name": f["name"], "description": f["description"],
                  "parametersJsonSchema": f["parameters"]} for f in case["functions"]]
    return contents, {"tools": [{"functionDeclarations": functions}]}


def chosen(cases, n_each):
    taken = Counter()
    for case in cases:
        taken[case["category"]] += 1
        if not n_each or taken[case["category"]] <= n_each:
            yield case


def calls(options, folder):
    cases = [json.loads(line) for line in (DATA / "function-calls.jsonl").open()]
    server = Pollux(options, folder)
    right, asked, lost, seconds = Counter(), Counter(), [], []
    try:
        server.start()
        for case in chosen(cases, options.cases):
            contents, tools = request_of(case)
            answer, ms = generate(server, contents, {"temperature": 0, "maxOutputTokens": 512},
                                  tools)
            good, why = score(case, calls_of(answer))
            seconds.append(ms / 1000)
            asked[case["category"]] += 1
            right[case["category"]] += good
            if not good:
                lost.append({"id": case["id"], "why": why})
            say(f"  {case['id']}: {'right' if good else why}")
    finally:
        server.stop()
    return right, asked, lost, seconds


def calls_table(right, asked, seconds):
    called = [c for c in asked if c != "irrelevance"]
    rows = [(c, right[c], asked[c]) for c in called]
    rows.append(("all four", sum(right[c] for c in called), sum(asked[c] for c in called)))
    rows.append(("irrelevance", right["irrelevance"], asked["irrelevance"]))
    lines = ["| category | right | of | |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {n} | {of} | {100 * n / of:.0f} % |" for name, n, of in rows if of]
    spread = " / ".join(f"{f(seconds):.1f}" for f in (min, statistics.median, max))
    return "\n".join(lines) + f"\n\nSeconds a case, minimum / median / maximum: {spread}."


# ---- arrays without a limit ----

def lists_table(options, folder):
    options.slots = 8
    server = Pollux(options, folder)
    lines = ["| temperature | ended | of | with something said twice | right number | of | tokens |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    try:
        server.start()
        for temperature in (0, None):
            total, answers = lists.measure(lambda *body: generate(server, *body)[0], temperature, options.tokens)
            lines.append(f"| {'default' if temperature is None else temperature} | {total['ended']} | {total['asked']} | "
                         f"{total['twice']} | {total['right_number']} | {total['counted']} | {total['tokens']} |")
            for answer in answers:
                if not answer["ended"]:
                    say(f"  no end: {answer['prompt']}  {answer['text'][:100]}")
    finally:
        server.stop()
    return "\n".join(lines)


# ---- calls that follow from results ----

def chains_table(options, folder):
    server = Pollux(options, folder)
    right = Counter()
    try:
        server.start()
        for case in chains.CASES:
            answer, _ = generate(server, chains.contents_of(case), {"temperature": 0, "maxOutputTokens": 64},
                                 {"tools": chains.tools_of(case)})
            called = [c["name"] for c in calls_of(answer)][:1]
            right[case[3] is None] += called == ([case[3]] if case[3] else [])
            say(f"  {case[1]} after {len(case[2])}: called {called}, right {case[3]}")
    finally:
        server.stop()
    n = sum(case[3] is None for case in chains.CASES)
    return (f"Another call needed: {right[False]} of {len(chains.CASES) - n} right. "
            f"Time for words: {right[True]} of {n} right.")


# ---- the command line ----

def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--pollux", default=str(ROOT / "build/pollux"))
    add("--peer", help="llama-server; left out: Pollux alone")
    add("--model", default="qwen2.5-coder-1.5b-instruct")
    add("--only", default="compile,schema,calls")
    add("--rounds", type=int, default=3)
    add("--tokens", type=int, default=256, help="most tokens of an answer")
    add("--cases", type=int, default=0, help="so many of each category; 0: all")
    add("--threads", type=int, default=os.cpu_count())
    add("--json", metavar="FILE", help="what was not called right, and why")
    options = parser.parse_args()
    options.slots, options.ctx, options.peer_args, options.peer_endpoint = 4, 4096, "", "chat"
    return options


def main():
    options = parse()
    options.gguf = bench.find_model(options.model)
    options.pollux = str(Path(options.pollux).resolve())
    print(f"- machine: {bench.machine()}\n- date: {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}\n"
          f"- model: {Path(options.gguf).name}, {options.threads} threads\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="pollux-bench-") as name:
        if "lists" in options.only:
            print(lists_table(options, Path(name)), flush=True)
        if "chains" in options.only:
            print(chains_table(options, Path(name)), flush=True)
        if "compile" in options.only:
            print(compile_times(options), flush=True)
        if "schema" in options.only:
            table = Table()
            schemas(options, Path(name), table)
            print(table.markdown() + "\n\n" + "\n".join(f"- {n}" for n in table.notes) + "\n",
                  flush=True)
        if "calls" in options.only:
            right, asked, lost, seconds = calls(options, Path(name))
            print(calls_table(right, asked, seconds))
            if options.json:
                Path(options.json).write_text(json.dumps(lost, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (Trouble, subprocess.SubprocessError) as trouble:
        say(f"bench: {trouble}")
        sys.exit(1)
