"""HTTP as clients do it, and as they should not."""

import gzip
import json
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pollux import PATIENCE, SCRIPT, Server, request_bytes, until

PATH = "/v1beta/models/gemini-2.0-flash:generateContent"
ARRAY = "/v1beta/models/gemini-2.0-flash:streamGenerateContent"
SSE = ARRAY + "?alt=sse"


def asking(prompt):
    return {"contents": [{"parts": [{"text": prompt}]}]}


SAY = asking("Say hello")
JUNK = b'{"contents":[{"parts":[{"text":"' + b"a" * (1 << 20)


def says_hello(answer):
    assert answer.status == 200 and answer.said == "Hello there.", answer
    return True


# ---- framing of requests ----


def test_keep_alive(server):
    """proves: H014"""
    with server.wire() as wire:
        for _ in range(20):
            wire.send(request_bytes("POST", PATH, SAY))
            assert says_hello(wire.answer())
        wire.send(request_bytes("POST", SSE, SAY))
        assert says_hello(wire.answer())
        wire.send(request_bytes("GET", "/v1beta/models"))
        assert wire.answer().status == 200


def test_several_requests_in_one_packet(server):
    """proves: H014; answered in order."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", PATH, SAY) + request_bytes("GET", "/v1beta/models/none") +
                  request_bytes("POST", PATH, asking("count to five")))
        assert says_hello(wire.answer())
        assert wire.answer().status == 404
        assert wire.answer().said == "One, two, three, four, five."


def test_connection_close(server):
    """proves: H014"""
    with server.wire() as wire:
        wire.send(request_bytes("POST", PATH, SAY, {"Connection": "close"}))
        assert says_hello(wire.answer())
        assert wire.more() == b""


def test_http_1_0(server):
    """proves: H014; no chunked coding for those who cannot read it."""
    body = json.dumps(SAY).encode()
    for path in (PATH, SSE):
        with server.wire() as wire:
            wire.send(f"POST {path} HTTP/1.0\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            status, headers = wire.head()
            assert status == 200 and "transfer-encoding" not in headers
            assert b"Hello there." in wire.rest()


def test_a_request_byte_by_byte(server):
    """proves: H014"""
    with server.wire() as wire:
        for byte in request_bytes("POST", PATH, SAY):
            wire.send(bytes([byte]))
        assert says_hello(wire.answer())


def test_expect_100_continue(server):
    """proves: H012"""
    whole = request_bytes("POST", PATH, SAY, {"Expect": "100-continue"})
    head, _, body = whole.partition(b"\r\n\r\n")
    with server.wire() as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        wire.send(body)
        assert says_hello(wire.answer())


def test_a_chunked_request(server):
    """proves: H014; whatever the sizes of its chunks."""
    body = json.dumps(SAY).encode()
    for size in (1, 7, len(body)):
        with server.wire() as wire:
            wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for i in range(0, len(body), size):
                piece = body[i:i + size]
                wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            wire.send(b"0\r\n\r\n")
            assert says_hello(wire.answer())


def test_post_without_a_body(server):
    """proves: H013; with Content-Length: 0 and with none."""
    for headers in ({"Content-Length": "0"}, {"Content-Length": None}):
        with server.wire() as wire:
            wire.send(request_bytes("POST", PATH, b"", headers))
            answer = wire.answer()
            assert answer.status == 400 and "contents" in answer.error["message"]


def test_a_get_with_a_content_type(server):
    """proves: H016"""
    assert server.get("/v1beta/models", headers={"Content-Type": "application/json"}).status == 200


@pytest.mark.parametrize("line", [
    b"\r\n", b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01",
    b"GET /v1beta/models HTTP/1.1\r\nbroken header\r\n\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
], ids=lambda b: repr(b[:30]) if len(b) < 40 else repr(b[-40:]))
def test_what_is_no_http(server, line):
    """A 4xx, 5xx or a closed connection, at once or after the time-out; the server goes on."""
    with server.wire(2) as wire:
        wire.send(line)
        wire.sock.shutdown(socket.SHUT_WR)
        got = wire.rest()
        assert got == b"" or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.1 200")), got
    assert says_hello(server.post(PATH, SAY))


def test_headers_too_large(server):
    """proves: E001"""
    with server.wire() as wire:
        try:
            wire.send(request_bytes("POST", PATH, SAY, {"X-Big": "a" * 200000}))
        except ConnectionError:
            pass
        got = wire.rest()
        assert got == b"" or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 413", b"HTTP/1.1 400"))
    assert says_hello(server.post(PATH, SAY))


def test_a_long_path(server):
    """proves: H029"""
    with server.wire() as wire:
        try:
            wire.send(request_bytes("GET", "/v1beta/models/" + "x" * 100000))
        except ConnectionError:
            pass
        got = wire.rest()
        assert got == b"" or got.startswith((b"HTTP/1.1 4")), got[:200]
    assert server.get("/v1beta/models/" + "x" * 5000).status == 404


# ---- big bodies ----


def test_a_body_that_says_it_is_too_large(server):
    """proves: E001; refused before it is sent."""
    with server.wire() as wire:
        wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n"
                  "Expect: 100-continue\r\n\r\n".encode())
        answer = wire.answer()
    assert answer.status in (400, 413), answer
    assert answer.error["code"] == answer.status and "exceeds the limit" in answer.error["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_100_mb_are_not_kept(server, chunked):
    """proves: E001; sent whether or not the server wants them, they never are in its memory."""
    before, most = server.rss_mb, 0.0
    with server.wire() as wire:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n"
        try:
            if chunked:
                wire.send(head + "Transfer-Encoding: chunked\r\n\r\n")
            else:
                wire.send(head + "Content-Length: 104857600\r\n\r\n")
            for i in range(100):
                wire.send(b"%x\r\n%s\r\n" % (len(JUNK), JUNK) if chunked else JUNK[:1 << 20])
                most = max(most, server.rss_mb)
        except ConnectionError:
            pass
        try:
            answer = wire.answer()
        except (ConnectionError, IndexError, ValueError):
            answer = None  # it had closed, and what it said was lost with the connection
    assert most - before < 64 * PATIENCE, f"{before:.0f} MB before, {most:.0f} MB while it came"
    assert answer is None or answer.status in (0, 400, 413), answer
    assert says_hello(server.post(PATH, SAY))


def test_a_body_just_below_the_limit(server):
    """proves: E001; 15 MB are a request like others."""
    answer = server.post(PATH, b'{"contents":[{"parts":[{"text":"Say hello"}]}]' + b" " * 15_000_000 + b"}")
    assert says_hello(answer)


# ---- silence ----


def test_half_a_request_and_silence(scripted):
    """Closed after the time-out, answered 408 where HTTP allows; meanwhile others are served."""
    server = scripted("--idle-timeout", 1)
    halves = [b"", b"POST ", f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode(),
              request_bytes("POST", PATH, SAY)[:-5],
              f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{{".encode()]
    wires = [server.wire(8) for _ in halves]
    for wire, half in zip(wires, halves):
        wire.send(half)
    start = time.monotonic()
    assert says_hello(server.post(PATH, SAY))
    for wire in wires:
        got = wire.rest()
        assert got == b"" or got.startswith(b"HTTP/1.1 4"), got
        if got:
            assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"] in (400, 408)
        wire.close()
    assert 0.5 < time.monotonic() - start < 6 * PATIENCE
    assert says_hello(server.post(PATH, SAY))


def test_one_byte_a_second_is_silence_too(scripted):
    """A client that drips keeps no connection for ever."""
    server = scripted("--idle-timeout", 1)
    whole = request_bytes("POST", PATH, SAY)
    start = time.monotonic()
    with server.wire(8) as wire:
        with pytest.raises((ConnectionError, TimeoutError)):
            for byte in whole[:14]:
                wire.send(bytes([byte]))
                time.sleep(0.4)
                wire.sock.settimeout(0.001)
                try:
                    if not wire.sock.recv(1):
                        raise ConnectionResetError
                except TimeoutError:
                    pass
    assert time.monotonic() - start < 5.5 * PATIENCE


def test_a_stream_may_be_silent_longer_than_the_time_out(scripted):
    """The time-out is for requests, not for a model that thinks."""
    server = scripted("--idle-timeout", 1)
    with ThreadPoolExecutor(2) as pool:
        streamed, whole = pool.map(lambda ask: ask("after three seconds"), (server.stream, server.generate))
    assert streamed.said == whole.said == "At last.", (streamed, whole)


# ---- answers ----


def test_pretty_printed(server):
    """proves: H022; grep "text" and sed content..finishReason work."""
    text = server.post(PATH, SAY).text
    lines = text.splitlines()
    assert lines[0] == "{" and lines[1].startswith('  "')
    assert any(line.strip().rstrip(",") == '"text": "Hello there."' for line in lines)
    assert text.index('"content"') < text.index('"finishReason"')
    at = {key: [i for i, line in enumerate(lines) if line.strip().startswith(f'"{key}"')]
          for key in ("content", "finishReason", "text")}
    assert all(len(where) == 1 for where in at.values()), text


def test_gzip_when_asked(server):
    """proves: H015"""
    plain = server.generate("a long answer")
    assert "content-encoding" not in plain.headers
    packed = server.generate("a long answer", headers={"Accept-Encoding": "gzip, deflate"})
    assert packed.headers.get("content-encoding") == "gzip"
    assert len(packed.body) < len(plain.body) / 2
    unpacked = json.loads(gzip.decompress(packed.body))
    assert unpacked["candidates"] == plain.json["candidates"]
    assert "accept-encoding" in packed.headers.get("vary", "").lower()


@pytest.mark.parametrize("header", ["identity", "gzip;q=0", "br", "*;q=0", ""])
def test_no_gzip_when_not(server, header):
    """proves: H015"""
    answer = server.generate("a long answer", headers={"Accept-Encoding": header})
    assert "content-encoding" not in answer.headers and answer.status == 200


def test_cors_preflight(server):
    """proves: H005"""
    answer = server.call("OPTIONS", PATH, headers={
        "Origin": "http://app.test", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-goog-api-client,x-goog-api-key"})
    assert answer.status in (200, 204), answer
    assert answer.headers["access-control-allow-origin"] in ("*", "http://app.test")
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert allowed == "*" or all(h in allowed for h in ("content-type", "x-goog-api-key", "x-goog-api-client"))


def test_cors_on_answers_and_errors(server):
    """A browser shows neither without it."""
    for answer in (server.post(PATH, SAY, headers={"Origin": "http://app.test"}),
                   server.post(SSE, SAY, headers={"Origin": "http://app.test"}),
                   server.post(PATH, {}, headers={"Origin": "http://app.test"}),
                   server.get("/nothing", headers={"Origin": "http://app.test"})):
        assert answer.headers["access-control-allow-origin"] in ("*", "http://app.test"), answer.headers


def test_head(server):
    answer = server.call("HEAD", "/v1beta/models")
    assert answer.status in (200, 405) and answer.body == b""


# ---- many clients, and those that leave ----


def test_fifty_at_once_get_their_own_answers(server):
    """proves: G001 G002"""
    def one(i):
        say = f"item {i} of fifty"
        answer = server.generate(say, verb=("generateContent", "streamGenerateContent?alt=sse",
                                                        "streamGenerateContent")[i % 3])
        return answer.status == 200 and answer.said == say
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(150)))


@pytest.fixture(scope="module")
def narrow_script(tmp_path_factory):
    """One answer at a time and one that may wait: who is in can be told from outside."""
    path = tmp_path_factory.mktemp("narrow") / "script.json"
    path.write_text(json.dumps({**json.loads(SCRIPT.read_text()), "slots": 1, "queue": 1}))
    with Server("--script", path) as s:
        yield s


def endless(server, path=SSE):
    """A client whose answer is under way."""
    wire = server.wire()
    wire.send(request_bytes("POST", path, asking("for ever")))
    if path == PATH:
        time.sleep(0.1 * PATIENCE)
    else:
        assert wire.head()[0] == 200
        assert wire.more()
    return wire


@pytest.mark.parametrize("path", [PATH, SSE, ARRAY])
@pytest.mark.parametrize("how", ["close", "reset", "shutdown"])
def test_a_client_that_leaves_ends_its_turn(narrow_script, path, how):
    """proves: H028; the next one is answered within 200 ms."""
    wire = endless(narrow_script, path)
    start = time.monotonic()
    if how == "reset":
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "shutdown":
        wire.sock.shutdown(socket.SHUT_RDWR)
    wire.close()
    assert says_hello(narrow_script.post(PATH, SAY, timeout=5))
    assert time.monotonic() - start < 0.2 * PATIENCE


def test_the_queue_has_an_end(narrow_script):
    """proves: E010; one runs, one waits, the third is told when to come back."""
    server = narrow_script
    running, waiting = endless(server), server.wire()
    waiting.send(request_bytes("POST", PATH, SAY))
    time.sleep(0.1 * PATIENCE)
    for verb in ("generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"):
        answer = server.generate("Say hello", verb=verb)
        assert answer.status in (429, 503), answer
        assert answer.error["status"] in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
        retry = [d for d in answer.error["details"] if d["@type"].endswith("RetryInfo")]
        assert retry and float(retry[0]["retryDelay"].rstrip("s")) > 0
        assert int(answer.headers["retry-after"]) >= 1
    assert server.get("/v1beta/models").status == 200
    assert server.count("hello") > 0
    running.close()
    assert says_hello(waiting.answer())
    waiting.close()
    assert says_hello(server.post(PATH, SAY))


def test_a_waiting_client_that_leaves_leaves_the_queue(narrow_script):
    """proves: H028"""
    server = narrow_script
    running, waiting, next_one = endless(server), server.wire(), server.wire()
    waiting.send(request_bytes("POST", PATH, SAY))
    time.sleep(0.1 * PATIENCE)
    assert server.generate("Say hello").status in (429, 503)
    waiting.close()
    time.sleep(0.2 * PATIENCE)
    next_one.send(request_bytes("POST", PATH, SAY))
    time.sleep(0.1 * PATIENCE)
    running.close()
    assert says_hello(next_one.answer())
    next_one.close()


def test_a_slow_reader_slows_nobody(server):
    """One that does not read at all, too."""
    stuck = [server.wire() for _ in range(5)]
    for wire in stuck:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(request_bytes("POST", SSE, asking("a long answer")))
    start = time.monotonic()
    for _ in range(20):
        assert says_hello(server.post(PATH, SAY))
    assert time.monotonic() - start < 2 * PATIENCE
    for wire in stuck:
        wire.close()


def test_memory_and_descriptors_stay_flat(server):
    """After warming up, five hundred requests of all kinds leave nothing behind."""
    idle = server.n_fds

    def work(n):
        for i in range(n):
            server.generate("Say hello")
            server.stream("count to five")
            server.post(PATH, b"{")
            server.get("/v1beta/models/none")
            with server.wire() as wire:
                wire.send(request_bytes("POST", SSE, asking("for ever")))
                wire.head()
    def worked():
        work(100)
        until(lambda: server.n_fds <= idle + 2, "descriptors stay")
        return server.rss_mb

    before, after = worked(), worked()
    assert after - before < 4 * PATIENCE ** 2, (before, after)


def test_sigterm_lets_running_answers_end(scripted):
    server = scripted()
    got = []
    thread = threading.Thread(target=lambda: got.append(server.stream("slowly")))
    thread.start()
    time.sleep(0.2)
    server.process.terminate()
    thread.join(10 * PATIENCE)
    assert got and got[0].said == "alpha beta gamma delta", got
    assert server.process.wait(10 * PATIENCE) == 0
