#!/usr/bin/env python3
"""Measures uploads against a plain copy of the same bytes on the same disk.

    make bench-files
    scripts/bench_files.py --pollux build/pollux [--mb 512] [--rounds 5]

A copy is reading a file that lies in the page cache, writing it and fsync. An upload is the
same file sent over the loopback in one request, until its answer: parsed, hashed, written,
fsynced, and its row committed. Copy and upload take turns; a ratio is that of one round.
"""
import argparse
import http.client
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

MB = 1 << 20
sys.path.insert(0, str(Path(__file__).parent))
from bench import free_port, spawn  # noqa: E402


def start(options, folder):
    port = free_port()
    (folder / "script.json").write_text('{"replies": [{"match": {}, "text": "hello"}]}')
    server = spawn([options.pollux, "serve", "--script", folder / "script.json", "--port", str(port),
                    "--data-dir", folder / "data", "--files-total", str(1 << 45)],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            ask(port, "GET", "/healthz")
            return server, port
        except OSError:
            time.sleep(0.05)
    sys.exit("bench-files: Pollux does not start")


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"bench-files: {method} {path}: {answer.status} {data[:300]}")
    return answer, data


def upload(port, source, size):
    """The path of a DELETE that takes it away again."""
    answer, _ = ask(port, "POST", "/upload/v1beta/files", b"{}", {
        "X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(size)})
    url = answer.headers["X-Goog-Upload-URL"].split(f":{port}", 1)[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.putrequest("POST", url)
    for name, value in (("Content-Length", size), ("X-Goog-Upload-Offset", 0),
                        ("X-Goog-Upload-Command", "upload, finalize")):
        connection.putheader(name, str(value))
    connection.endheaders()
    with open(source, "rb") as file:
        connection.sock.sendfile(file)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"bench-files: upload: {answer.status} {data[:300]}")
    return "/v1beta/" + data.decode().split('"name": "', 1)[1].split('"', 1)[0]


def copy(source, target):
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while block := reader.read(MB):
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    target.unlink()


def timed(work):
    since = time.monotonic()
    got = work()
    return got, time.monotonic() - since


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--mb", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pollux-bench-"))
    server, port = start(options, folder)
    rows = {"copy and fsync": [], "upload": [], "eight uploads at once": []}
    try:
        source = folder / "source"
        size = options.mb * MB
        with open(source, "wb") as file:
            for _ in range(options.mb):
                file.write(os.urandom(MB))
        os.sync()
        for _ in range(options.rounds):
            os.sync()
            rows["copy and fsync"].append(options.mb / timed(lambda: copy(source, folder / "target"))[1])
            os.sync()
            name, seconds = timed(lambda: upload(port, source, size))
            rows["upload"].append(options.mb / seconds)
            ask(port, "DELETE", name)
            os.sync()
            with ThreadPoolExecutor(8) as pool:
                part = size // 8
                pieces = [folder / f"piece{i}" for i in range(8)]
                for i, piece in enumerate(pieces):
                    with open(source, "rb") as file, open(piece, "wb") as out:
                        file.seek(i * part)
                        out.write(file.read(part))
                os.sync()
                names, seconds = timed(lambda: list(pool.map(lambda p: upload(port, p, part), pieces)))
            rows["eight uploads at once"].append(options.mb / seconds)
            for name in names:
                ask(port, "DELETE", name)
        print(f"{options.mb} MB, {options.rounds} rounds; minimum / median / maximum\n\n"
              "| measure | MB/s | of a copy's |\n| --- | --- | --- |")
        for title, values in rows.items():
            ratios = [v / c for v, c in zip(values, rows["copy and fsync"])]
            print(f"| {title} | " + " / ".join(f"{f(values):.0f}" for f in (min, statistics.median, max)) +
                  f" | {statistics.median(ratios):.2f} |")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
