#!/usr/bin/env python3
"""Measures Pollux and llama-server side by side, and prints a table of ratios.

    make bench ARGS="--rounds 5"
    scripts/bench.py --pollux build/pollux --peer PATH/llama-server [OPTION]...

Both run the same GGUF with the same threads, slots and context per slot, and stay
resident; load goes to one at a time, in turn, round by round, and starts only when both
are idle. Each figure is taken once a round for each; a ratio is that of one round. The
client is tests/bench/load.c, compiled into build/. Everything is on the loopback, and
whatever was started here is ended here. What each figure means: docs/benchmarks.md.
"""
import argparse
import ctypes
import datetime
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STREAMS = (1, 2, 4, 8, 16)
MEASURES = ("decode", "ttft", "count", "wire", "mem", "start", "embed", "neighbour")
SAMPLING = {"temperature": 0.7, "top_k": 20, "top_p": 0.8}
START_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


class Trouble(Exception):
    """Something that the person at the keyboard must know; ends the benchmark."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- processes ----

def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def spawn(argv, **how):
    return subprocess.Popen(argv, start_new_session=True, preexec_fn=die_with_parent, **how)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def http(method, path, body=None):
    """A whole request, as bytes."""
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


class Server:
    """A server under test. What the two kinds of them do differently is below."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.process = None
        self.port = 0

    def start(self):
        """Returns the seconds from spawn to the first healthy answer."""
        self.port = free_port()
        self.log = self.folder / f"{self.name}-{self.port}.log"
        # No setting of the caller's shell reaches one of the two and not the other.
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("POLLUX_", "LLAMA_", "GGML_", "GOMP_", "OMP_"))}
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = spawn(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, env=env)
        probe = http("GET", self.health)
        while not self.answers(probe):
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise Trouble(f"{self.name} did not start:\n{self.tail()}")
            time.sleep(0.005)
        return time.monotonic() - began

    def answers(self, probe):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                s.sendall(probe)
                return s.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def cpu_seconds(self):
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def computes(self):
        """Whether a thread runs or wants to."""
        try:
            return any(stat.read_text().rpartition(")")[2].split()[0] == "R"
                       for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"))
        except OSError:  # a thread ended just now
            return True

    def memory(self):
        """MiB: all that is resident, and of it what is not a mapped file."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) / 1024
                for key in ("VmRSS", "RssAnon")]

    def load(self, requests, *flags, event=False, numbers=(), limit=300):
        """Runs the client: one JSON value for each line that it prints."""
        argv = [ROOT / "build/bench/load", "--limit", str(limit), *map(str, flags)]
        if event:
            argv += ["--event", self.event]
        for number in numbers:
            argv += ["--number", number]
        data = b"".join(b"%d\n%s" % (len(r), r) for r in requests)
        done = subprocess.run([*argv, str(self.port)], input=data, stdout=subprocess.PIPE,
                              timeout=limit + 30, preexec_fn=die_with_parent)
        if done.returncode != 0:
            raise Trouble(f"the client failed on {self.name}:\n{self.tail()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, prompts, n_tokens, stream, connections=None, limit=300):
        """Generates for each prompt; all at once, unless `connections` are fewer."""
        replies = self.load([self.generate(p, n_tokens, stream) for p in prompts],
                            "--connections", connections or len(prompts), event=stream,
                            numbers=self.numbers, limit=limit)
        bad = [r for r in replies if r["status"] != 200 or (stream and not r["events"])]
        if bad:
            raise Trouble(f"{self.name} failed {len(bad)} of {len(replies)} requests "
                          f"(first: {bad[0]}):\n{self.tail()}")
        for reply in replies:
            reply["tokens"] = reply[self.numbers[0]] or 0
        return replies


class Pollux(Server):
    name, title, health = "pollux", "Pollux", "/v1beta/models"
    event = '"text"'
    numbers = ("candidatesTokenCount", "promptTokenCount", "cachedContentTokenCount")
    script = None

    def command(self):
        o = self.options
        what = ["--script", self.script] if self.script else [
            "--model", o.gguf, "--threads", o.threads, "--parallel", o.slots, "--ctx", o.ctx]
        return [str(w) for w in (o.pollux, "serve", "--host", "127.0.0.1", "--port", self.port,
                                 "--data-dir", self.folder / f"data-{self.port}", *what)]

    def generate(self, prompt, n_tokens, stream):
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return http("POST", f"/v1beta/models/gemini-2.5-flash:{method}", {
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "generationConfig": {"temperature": SAMPLING["temperature"],
                                 "topK": SAMPLING["top_k"], "topP": SAMPLING["top_p"],
                                 "maxOutputTokens": n_tokens}})

    def count(self, text):
        return http("POST", "/v1beta/models/gemini-2.5-flash:countTokens",
                    {"contents": [{"parts": [{"text": text}]}]})

    def model_ms(self, replies):
        """Model time of each of the last calls, as the `turn` lines of the log say it.

        Without prefill_ms and decode_ms in them: all of the turn, so that what is left is
        only the socket's part. The second value says which."""
        time.sleep(0.05)
        lines = [dict(re.findall(r"(\w+)=(\S+)", line))
                 for line in self.log.read_text(errors="replace").splitlines()
                 if re.search(r"\bturn\b.* id=", line)][-len(replies):]
        if lines and "prefill_ms" in lines[-1] and "decode_ms" in lines[-1]:
            return [float(l["prefill_ms"]) + float(l["decode_ms"]) for l in lines], True
        return [float(l["ms"]) for l in lines], False


class Peer(Server):
    name, title, health = "peer", "llama-server", "/health"
    event = '"content":"'
    numbers = ("predicted_n", "prompt_n", "cache_n", "prompt_ms", "predicted_ms")

    def __init__(self, options, folder, unified):
        super().__init__(options, folder)
        self.unified = unified

    def command(self):
        o = self.options
        return [str(w) for w in (
            o.peer, "--host", "127.0.0.1", "--port", self.port, "--model", o.gguf,
            "--threads", o.threads, "--threads-batch", o.threads, "--parallel", o.slots,
            "--ctx-size", o.slots * o.ctx, "--kv-unified" if self.unified else "--no-kv-unified",
            "--cache-ram", 0, "--no-webui", *shlex.split(o.peer_args))]

    def generate(self, prompt, n_tokens, stream):
        body = {**SAMPLING, "min_p": 0, "samplers": ["top_k", "top_p", "temperature"],
                "ignore_eos": True, "stream": stream}
        if self.options.peer_endpoint == "completion":
            prompt = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>"
                      f"user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")
            return http("POST", "/completion", {**body, "prompt": prompt, "n_predict": n_tokens})
        return http("POST", "/v1/chat/completions", {
            **body, "messages": [{"role": "user", "content": prompt}], "max_tokens": n_tokens})

    def count(self, text):
        return http("POST", "/tokenize", {"content": text})

    def model_ms(self, replies):
        return [r["prompt_ms"] + r["predicted_ms"] for r in replies], True


class Nothing(Pollux):
    """Says the same at once, whatever it is asked: what client and sockets alone allow."""

    name, title = "nothing", "a server that does nothing"

    numbers = ("totalTokens",)

    def __init__(self, options, folder, *words):
        super().__init__(options, folder)
        self.words = words

    def command(self):
        return [str(ROOT / "build/bench/nothing"), *self.words, str(self.port)]

    def model_ms(self, replies):
        """With --compute its answers say so."""
        return [r["totalTokens"] / 1000 for r in replies], True


class PolluxEmbedder(Pollux):
    """Vectors beside a script that is not asked: only the embedding model computes."""

    def command(self):
        o = self.options
        script = self.folder / "embed.json"
        script.write_text('{"default": {"echo": true}}')
        return [str(w) for w in (
            o.pollux, "serve", "--host", "127.0.0.1", "--port", self.port, "--script", script,
            "--embedding-model", o.embed_gguf, "--threads", o.threads, "--data-dir",
            self.folder / "data", "--log-level", "warn")]

    def embed(self, texts):
        return http("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents?prettyPrint=false",
                    {"requests": [{"content": {"parts": [{"text": t}]}} for t in texts]})


class PeerEmbedder(Peer):
    def command(self):
        o = self.options
        return [str(w) for w in (
            o.peer, "--host", "127.0.0.1", "--port", self.port, "--model", o.embed_gguf,
            "--embedding", "--threads", o.threads, "--threads-batch", o.threads, "--parallel",
            o.slots, "--ctx-size", o.slots * 512, "--batch-size", 2048, "--ubatch-size", 2048,
            "--no-webui")]

    def embed(self, texts):
        return http("POST", "/v1/embeddings", {"input": texts})


# ---- texts ----

TOPICS = ("lighthouses", "the history of bread", "how bridges are built", "bees and flowers",
          "the spice trade", "glaciers", "railways", "the printing press", "volcanoes",
          "chess", "sailing ships", "the water cycle", "clocks", "paper", "coral reefs",
          "mountains", "deserts", "telescopes", "whales", "gardens")
WORDS = ("river stone garden window market winter letter bridge candle harbour forest engine "
         "morning paper signal copper island teacher journey meadow kitchen village thunder "
         "silver library blanket orchard captain mirror compass").split()


class Texts:
    """Prompts; the same ones for both servers in one round, and never the same again."""

    def __init__(self):
        self.random = random.Random(7)
        self.serial = 0

    def essay(self):
        self.serial += 1
        topic = TOPICS[self.serial % len(TOPICS)]
        return (f"Note {self.serial}. Write a long and detailed essay of at least two thousand "
                f"words about {topic}, with an introduction, many chapters and examples.")

    def words(self, n):
        self.serial += 1
        text = " ".join(self.random.choice(WORDS) for _ in range(n))
        return f"Note {self.serial}. {text}. What is this about?"


# ---- results ----

class Row:
    def __init__(self, key, title, unit, more_is_better):
        self.key, self.title, self.unit, self.more = key, title, unit, more_is_better
        self.values = {"pollux": [], "peer": []}

    def ratios(self):
        """How many times better Pollux is, round by round: above 1 whatever the unit."""
        pairs = zip(self.values["pollux"], self.values["peer"])
        return [(a / b if self.more else b / a) for a, b in pairs if a > 0 and b > 0]


class Table:
    def __init__(self):
        self.rows, self.notes = {}, []

    def add(self, server, key, title, unit, value, more_is_better=False):
        row = self.rows.setdefault(key, Row(key, title, unit, more_is_better))
        row.values[server.name].append(value)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    @staticmethod
    def spread(values, form):
        if not values:
            return "–"
        return " / ".join(form(f(values)) for f in (min, statistics.median, max))

    def markdown(self):
        lines = ["| measure | Pollux | llama-server | times better |", "| --- | --- | --- | --- |"]
        for row in self.rows.values():
            lines.append(f"| {row.title}, {row.unit} | {self.spread(row.values['pollux'], figure)}"
                         f" | {self.spread(row.values['peer'], figure)}"
                         f" | {self.spread(row.ratios(), '{:.2f}'.format)} |")
        return "\n".join(lines)

    def verdict(self):
        behind = [f"{r.title} ({statistics.median(r.ratios()):.2f})" for r in self.rows.values()
                  if r.ratios() and statistics.median(r.ratios()) < 1]
        return "Below 1.0 in the median: " + ("; ".join(behind) if behind else "nothing") + "."


def figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.3f}"


# ---- the bench ----

class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.table, self.texts = Table(), Texts()
        self.children, self.resident = [], []
        self.stray = 0.0  # most CPU of the idle server while the other was measured, in cores
        self.extra = None

    def open(self, server):
        self.children.append(server)
        return server.start(), server

    def close(self):
        for server in self.children:
            server.stop()

    def settle(self):
        """Waits until no server computes: one may still be warming up or calibrating.

        Idle is 0.3 s in which no thread is seen running or waiting for a core (on a busy
        machine little CPU used says little)."""
        began = time.monotonic()
        calm, before = 0, self.cpu_of_all()
        while calm < 6:
            if time.monotonic() - began > 60:
                self.table.note("a server was not idle after 60 s; figures are disturbed")
                return
            time.sleep(0.05)
            now = self.cpu_of_all()
            quiet = now - before <= 1.5 / TICKS and not any(s.computes() for s in self.resident)
            calm = calm + 1 if quiet else 0
            before = now

    def cpu_of_all(self):
        return sum(s.cpu_seconds() for s in self.resident)

    def turns(self, prepare, measure, rounds=None):
        """prepare() makes what both get in a round, measure(server, that) uses it."""
        for round_ in range(rounds or self.options.rounds):
            common = prepare()
            for server in self.resident:
                self.settle()
                say(f"    round {round_ + 1}: {server.title}")
                others = [s for s in self.resident if s is not server]
                before, began = sum(s.cpu_seconds() for s in others), time.monotonic()
                measure(server, common)
                used = sum(s.cpu_seconds() for s in others) - before
                took = time.monotonic() - began
                if took > 0.2:
                    self.stray = max(self.stray, used / took)

    # decode

    def rate(self, server, waves, n_tokens, limit=300):
        """Tokens a second: end to end, and while all streams speak."""
        tokens = seconds = steady_tokens = steady_seconds = 0
        for prompts in waves:
            replies = server.ask(prompts, n_tokens, True, limit=limit)
            tokens += sum(r["tokens"] for r in replies)
            seconds += (max(r["end"] for r in replies) - min(r["sent"] for r in replies)) / 1e6
            since = max(r["events"][0] for r in replies)
            until = min(r["events"][-1] for r in replies)
            for r in replies:
                n = sum(since < at <= until for at in r["events"])
                steady_tokens += n * r["tokens"] / len(r["events"])
            steady_seconds += max(0, until - since) / 1e6
            short = [r["tokens"] for r in replies if r["tokens"] < n_tokens]
            if short:
                self.table.note(f"{server.title}: {len(short)} of {len(replies)} streams ended "
                                f"before {n_tokens} tokens (fewest: {min(short):.0f})")
        return tokens / seconds, steady_tokens / steady_seconds if steady_seconds else 0

    def decode(self, key="decode", words="decode", n_tokens=None, rounds=None):
        n_tokens = n_tokens or (16 if self.options.quick else 64)
        rows = {}
        for n in self.options.streams:
            say(f"  {words}, {n} at once")
            waves = 1 if self.options.quick else max(1, 4 // n)

            def measure(server, common, n=n):
                whole, steady = self.rate(server, common, n_tokens)
                s = "" if n == 1 else "s"
                self.table.add(server, f"{key}_{n}", f"{words}, {n} stream{s}", "tok/s", steady,
                               True)
                rows.setdefault(server, []).append((n, s, whole))
            self.turns(lambda n=n, waves=waves: [[self.texts.essay() for _ in range(n)]
                                                 for _ in range(waves)], measure, rounds)
        for server, values in rows.items():  # below the others
            for n, s, whole in values:
                self.table.add(server, f"{key}_whole_{n}",
                               f"{words}, {n} stream{s}, end to end", "tok/s", whole, True)

    def embed(self):
        """Texts a second: one at a time, a hundred in a request, sixteen clients at once."""
        chat, self.resident = self.resident, []
        for kind, more in ((PolluxEmbedder, ()), (PeerEmbedder, (False,))):
            server = kind(self.options, self.folder, *more)
            self.open(server)
            self.resident.append(server)
        try:
            for key, title, n_requests, n_texts, n_clients in (
                    ("embed_1", "embeddings, one text a request", 50, 1, 1),
                    ("embed_100", "embeddings, 100 texts a request", 2, 100, 1),
                    ("embed_16", "embeddings, 16 clients of one text", 64, 1, 16)):
                say(f"  {title}")

                def measure(server, common, key=key, title=title, n=n_clients):
                    replies = server.load([server.embed(texts) for texts in common],
                                          "--connections", n)
                    if bad := [r for r in replies if r["status"] != 200]:
                        raise Trouble(f"{server.title} failed {len(bad)} requests:\n{server.tail()}")
                    seconds = (max(r["end"] for r in replies) - min(r["sent"] for r in replies)) / 1e6
                    self.table.add(server, key, title, "texts/s",
                                   sum(len(texts) for texts in common) / seconds, True)
                self.turns(lambda r=n_requests, t=n_texts: [
                    [self.texts.words(12) for _ in range(t)] for _ in range(r)], measure)
        finally:
            for server in self.resident:
                server.stop()
            self.resident = chat

    def neighbour(self):
        busy = spawn(["sh", "-c", "while :; do :; done"], stdin=subprocess.DEVNULL)
        try:
            self.decode("neighbour", "decode beside a busy process", 16,
                        min(3, self.options.rounds))
        finally:
            os.killpg(busy.pid, signal.SIGKILL)
            busy.wait()

    # time to first token

    def words_of(self, n_tokens):
        """How many random words make so many tokens of prompt."""
        server = self.resident[0]
        sizes = [server.ask([self.texts.words(n)], 1, False)[0]["promptTokenCount"]
                 for n in (20, 120)]
        each = (sizes[1] - sizes[0]) / 100
        return max(10, round((n_tokens - sizes[0]) / each) + 20)

    def ttft(self):
        each = 1 if self.options.quick else 3
        long = min(2000, self.options.ctx - 128)
        n_cold, n_long = self.words_of(500), self.words_of(long)
        seen = {}

        def first_ms(replies, key, server):
            seen.setdefault((key, server.name), []).extend(replies)
            return statistics.median((r["events"][0] - r["sent"]) / 1000 for r in replies)

        def cold(server, prompts):
            replies = server.ask(prompts, 4, True, connections=1)
            self.table.add(server, "ttft_cold", "first token, cold prompt of 500 tokens", "ms",
                           first_ms(replies, "cold", server))

        def cached(server, tails):
            server.ask([prefix + tails[0]], 4, False)
            replies = server.ask([prefix + t for t in tails[1:]], 4, True, connections=1)
            self.table.add(server, "ttft_cached", f"first token, {long} tokens of prefix cached",
                           "ms", first_ms(replies, "cached", server))

        prefix = self.texts.words(n_long)
        say("  first token, cold")
        self.turns(lambda: [self.texts.words(n_cold) for _ in range(each)], cold)
        say("  first token, cached prefix")
        self.turns(lambda: [f" Now tell me about {self.random_word()} number {i}."
                            for i in range(each + 3)], cached)
        for (key, name), replies in sorted(seen.items()):
            mine = name == "pollux"
            size = [r["promptTokenCount"] if mine else (r["prompt_n"] or 0) + (r["cache_n"] or 0)
                    for r in replies]
            hits = [(r["cachedContentTokenCount"] if mine else r["cache_n"]) or 0 for r in replies]
            self.table.note(f"first token, {key}, {name}: prompts of {min(size):.0f} to "
                            f"{max(size):.0f} tokens, {min(hits):.0f} to {max(hits):.0f} cached")

    def random_word(self):
        self.texts.serial += 1
        return f"{self.texts.random.choice(WORDS)} {self.texts.serial}"

    # countTokens

    def count(self):
        seconds = 0.4 if self.options.quick else 2
        text = ("Hi! Could you please tell me in a few short sentences what makes the sky look "
                "blue at noon and red in the evening? Thank you very much!")
        for n, how in ((1, "client sleeps"), (1, "client never sleeps"), (8, "client never idle")):
            title = f"countTokens, {n} connection{'s' * (n > 1)}, {how}"
            say(f"  {title}")

            def measure(server, request, n=n, how=how, title=title):
                flags = ["--look"] * (how == "client never sleeps") + ["--connections", n, "--seconds"]
                server.load([server.count(request)], *flags, seconds / 10)
                done = server.load([server.count(request)], *flags, seconds)[0]
                if done["failed"]:
                    self.table.note(f"{server.title}: {done['failed']} countTokens failed")
                self.table.add(server, f"count_{n}_{how}", title, "req/s", done["n"] / done["seconds"], True)
            self.turns(lambda: text, measure)
        self.count_nothing(text, seconds)

    def count_nothing(self, text, seconds):
        """How much of a call on one connection is the client's and the system's."""
        for looks, how in ((False, "sleeps"), (True, "never sleeps")):
            server = self.open(Nothing(self.options, self.folder, *["--look"] * looks))[1]
            rates = []
            for _ in range(self.options.rounds):
                if not looks:  # one that looks is never idle
                    self.settle()
                done = server.load([server.count(text)], "--seconds", seconds)[0]
                rates.append(done["n"] / done["seconds"])
            server.stop()
            self.table.note(f"countTokens' call on one connection, of a server that answers without reading "
                            f"it and {how} in between: {Table.spread(rates, figure)} req/s")

    # wire

    def wire(self):
        n = 5 if self.options.quick else 40
        say("  wire overhead")

        def measure(server, prompt):
            server.ask([prompt] * 3, 1, False, connections=1)
            replies = server.ask([prompt] * n, 1, False, connections=1)
            whole = [(r["end"] - r["sent"]) / 1000 for r in replies]
            model, exact = server.model_ms(replies)
            self.table.add(server, "one", "one token, prompt cached, end to end", "ms",
                           statistics.median(whole))
            rest = statistics.median(w - m for w, m in zip(whole, model))
            if exact:
                self.table.add(server, "wire", "the same less the model's time", "ms", rest)
            else:
                self.table.add(server, "socket", "the same less the turn's time (socket only)",
                               "ms", rest)

        self.turns(lambda: f"Say hello {self.random_word()}.", measure)
        self.wire_of_nothing(n)
        self.scripted(n)

    def wire_of_nothing(self, n):
        """How much of that is the client's and the system's, when who answers has slept while two threads computed."""
        server = self.open(Nothing(self.options, self.folder, "--compute", "20"))[1]
        rests = []
        for _ in range(self.options.rounds):
            self.settle()
            replies = server.ask(["Say hello."] * n, 1, False, connections=1)
            model, _ = server.model_ms(replies)
            rests.append(statistics.median((r["end"] - r["sent"]) / 1000 - m for r, m in zip(replies, model)))
        server.stop()
        self.table.note("one token less the model's time, of a server that reads nothing and has two threads read "
                        f"memory for 20 ms: {Table.spread(rests, figure)} ms")

    def scripted(self, n):
        """No model at all: a whole call against the scripted engine."""
        script = self.folder / "script.json"
        script.write_text('{"slots": 16, "default": {"text": "Hello"}}')
        server = Pollux(self.options, self.folder)
        server.script = script
        self.open(server)
        for _ in range(self.options.rounds):
            self.settle()
            replies = server.ask(["Say hello."] * (20 + 5 * n), 1, False, connections=1)[20:]
            self.table.add(server, "scripted", "a call of the scripted engine, end to end", "ms",
                           statistics.median((r["end"] - r["sent"]) / 1000 for r in replies))
        server.stop()

    # memory and start

    def note_memory(self, server, key, when):
        resident, own = server.memory()
        self.table.add(server, f"rss_{key}", f"resident memory {when}", "MiB", resident)
        self.table.add(server, f"anon_{key}", f"of it not the mapped model, {when}", "MiB", own)

    def mem(self):
        if "decode" not in self.options.only:
            n = max(self.options.streams)
            for server in self.resident:
                self.settle()
                self.rate(server, [[self.texts.essay() for _ in range(n)]], 8)
        self.settle()
        for server in self.resident:
            self.note_memory(server, "after", "after the load")

    def start(self):
        say("  start-up")
        for round_ in range(-1, self.options.rounds):  # the first warms the page cache
            for make in (lambda: Pollux(self.options, self.folder),
                         lambda: Peer(self.options, self.folder, self.resident[1].unified)):
                self.settle()
                began = time.monotonic()
                healthy, server = self.open(make())
                server.ask(["Say hello."], 1, False)
                answered = time.monotonic() - began
                if round_ >= 0:
                    self.table.add(server, "start", "start to first healthy answer", "s", healthy)
                    self.table.add(server, "start_answer", "start to first generated token", "s",
                                   answered)
                server.stop()

    # all of it

    def choose_peer(self):
        """llama-server with its KV buffer as it serves faster here."""
        wanted = self.options.peer_kv
        if wanted != "auto":
            return self.open(Peer(self.options, self.folder, wanted == "unified"))[1]
        say("  which KV buffer suits llama-server: unified or split")
        both = [self.open(Peer(self.options, self.folder, u))[1] for u in (False, True)]
        rates = {p: [] for p in both}
        self.resident = both
        for n in (4, 8, 16)[:1 if self.options.quick else 3]:
            for p in both:
                self.settle()
                rates[p].append(self.rate(p, [[self.texts.essay() for _ in range(n)]], 32)[0])
        means = {p: statistics.geometric_mean(r) for p, r in rates.items()}
        best = max(both, key=means.get)
        for p in both:
            if p is not best:
                p.stop()
        # A fresh one: its memory shall be measured after the load, not after this.
        best.stop()
        self.table.note("llama-server's KV buffer: split {:.1f}, unified {:.1f} tok/s in a trial "
                        "at 4 to 16 streams; the faster was taken".format(*map(means.get, both)))
        return self.open(Peer(self.options, self.folder, best.unified))[1]

    def run(self):
        only = self.options.only
        say("starting both servers")
        peer = self.choose_peer()
        pollux = self.open(Pollux(self.options, self.folder))[1]
        self.resident = [pollux, peer]
        self.settle()
        if "mem" in only:
            for server in self.resident:
                self.note_memory(server, "load", "after loading")
        for server in self.resident:
            server.ask([self.texts.essay()], 8, True)
        for name in ("decode", "ttft", "count", "wire", "neighbour", "embed", "mem", "start"):
            if name in only:
                say(name)
                getattr(self, name)()
        self.table.note(f"while one server was measured, the other used at most "
                        f"{self.stray:.3f} of a core")


# ---- the report ----

def machine():
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", text)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    return (f"{model[1] if model else os.uname().machine}, {os.cpu_count()} cores, "
            f"{memory / 1048576:.0f} GiB, Linux {os.uname().release}")


def first_line(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=30)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


def versions(options):
    pinned = re.search(r"^version=(\S+)", (ROOT / "scripts/engine.sh").read_text(), re.M)
    commit = first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"])
    return {"pollux": f"{first_line([options.pollux, 'version'])} ({commit})",
            "llama-server": f"{first_line([options.peer, '--version'])} of llama-cpp-python "
                            f"{pinned[1] if pinned else '?'}"}


def shown(argv):
    """A command without this machine's paths and the port."""
    words = [Path(w).name if w.startswith("/") else w for w in argv]
    drop = {i + d for i, w in enumerate(words) if w in ("--port", "--data-dir") for d in (0, 1)}
    return " ".join(w for i, w in enumerate(words) if i not in drop)


def facts(options, bench, load):
    return {
        "command": "make bench" + (f' ARGS="{shown(options.words)}"' if options.words else ""),
        "machine": machine(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load": "1-minute load average {:.2f} at the start".format(load),
        "versions": versions(options),
        "servers": {s.title: shown(s.command()) for s in bench.resident},
        "rounds": options.rounds,
    }


def report(fact, table):
    lines = [f"- command: `{fact['command']}` ({fact['rounds']} rounds)",
             f"- machine: {fact['machine']}; {fact['load']}", f"- date: {fact['date']}",
             *(f"- {title}: `{line}`" for title, line in fact["servers"].items()),
             *(f"- version: {v}" for v in fact["versions"].values()), "",
             "Minimum / median / maximum over the rounds. Times better: Pollux over llama-server "
             "where more is better,", "llama-server over Pollux where less is; above 1 Pollux "
             "is ahead.", "", table.markdown(), "", table.verdict(), "",
             *(f"- {note}" for note in table.notes)]
    return "\n".join(lines)


def as_json(fact, table):
    return {**fact, "notes": table.notes, "rows": [
        {"key": r.key, "title": r.title, "unit": r.unit, "more_is_better": r.more,
         **r.values, "times_better": r.ratios()} for r in table.rows.values()]}


# ---- the command line ----

def find_model(name):
    if os.path.isfile(name):
        return str(Path(name).resolve())
    catalogue = json.loads((ROOT / "models/catalogue.json").read_text())
    entry = next((m for m in catalogue["models"] if name in (m["name"], *m["aliases"])), None)
    if not entry:
        raise Trouble(f"{name}: no such file, and not in models/catalogue.json")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "pollux/models" / entry["file"]
    if not path.is_file():
        raise Trouble(f"{name} is not on this machine: build/pollux pull {entry['name']}")
    return str(path)


def build_client():
    for name in ("load", "nothing"):
        source, binary = ROOT / f"tests/bench/{name}.c", ROOT / f"build/bench/{name}"
        if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
            continue
        binary.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([os.environ.get("CC", "gcc"), "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall",
                        "-Wextra", "-Werror", source, "-o", binary], check=True)


def names(text):
    wanted = text.split(",")
    if unknown := set(wanted) - set(MEASURES):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(MEASURES)}")
    return wanted


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--pollux", default=str(ROOT / "build/pollux"), metavar="FILE", help="build/pollux")
    add("--peer", metavar="FILE", help="llama-server; else scripts/engine.sh --peer builds it")
    add("--model", default="qwen2.5-coder-0.5b-instruct", metavar="NAME|FILE")
    add("--embedder", default="all-minilm-l6-v2", metavar="NAME|FILE", help="of the measure embed")
    add("--only", type=names, metavar="LIST", default=[m for m in MEASURES if m != "neighbour"],
        help=f"some of {','.join(MEASURES)}; all but the last when left out")
    add("--neighbour", action="store_true", help="decode once more beside a busy process")
    add("--rounds", type=int, default=5, metavar="N")
    add("--quick", action="store_true", help="one short round at 1 and 4 streams: does it work?")
    add("--threads", type=int, default=os.cpu_count(), metavar="N", help="default: the cores")
    add("--slots", type=int, default=16, metavar="N")
    add("--ctx", type=int, default=2048, metavar="TOKENS", help="of one slot")
    add("--peer-kv", choices=("auto", "split", "unified"), default="auto",
        help="llama-server's KV buffer; auto: what is faster in a short trial")
    add("--peer-endpoint", choices=("chat", "completion"), default="chat")
    add("--peer-args", default="", metavar="WORDS", help="more options for llama-server")
    add("--json", metavar="FILE", help="also write all figures there")
    options = parser.parse_args()
    # What make adds for itself is not part of the command that a reader repeats.
    words = sys.argv[1:]
    for name in ("--pollux", "--peer"):
        if name in words:
            del words[words.index(name):words.index(name) + 2]
    options.words = words
    options.streams = STREAMS
    if options.quick:
        options.rounds, options.streams = 1, (1, 4)
    if options.neighbour and "neighbour" not in options.only:
        options.only.append("neighbour")
    return options


def end(*_):
    raise KeyboardInterrupt


def main():
    options = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    folder = Path(tempfile.mkdtemp(prefix="pollux-bench-"))
    bench = Bench(options, folder)
    try:
        options.gguf = find_model(options.model)
        options.embed_gguf = find_model(options.embedder) if "embed" in options.only else None
        options.pollux = str(Path(options.pollux).resolve())
        options.peer = options.peer or subprocess.run(
            [ROOT / "scripts/engine.sh", "--peer"], stdout=subprocess.PIPE, text=True,
            check=True).stdout.strip()
        build_client()
        load = os.getloadavg()[0]
        if load > 0.5:
            bench.table.note(f"the machine was not quiet at the start (load {load:.1f}): "
                             "these figures are not for the record")
        bench.run()
        fact = facts(options, bench, load)
        print(report(fact, bench.table))
        if options.json:
            Path(options.json).write_text(json.dumps(as_json(fact, bench.table), indent=1) + "\n")
    except Trouble as trouble:
        say(f"bench: {trouble}")
        return 1
    except KeyboardInterrupt:
        say("bench: interrupted")
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # ending what was started is short
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
