"""50 uploads of 100 MB at once, and one of 2 GB: the server's memory stays flat."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pollux import SCRIPT, Server

MB = 1 << 20
BLOCK = os.urandom(MB)
START = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}


def upload(server, n_mb):
    answer = server.post("/upload/v1beta/files", b"{}", headers={
        **START, "X-Goog-Upload-Header-Content-Length": str(n_mb * MB)})
    url = answer.headers["x-goog-upload-url"].removeprefix(server.base)
    with server.wire(600) as wire:
        wire.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {n_mb * MB}\r\n"
                  "X-Goog-Upload-Offset: 0\r\nX-Goog-Upload-Command: upload, finalize\r\n\r\n")
        for _ in range(n_mb):
            wire.send(BLOCK)
        answer = wire.answer()
    assert answer.status == 200, answer
    return answer.json["file"]


def most_memory(server, work):
    """What it had at most while work() ran, in MB above what it had before."""
    before, most, over = server.rss_mb, [server.rss_mb], threading.Event()

    def look():
        while not over.wait(0.05):
            most[0] = max(most[0], server.rss_mb)

    watcher = threading.Thread(target=look)
    watcher.start()
    since = time.monotonic()
    try:
        done = work()
    finally:
        over.set()
        watcher.join()
    return done, most[0] - before, time.monotonic() - since


@pytest.mark.timeout(1800)
def test_memory_of_uploads(capsys):
    """proves: F009"""
    with Server("--script", SCRIPT) as server, capsys.disabled():
        upload(server, 1)
        file, more, seconds = most_memory(server, lambda: upload(server, 2048))
        print(f"\n  2 GB: {more:.1f} MB of memory, {2048 / seconds:.0f} MB/s")
        assert file["sizeBytes"] == str(2048 * MB) and more < 20
        server.call("DELETE", f"/v1beta/{file['name']}")
        with ThreadPoolExecutor(50) as pool:
            files, more, seconds = most_memory(server, lambda: list(pool.map(lambda _: upload(server, 100), range(50))))
        print(f"  50 of 100 MB at once: {more:.1f} MB of memory, {5000 / seconds:.0f} MB/s")
        assert len({f["sha256Hash"] for f in files}) == 1 and more < 40
