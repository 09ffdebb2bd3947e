"""Many streaming clients at once on loopback, for a while: none lost, none garbled, and the server
as it was before.

    python tests/soak/streams.py [--pollux FILE] [--model] [--clients 200] [--seconds 60] [--base URL]

Each client asks again as soon as its stream has ended, half of them on the same connection, and
each tenth leaves in the middle. What comes is known beforehand: from a script made here, or, with
--model, from asking the model alone at temperature 0. With --base a server that runs already is
used, and its memory is not looked at.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

LANES = 40  # different texts; one client's words in another's stream are noticed
WORDS = ["Grüße", "世界", "🚀", "tide", "\"quoted\"", "back\\slash", "line\nbreak", "naïve", "data:", "}\r\n"]


def lane_chunks(lane):
    return [f"{lane}.{i} {WORDS[(lane + i) % len(WORDS)]} " for i in range(20)]


def script():
    replies = [{"match": {"prompt": f"lane {lane};"}, "chunkDelayMs": 60, "chunks": lane_chunks(lane)}
               for lane in range(LANES)]
    return {"slots": 400, "queue": 1000, "replies": replies}


@dataclass
class Tally:
    ended: int = 0
    left: int = 0
    lost: list = field(default_factory=list)
    garbled: list = field(default_factory=list)
    events: int = 0
    n_bytes: int = 0
    first_ms: list = field(default_factory=list)
    whole_ms: list = field(default_factory=list)


def request(prompt, config):
    body = json.dumps({"contents": [{"parts": [{"text": prompt}]}], "generationConfig": config}).encode()
    return (b"POST /v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse HTTP/1.1\r\n"
            b"Host: soak\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


async def events(reader, tally):
    """The events of one answer, as bytes; raises when it is not whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head.split(b"\r\n")[0].decode())
    held = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        held += (await reader.readexactly(size + 2))[:-2]
        tally.n_bytes += size
        while b"\r\n\r\n" in held:
            event, _, held = held.partition(b"\r\n\r\n")
            tally.events += 1
            yield event
        if size == 0:
            if held:
                raise ValueError(f"after the last event: {held[:80]!r}")
            return


async def one_stream(reader, writer, prompt, config, wanted, leave, tally):
    start = time.monotonic()
    writer.write(request(prompt, config))
    text, finish, first = "", None, None
    n = 0
    async for event in events(reader, tally):
        first = first or time.monotonic()
        if not event.startswith(b"data: {"):
            raise ValueError(f"no event: {event[:80]!r}")
        candidate = json.loads(event[6:])["candidates"][0]
        text += "".join(p.get("text", "") for p in candidate.get("content", {}).get("parts", []))
        if finish:
            raise ValueError("more after the end")
        finish = candidate.get("finishReason")
        n += 1
        if leave and n == 3:
            tally.left += 1
            return False
    if text != wanted or not finish:
        raise ValueError(f"{text[:200]!r} instead of {wanted[:200]!r}, finish {finish}")
    tally.ended += 1
    tally.first_ms.append((first - start) * 1000)
    tally.whole_ms.append((time.monotonic() - start) * 1000)
    return True


async def client(i, address, asks, config, until, patience, tally):
    reader = writer = None
    n = 0
    while time.monotonic() < until:
        prompt, wanted = asks[(i + n) % len(asks)]
        n += 1
        try:
            if writer is None:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(*address, limit=1 << 20), 30)
            keep = await asyncio.wait_for(
                one_stream(reader, writer, prompt, config, wanted, (i + n) % 10 == 0, tally), patience)
            keep = keep and i % 2 == 0
        except ValueError as e:
            tally.garbled.append(f"client {i}, stream {n}: {e}")
            keep = False
        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError) as e:
            tally.lost.append(f"client {i}, stream {n}: {e!r}")
            keep = False
            await asyncio.sleep(0.2)
        if not keep and writer:
            writer.close()
            reader = writer = None
    if writer:
        writer.close()


async def wave(n, address, asks, config, seconds, patience):
    tally = Tally()
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(i, address, asks, config, until, patience, tally) for i in range(n)))
    return tally


def per(values, percent):
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else sum(values)


def soak(base, asks, config, clients=200, seconds=60, patience=60, server=None, say=print):
    """Runs it and prints a table. Returns what was wrong, in lines; none when all is well."""
    address = urlsplit(base).hostname, urlsplit(base).port
    for _ in range(2):  # until buffers and arenas have the size that so many clients need
        asyncio.run(wave(clients, address, asks, config, min(1, seconds), patience))
    time.sleep(1)
    before = (server.rss_mb, server.n_fds) if server else (0, 0)
    start = time.monotonic()
    tally = asyncio.run(wave(clients, address, asks, config, seconds, patience))
    took = time.monotonic() - start
    deadline = time.monotonic() + 10
    while server and server.n_fds > before[1] and time.monotonic() < deadline:
        time.sleep(0.1)
    after = (server.rss_mb, server.n_fds) if server else (0, 0)
    rows = [("clients", clients), ("seconds", f"{took:.1f}"), ("streams that ended", tally.ended),
            ("clients that left midway", tally.left), ("lost", len(tally.lost)),
            ("garbled", len(tally.garbled)), ("events", tally.events),
            ("MB", f"{tally.n_bytes / 1e6:.1f}"),
            ("first event, ms: half, 99 %", f"{per(tally.first_ms, 50):.1f}  {per(tally.first_ms, 99):.1f}"),
            ("whole stream, ms: half, 99 %", f"{per(tally.whole_ms, 50):.0f}  {per(tally.whole_ms, 99):.0f}")]
    if server:
        rows += [("resident MB: before, after", f"{before[0]:.1f}  {after[0]:.1f}"),
                 ("descriptors: before, after", f"{before[1]}  {after[1]}")]
    for name, value in rows:
        say(f"{name:<32}{value}")
    wrong = (tally.lost + tally.garbled)[:20]
    if tally.ended + tally.left < clients:
        wrong.append(f"only {tally.ended} streams ended")
    if after[0] > before[0] + max(20, before[0] / 10):
        wrong.append("memory grew")
    if after[1] > before[1]:
        wrong.append("descriptors were left open")
    return wrong


def scripted_asks():
    return [(f"lane {lane};", "".join(lane_chunks(lane))) for lane in range(LANES)]


GREEDY = {"temperature": 0, "maxOutputTokens": 4}


def model_asks(server):
    prompts = ["Say yes.", "Name a river.", "Count to ten.", "What is 2 + 2?", "Name a colour."]
    return [(p, server.generate(p, GREEDY).said) for p in prompts]


def scripted_server(pollux):
    path = Path(tempfile.mkdtemp(prefix="pollux-soak-")) / "script.json"
    path.write_text(json.dumps(script()))
    return pollux.Server("--script", path, "--log-level", "warn")


def model_server(pollux):
    """With a small context: its memory is all in use soon, so that what grows is a leak."""
    return pollux.Server("--model", pollux.SMALL_MODEL, "--parallel", 8, "--ctx", 512,
                         "--log-level", "warn", start_s=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pollux")
    parser.add_argument("--base")
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    if options.pollux:
        os.environ["POLLUX"] = options.pollux
    import pollux
    more = {"clients": min(options.clients, 1000), "seconds": min(options.seconds, 3600)}
    if options.base:
        if urlsplit(options.base).hostname not in ("127.0.0.1", "localhost", "::1"):
            parser.error("--base: only a server on this machine")
        wrong = soak(options.base, scripted_asks(), {}, **more)
    elif options.model:
        with model_server(pollux) as server:
            wrong = soak(server.base, model_asks(server), GREEDY, patience=300, server=server, **more)
    else:
        with scripted_server(pollux) as server:
            wrong = soak(server.base, scripted_asks(), {}, server=server, **more)
    print("\n".join(wrong) or "all well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
