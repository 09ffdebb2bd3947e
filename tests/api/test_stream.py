"""Streams, byte for byte."""

import json
import re
import time
import zlib

import pytest

from pollux import PATIENCE, request_bytes, text_of, until

ASK = {"contents": [{"parts": [{"text": "count to five"}]}]}
SSE = "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse"
ARRAY = "/v1beta/models/gemini-2.0-flash:streamGenerateContent"
COUNT = "One, two, three, four, five."


def asking(prompt):
    return {"contents": [{"parts": [{"text": prompt}]}]}


@pytest.mark.parametrize("path", [SSE, SSE + "&key=K", ARRAY + "?key=K&alt=sse"])
def test_sse_bytes(server, path):
    """proves: S001 S002 S003 S007 S008 S009 H008; one `data: {json}` CRLF CRLF for each chunk and
    nothing else."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", path, ASK))
        status, headers = wire.head()
        body = b"".join(wire.pieces(headers))
    assert status == 200
    assert re.match(r"text/event-stream(;\s*charset=utf-8)?$", headers["content-type"], re.I)
    assert re.fullmatch(rb"(data: \{[^\r\n]*\}\r\n\r\n)+", body), body
    chunks = [json.loads(line[6:]) for line in body.split(b"\r\n\r\n") if line]
    check_chunks(chunks)


def check_chunks(chunks):
    assert "".join(map(text_of, chunks)) == COUNT
    assert len(chunks) >= 2
    *before, last = chunks
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert not any("finishReason" in c["candidates"][0] for c in before)
    for c in chunks:
        assert c["candidates"][0]["index"] == 0
        assert c["candidates"][0]["content"]["role"] == "model"
        # Three clients drop a turn from a chat's history when one of its chunks has no part, a
        # fourth when a text is empty: the last chunk must bring its own.
        assert c["candidates"][0]["content"]["parts"]
        assert all(part["text"] for part in c["candidates"][0]["content"]["parts"])
        assert c["usageMetadata"]["promptTokenCount"] == last["usageMetadata"]["promptTokenCount"] > 0
        assert c["modelVersion"] == last["modelVersion"]
        assert c["responseId"] == last["responseId"]
    n = [c["usageMetadata"].get("candidatesTokenCount", 0) for c in chunks]
    assert n == sorted(n) and n[-1] > 0
    usage = last["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + n[-1]


@pytest.mark.parametrize("path", [ARRAY, ARRAY + "?alt=json", ARRAY + "?key=K",
                                  ARRAY + "?%24alt=json%3Benum-encoding%3Dint"])
def test_array_bytes(server, path):
    """proves: S004 S005 S007; `[` object `,` CRLF object ... `]` and nothing after it."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", path, ASK))
        status, headers = wire.head()
        body = b"".join(wire.pieces(headers))
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert body.startswith(b"[{") and body.endswith(b"]"), body
    chunks = json.loads(body)
    check_chunks(chunks)
    assert body.count(b"}\n,\r\n{") + body.count(b"},\r\n{") == len(chunks) - 1


@pytest.mark.parametrize("path", [SSE, ARRAY])
def test_chunks_come_as_they_are_made(server, path):
    """proves: S006 S015; the script waits 0.3 s before each of four chunks."""
    with server.wire() as wire:
        start = time.monotonic()
        wire.send(request_bytes("POST", path, asking("slowly")))
        status, headers = wire.head()
        seen, when = b"", {}
        for piece in wire.pieces(headers):
            seen += piece
            for word in (b"alpha", b"beta", b"gamma", b"delta"):
                if word in seen:
                    when.setdefault(word, time.monotonic() - start)
    assert status == 200
    times = [when[w] for w in (b"alpha", b"beta", b"gamma", b"delta")]
    assert all(0.15 < b - a < 0.6 * PATIENCE for a, b in zip(times, times[1:])), times
    assert times[0] < 0.7 * PATIENCE, times


def test_an_array_element_is_complete_when_it_arrives(server):
    """proves: S006; a reader that parses elements as they come has each one in full."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", ARRAY, asking("slowly")))
        _, headers = wire.head()
        seen, whole = b"", 0
        for piece in wire.pieces(headers):
            seen += piece
            if b"alpha" in seen and b"beta" not in seen:
                whole += len(json.loads(seen.rstrip(b",\r\n ") + b"]"))
    assert whole >= 1


@pytest.mark.parametrize("prompt", ["Say hello", "many languages", "heads or tails", "Think it over", "x"])
def test_no_chunk_is_empty(server, prompt):
    """proves: S008"""
    for event in server.stream(prompt).events:
        for part in event["candidates"][0]["content"]["parts"]:
            assert part.get("text") != ""


def test_half_a_surrogate_pair_does_not_come_back_as_broken_utf_8(server):
    """proves: E016"""
    for text in (rb"a\ud800b", rb"\udc00", rb"\ud83d", rb"\ude00\ud83d"):
        answer = server.post(SSE, b'{"contents":[{"parts":[{"text":"%s"}]}]}' % text)
        answer.body.decode()
        assert answer.status in (200, 400)


def test_one_byte_characters_are_never_split(server):
    """proves: H015; each event is valid UTF-8 by itself, whatever the script's chunks were."""
    answer = server.stream("many languages")
    assert answer.said == "Grüße, 世界! 🚀👩‍👩‍👧 naïve"
    for event in answer.body.split(b"\r\n\r\n"):
        event.decode()
    assert "\ufffd" not in answer.said


def test_a_fault_in_the_middle_is_the_last_event(server):
    """proves: S012 E014; `error` is the first key."""
    answer = server.stream("fails midway")
    assert answer.status == 200
    *chunks, last = answer.events
    assert "".join(map(text_of, chunks)) == "One, two, "
    assert last["error"]["code"] == 503 and last["error"]["status"] == "UNAVAILABLE"
    assert answer.body.rpartition(b"data: ")[2].startswith(b'{"error":')


def test_a_fault_in_the_middle_of_an_array_is_its_last_element(server):
    """proves: S012"""
    answer = server.generate("fails midway", verb="streamGenerateContent")
    assert answer.status == 200
    *chunks, last = answer.json
    assert "".join(map(text_of, chunks)) == "One, two, "
    assert last["error"]["code"] == 503


def test_a_fault_in_the_middle_of_a_plain_call_is_a_plain_error(server):
    """proves: E014"""
    answer = server.generate("fails midway")
    assert answer.status == 503 and answer.error["status"] == "UNAVAILABLE", answer


@pytest.mark.parametrize("path", [SSE, ARRAY, "/v1beta/models/gemini-2.0-flash:generateContent"])
def test_a_dropped_connection_is_not_ended_properly(server, path):
    """proves: S012; the client must be able to tell."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", path, asking("drops the line")))
        status, headers = wire.head()
        if status:
            assert "stream" in path
            with pytest.raises(ConnectionError):
                for _ in wire.pieces(headers):
                    pass
    assert server.get("/healthz").status == 200


def test_candidates_are_told_apart_in_a_stream(server):
    """proves: T008 T011 T028 S008"""
    answer = server.stream("count to five", {"candidateCount": 2})
    texts, ends = {}, {}
    for chunk in answer.events:
        for c in chunk["candidates"]:
            assert c["index"] not in ends, "more after the end"
            texts[c["index"]] = texts.get(c["index"], "") + text_of({"candidates": [c]}, c["index"])
            if "finishReason" in c:
                ends[c["index"]] = c["finishReason"]
    assert texts == {0: COUNT, 1: COUNT} and ends == {0: "STOP", 1: "STOP"}
    one = server.generate("count to five").json["usageMetadata"]
    assert answer.events[-1]["usageMetadata"]["candidatesTokenCount"] == 2 * one["candidatesTokenCount"]


def test_a_function_call_comes_in_one_piece(server):
    """proves: S010"""
    answer = server.post(SSE, {
        "contents": [{"parts": [{"text": "How high is the tide in Bergen at 9?"}]}],
        "tools": [{"functionDeclarations": [{"name": "get_tide", "description": "d"}]}]})
    calls = [p["functionCall"] for e in answer.events for c in e["candidates"]
             for p in c.get("content", {}).get("parts", []) if "functionCall" in p]
    assert [c["name"] for c in calls] == ["get_tide"]
    assert calls[0]["args"] == {"harbour": "Bergen", "hour_of_day": 9}


def test_streams_in_all_versions(server):
    """proves: G002 H001 H002 S014"""
    for version in ("v1", "v1beta", "v1alpha"):
        answer = server.generate([{"role": "user", "parts": [{"text": "I own 2 dogs."}]},
                                  {"role": "model", "parts": [{"text": "Lovely!"}]},
                                  {"role": "user", "parts": [{"text": "How many paws is that?"}]}],
                                 verb="streamGenerateContent?alt=sse", version=version)
        assert answer.said == "Eight paws.", answer


def test_an_unknown_alt_is_refused(server):
    """proves: S001"""
    answer = server.generate("Say hello", verb="streamGenerateContent?alt=xml")
    assert answer.status == 400, answer


def test_a_compressed_stream_still_comes_as_it_is_made(server):
    """proves: S015; gzip or not, as the server likes, but never held back."""
    with server.wire() as wire:
        start = time.monotonic()
        wire.send(request_bytes("POST", SSE, asking("slowly"), {"Accept-Encoding": "gzip"}))
        _, headers = wire.head()
        unzip = zlib.decompressobj(31) if headers.get("content-encoding") == "gzip" else None
        seen, first = b"", None
        for piece in wire.pieces(headers):
            seen += unzip.decompress(piece) if unzip else piece
            if first is None and b"alpha" in seen:
                first = time.monotonic() - start
    assert first < 0.7 * PATIENCE and b"delta" in seen


@pytest.mark.parametrize("prompt, streamed, end", [
    ("count to five", False, "STOP"), ("count to five", True, "STOP"), ("block the candidate", False, "SAFETY"),
    ("fails midway", True, "UNAVAILABLE"), ("drops the line", True, "DROP"), ("for ever", True, "GONE")])
def test_each_answer_has_one_line_in_the_log(server, prompt, streamed, end):
    """It is written when the client has the answer, or has gone."""
    path = "/v1beta/models/gemini-2.0-flash:" + ("streamGenerateContent?alt=sse" if streamed else "generateContent")
    with server.wire() as wire:
        wire.send(request_bytes("POST", path, asking(prompt), {"Connection": "close"}))
        received = wire.until(b"responseId") if end == "GONE" else wire.rest()
        received += wire.until(b"\n")
    response = re.search(rb'"responseId": ?"([^"]+)"', received)[1].decode()
    line = re.compile(rf" turn id={response} .* end=(\w+)")
    until(lambda: line.search(server.log), "the turn has no line")
    assert line.findall(server.log) == [end]
