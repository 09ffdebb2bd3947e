"""Batches: inline and as files, answers and embeddings, states, priorities, cancelling, crashes."""

import json
import re
import signal
import time

import pytest

from pollux import PATIENCE, SANITIZED, SCRIPT
from test_files import download, is_whole, refused, upload

CREATE = "/v1beta/models/gemini-2.0-flash:batchGenerateContent"
EMBED = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


def ask(text, **more):
    return {"contents": [{"parts": [{"text": text}], "role": "user"}], **more}


def create(server, requests, path=CREATE, **batch):
    """`requests`: a list for inline, else the name of a file."""
    config = {"fileName": requests} if isinstance(requests, str) else {"requests": {"requests": requests}}
    answer = server.post(path, {"batch": {"inputConfig": config, **batch}})
    assert answer.status == 200, answer
    return answer.json


def get(server, name, version="v1beta"):
    answer = server.get(f"/{version}/{name}")
    assert answer.status == 200, answer
    return answer.json


def state(operation):
    return operation["metadata"]["state"].removeprefix("BATCH_STATE_")


def wait(server, operation, until=ENDED, seconds=30):
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        operation = get(server, operation["name"])
        if state(operation) in until:
            return operation
        assert time.monotonic() < deadline, operation
        time.sleep(0.02)


def stats(operation):
    return {k.removesuffix("Count").removesuffix("Request"): int(v) for k, v in operation["metadata"]["batchStats"].items()}


def n_done(server, operation):
    counts = stats(get(server, operation["name"]))
    return counts.get("successful", 0) + counts.get("failed", 0)


def said(line):
    return line["response"]["candidates"][0]["content"]["parts"][0]["text"]


def inlined(operation):
    return operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]


def lines_file(server, lines):
    data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    return upload(server, data, "application/jsonl")["name"]


def output_lines(server, operation):
    answer = download(server, operation["metadata"]["output"]["responsesFile"])
    assert answer.status == 200, answer
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


# ---- inline ----


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_inline(server, version):
    """proves: B001 B004 B008 B009"""
    operation = create(server, [
        {"request": ask("Say hello", model="models/gemini-2.0-flash"), "metadata": {"key": "a", "n": 1}},
        {"request": ask("My name is Ann")}], CREATE.replace("v1beta", version), displayName="two", priority=3)
    metadata = operation["metadata"]
    assert re.fullmatch(r"batches/[a-z0-9]+", operation["name"]) and metadata["name"] == operation["name"]
    assert metadata["@type"].endswith(".GenerateContentBatch") and metadata["model"] == "models/gemini-2.0-flash"
    assert metadata["displayName"] == "two" and metadata["priority"] == "3" and state(operation) == "PENDING"
    assert metadata["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    assert operation["done"] is False and "response" not in operation and "output" not in metadata

    operation = wait(server, operation)
    metadata = operation["metadata"]
    assert state(operation) == "SUCCEEDED" and operation["done"] is True and "error" not in operation
    assert metadata["batchStats"] == {"requestCount": "2", "successfulRequestCount": "2"}
    assert metadata["createTime"] <= metadata["endTime"] == metadata["updateTime"]
    first, second = inlined(operation)
    assert said(first) == "Hello there." and first["metadata"] == {"key": "a", "n": 1}
    assert "My name is Ann" in said(second) and "metadata" not in second
    assert first["response"]["usageMetadata"]["totalTokenCount"] > 0 and first["response"]["modelVersion"] == "scripted"
    assert operation["response"].pop("@type").endswith(".GenerateContentBatchOutput")
    assert operation["response"] == metadata["output"]
    assert get(server, operation["name"], version) == wait(server, operation)


def test_an_answer_is_what_a_call_gives(server):
    request = ask("count to five", generationConfig={"responseLogprobs": True, "logprobs": 1},
                  systemInstruction={"parts": [{"text": "be brief"}]})
    answer = server.post(CREATE.replace("batchG", "g"), request).json
    line = inlined(wait(server, create(server, [{"request": request}])))[0]["response"]
    assert line.pop("responseId") != answer.pop("responseId")
    assert line == answer


def test_a_line_may_name_a_cache_and_a_file(server):
    cache = server.post("/v1beta/cachedContents", {
        "model": "models/gemini-2.0-flash", "contents": [{"role": "user", "parts": [{"text": "My name is Ann"}]}]}).json
    note = upload(server, b"Say hello", "text/plain")
    lines = inlined(wait(server, create(server, [
        {"request": ask("Say hello", cachedContent=cache["name"])},
        {"request": {"contents": [{"parts": [{"fileData": {"fileUri": note["uri"]}}]}]}},
        {"request": ask("Say hello", cachedContent="cachedContents/none")}])))
    assert said(lines[0]) == said(lines[1]) == "Hello there."
    assert lines[0]["response"]["usageMetadata"]["cachedContentTokenCount"] > 0
    assert lines[2]["error"]["code"] in (5, 7), lines[2]


BAD_REQUESTS = [
    ({"request": {}}, 3, "contents"),
    ({"request": ask("x", foo=1)}, 3, 'Unknown name "foo"'),
    ({"request": ask("x", model="models/other")}, 3, "models/other"),
    ({"request": ask("x", generationConfig={"temperature": 9})}, 3, "temperature"),
    ({"request": "text"}, 3, ""),
    ({"metadata": {"key": "no request"}}, 3, "request"),
]


def test_a_bad_request_is_an_error_in_its_place(server):
    requests = [{"request": ask("Say hello")}, *(bad for bad, _, _ in BAD_REQUESTS), {"request": ask("Say hello")}]
    operation = wait(server, create(server, requests))
    assert state(operation) == "SUCCEEDED"
    assert stats(operation) == {"request": 8, "successful": 2, "failed": 6}
    first, *bad, last = inlined(operation)
    assert said(first) == said(last) == "Hello there."
    for line, (request, code, words) in zip(bad, BAD_REQUESTS):
        assert line["error"]["code"] == code and words in line["error"]["message"], line
        assert line.get("metadata") == request.get("metadata") and "response" not in line


@pytest.mark.parametrize("body, words", [
    ({}, "batch"),
    ({"batch": {}}, "inputConfig"),
    ({"batch": {"inputConfig": {}}}, "fileName"),
    ({"batch": {"inputConfig": {"fileName": "files/a", "requests": {"requests": [{"request": {}}]}}}}, "fileName"),
    ({"batch": {"inputConfig": {"requests": {"requests": []}}}}, "requests"),
    ({"batch": {"inputConfig": {"requests": {"requests": [{"reqest": {}}]}}}}, "requests.requests[0]"),
    ({"batch": {"inputConfig": {"fileName": "files/x"}, "foo": 1}}, 'Unknown name "foo"'),
    ({"batch": {"inputConfig": {"fileName": "files/x"}, "model": "models/other"}}, "models/other"),
    ({"batch": {"inputConfig": {"fileName": "files/x"}, "displayName": "x" * 513}}, "displayName"),
    ({"batch": {"inputConfig": {"fileName": "files/x"}, "webhookConfig": {"uris": ["http://a"]}}}, "--webhook-secret"),
    ({"batch": {"inputConfig": {"fileName": "files/x"}, "webhookConfig": {"urls": ["http://a"]}}}, "batch.webhook_config"),
    ({"batch": {"inputConfig": {"fileName": "gs://a/b"}}}, "gs://a/b"),
], ids=str)
def test_what_cannot_be_a_batch_is_refused(server, body, words):
    refused(server.post(CREATE, body), 400, "INVALID_ARGUMENT", words)


def test_the_wrong_model_is_refused(server):
    body = {"batch": {"inputConfig": {"fileName": "files/x"}}}
    refused(server.post(CREATE.replace("gemini-2.0-flash", "nobody"), body), 404, "NOT_FOUND", "nobody")
    assert server.post(CREATE.replace("gemini-2.0-flash", "gemini-embedding-001"), body).status in (400, 404)
    assert server.post(EMBED.replace("gemini-embedding-001", "gemini-2.0-flash"), body).status in (400, 404)
    refused(server.post(CREATE, body), 404, "NOT_FOUND", "files/x")


# ---- files ----


def test_a_file(server):
    """proves: B002 B010; with wrong lines, and lines that some editors make."""
    name = lines_file(server, [
        '\ufeff{"key": "a", "request": {"contents": [{"parts": [{"text": "Say hello"}]}]}}\r',
        "", '{"key": "b", "request": ', {"key": "c", "reqest": {}}, "   ",
        {"key": "d", "request": ask("My name is Dan"), "metadata": {"m": [1]}}, ask("My name is Eve"), "[]"])
    operation = wait(server, create(server, name, displayName="a file"))
    assert operation["metadata"]["inputConfig"] == {"fileName": name}
    assert stats(operation) == {"request": 6, "successful": 3, "failed": 3}
    output = operation["metadata"]["output"]
    assert re.fullmatch(r"files/[a-z0-9-]{1,40}", output["responsesFile"])
    assert operation["response"]["responsesFile"] == output["responsesFile"]
    a, b, c, d, e, f = output_lines(server, operation)
    assert a["key"] == "a" and said(a) == "Hello there."
    assert b.keys() == {"error"} and b["error"]["code"] == 3 and "JSON" in b["error"]["message"]
    assert c["key"] == "c" and "reqest" in c["error"]["message"]
    assert d["key"] == "d" and d["metadata"] == {"m": [1]} and "Dan" in said(d)
    assert "key" not in e and "Eve" in said(e)
    assert f["error"]["code"] == 3
    file = get(server, output["responsesFile"])
    assert file["source"] == "GENERATED" and file["displayName"] == "a file" and file["mimeType"] == "application/jsonl"
    body = download(server, file["name"]).body
    assert is_whole(server, file, body)
    assert server.get(re.sub(r"^http://[^/]+", "", file["downloadUri"])).body == body
    assert server.get(f"/download/v1beta/{file['name']}:download?alt=media").body == body


def test_an_empty_file_is_refused(server):
    name = lines_file(server, ["", "  ", ""])
    refused(server.post(CREATE, {"batch": {"inputConfig": {"fileName": name}}}), 400, "INVALID_ARGUMENT", "no lines")


def test_a_line_longer_than_a_request_may_be(scripted):
    server = scripted("--request-limit", 2000)
    name = lines_file(server, [{"request": ask("Say hello " + "x" * 3000)}, {"request": ask("Say hello")}])
    long, good = output_lines(server, wait(server, create(server, name)))
    assert "longer" in long["error"]["message"] and said(good) == "Hello there."


def test_ten_thousand_lines(scripted):
    server = scripted()
    pad = "x" * 3000
    name = lines_file(server, [{"key": str(i), "request": ask("Say hello " + pad)} for i in range(10_000)])
    before = server.rss_mb
    operation = create(server, name)
    assert stats(operation)["request"] == 10_000
    operation = wait(server, operation, seconds=90)
    after = server.rss_mb
    assert stats(operation) == {"request": 10_000, "successful": 10_000}
    lines = output_lines(server, operation)
    assert [line["key"] for line in lines] == [str(i) for i in range(10_000)]
    assert all(said(line) == "Hello there." for line in lines)
    assert SANITIZED or after - before < 20, (before, after)  # the file has 31 MB


# ---- embeddings ----


def test_embeddings(server):
    """proves: B003"""
    requests = [{"request": {"content": {"parts": [{"text": t}]}, "outputDimensionality": 8}, "metadata": {"t": t}}
                for t in ("cat", "dog", "")]
    operation = wait(server, create(server, requests, EMBED))
    assert operation["metadata"]["@type"].endswith(".EmbedContentBatch")
    assert stats(operation) == {"request": 3, "successful": 2, "failed": 1}
    cat, dog, none = inlined(operation)
    alone = server.post("/v1beta/models/gemini-embedding-001:embedContent", requests[0]["request"]).json
    assert cat["response"]["embedding"] == alone["embedding"] != dog["response"]["embedding"]
    assert len(cat["response"]["embedding"]["values"]) == 8 and cat["response"]["tokenCount"] > 0
    assert none["error"]["code"] == 3 and none["metadata"] == {"t": ""}

    name = lines_file(server, [{"key": "k", "request": {"output_dimensionality": 8, "content": {"parts": [{"text": "cat"}]}}},
                               {"content": {"parts": [{"text": "dog"}]}, "outputDimensionality": 8}])
    answer = server.post(EMBED, {"batch": {"inputConfig": {"file_name": name}}})  # as the Python client spells it
    keyed, bare = output_lines(server, wait(server, answer.json))
    assert keyed["key"] == "k" and keyed["response"] == cat["response"]
    assert bare["response"] == dog["response"]


# ---- the list ----


def test_the_list(scripted):
    """proves: B005"""
    server = scripted()
    assert server.get("/v1beta/batches").json == {}
    names = [create(server, [{"request": ask("Say hello")}])["name"] for _ in range(5)]
    for name in names:
        wait(server, {"name": name})
    listed, token = [], ""
    for size in (2, 2, 1):
        page = server.get(f"/v1beta/batches?pageSize=2&pageToken={token}").json
        assert len(page["operations"]) == size
        listed += page["operations"]
        token = page.get("nextPageToken", "")
    assert token == "" and [o["name"] for o in listed] == names[::-1]
    assert all(o == get(server, o["name"]) for o in listed)
    refused(server.get("/v1beta/batches?pageToken=x"), 400, "INVALID_ARGUMENT", "pageToken")
    refused(server.get("/v1beta/batches?pageSize=x"), 400, "INVALID_ARGUMENT", "pageSize")
    refused(server.get("/v1beta/batches?filter=done"), 400, "INVALID_ARGUMENT", "filter")


@pytest.mark.parametrize("method, path", [("GET", ""), ("DELETE", ""), ("POST", ":cancel")])
def test_an_unknown_batch(server, method, path):
    for name in ("nothing", "A_B", "x" * 300):
        refused(server.call(method, f"/v1beta/batches/{name}{path}"), 404, "NOT_FOUND", "batches/")


def test_a_key_is_needed(scripted):
    server = scripted("--api-key", "secret")
    for method, path in [("POST", CREATE), ("GET", "/v1beta/batches"), ("GET", "/v1beta/batches/x"),
                         ("DELETE", "/v1beta/batches/x"), ("POST", "/v1beta/batches/x:cancel")]:
        assert server.call(method, path, headers={"x-goog-api-key": None}).status == 403


# ---- ends ----

SLOW = [{"match": {"prompt": "Say hello"}, "text": "Hello there."},
        {"match": {"prompt": "slow"}, "delayMs": 300, "text": "At last."}]


def test_cancelling_keeps_what_was_made(scripted):
    """proves: B006"""
    server = scripted(slots=2, replies=SLOW)
    by_list = create(server, [{"request": ask("slow"), "metadata": {"i": str(i)}} for i in range(20)])
    while n_done(server, by_list) < 2:
        time.sleep(0.02)
    answer = server.post(f"/v1beta/{by_list['name']}:cancel")
    assert answer.status == 200 and answer.json == {}
    operation = wait(server, by_list)
    counts = stats(operation)
    assert state(operation) == "CANCELLED" and operation["done"] is True and operation["error"]["code"] == 1
    assert 2 <= counts["successful"] < 20 and counts["pending"] == 20 - counts["successful"]
    lines = inlined(operation)
    assert [said(line) for line in lines if "response" in line] == ["At last."] * counts["successful"]
    assert all(line["metadata"] == {"i": str(i)} for i, line in enumerate(lines) if "response" in line)
    assert all(line["error"]["code"] == 1 for line in lines[counts["successful"]:]) and len(lines) == 20

    by_file = create(server, lines_file(server, [{"key": str(i), "request": ask("slow")} for i in range(20)]))
    while n_done(server, by_file) < 2:
        time.sleep(0.02)
    server.post(f"/v1beta/{by_file['name']}:cancel")
    operation = wait(server, by_file)
    lines = output_lines(server, operation)
    assert [line["key"] for line in lines] == [str(i) for i in range(stats(operation)["successful"])]
    assert server.post(f"/v1beta/{by_file['name']}:cancel").json == {}  # no effect
    assert get(server, by_file["name"]) == operation


def test_one_that_waits_is_cancelled_at_once(scripted):
    server = scripted(slots=2, replies=SLOW)
    first = create(server, [{"request": ask("slow")} for _ in range(20)])
    second = create(server, [{"request": ask("Say hello")}])
    server.post(f"/v1beta/{second['name']}:cancel")
    assert state(wait(server, second, seconds=2)) == "CANCELLED"
    assert state(get(server, first["name"])) == "RUNNING"


def test_deleting(scripted):
    """proves: B007"""
    server = scripted(slots=2, replies=SLOW)
    done = wait(server, create(server, lines_file(server, [{"request": ask("Say hello")}])))
    running = create(server, [{"request": ask("slow")} for _ in range(50)])
    wait(server, running, {"RUNNING"})
    for operation in (done, running):
        answer = server.call("DELETE", f"/v1beta/{operation['name']}")
        assert answer.status == 200 and answer.json == {}
        refused(server.get(f"/v1beta/{operation['name']}"), 404, "NOT_FOUND")
    assert output_lines(server, done)  # the file is the client's
    after = wait(server, create(server, [{"request": ask("Say hello")}]), seconds=2)
    assert state(after) == "SUCCEEDED"


def test_the_input_may_be_deleted(scripted):
    server = scripted(slots=2, replies=SLOW)
    name = lines_file(server, [{"request": ask("slow")} for _ in range(4)])
    operation = create(server, name)
    assert server.call("DELETE", f"/v1beta/{name}").status == 200
    assert stats(wait(server, operation)) == {"request": 4, "successful": 4}


# ---- beside others ----


def test_the_higher_priority_goes_first(scripted):
    server = scripted(slots=2, replies=SLOW)
    low = create(server, [{"request": ask("slow")} for _ in range(6)], priority=-5)
    wait(server, low, {"RUNNING"})
    high = wait(server, create(server, [{"request": ask("slow")} for _ in range(3)], priority="7"), seconds=5)
    assert state(high) == "SUCCEEDED" and high["metadata"]["priority"] == "7"
    assert state(get(server, low["name"])) == "RUNNING"
    assert stats(wait(server, low)) == {"request": 6, "successful": 6}


def test_names_and_priorities_change(scripted):
    server = scripted(slots=2, replies=SLOW)
    first = create(server, [{"request": ask("slow")} for _ in range(10)], displayName="old")
    second = create(server, [{"request": ask("slow")} for _ in range(3)])
    wait(server, first, {"RUNNING"})

    def change(operation, body, mask=None, verb="updateGenerateContentBatch"):
        query = f"?updateMask={mask}" if mask else ""
        return server.call("PATCH", f"/v1beta/{operation['name']}:{verb}{query}", body)

    batch = change(first, {"displayName": "new", "priority": 9}, "displayName").json
    assert batch["displayName"] == "new" and "priority" not in batch and batch["name"] == first["name"]
    assert get(server, first["name"])["metadata"]["displayName"] == "new"
    assert change(second, {"priority": "4"}).json["priority"] == "4"
    assert state(wait(server, second, seconds=5)) == "SUCCEEDED" and state(get(server, first["name"])) == "RUNNING"
    refused(change(first, {}, "state"), 400, "INVALID_ARGUMENT", "state")
    refused(change(first, {"inputConfig": {"fileName": "files/x"}}), 400, "INVALID_ARGUMENT", "input")
    refused(change(first, {"displayName": "x"}, verb="updateEmbedContentBatch"), 404, "NOT_FOUND")


def test_clients_are_served_beside_a_batch(scripted):
    server = scripted(slots=4, replies=SLOW)
    since = time.monotonic()
    operation = create(server, [{"request": ask("slow")} for _ in range(8)])
    took = []
    while state(get(server, operation["name"])) not in ENDED:
        begun = time.monotonic()
        assert server.generate("Say hello").said == "Hello there."
        took.append(time.monotonic() - begun)
    assert time.monotonic() - since >= 8 / 2 * 0.3  # half of the slots
    assert len(took) > 3 and max(took) < 0.25 * PATIENCE, took


def test_many_candidates_count_as_many(scripted):
    server = scripted(slots=4, replies=SLOW)
    since = time.monotonic()
    two = {"request": ask("slow", generationConfig={"candidateCount": 2})}
    operation = wait(server, create(server, [two] * 3))
    assert time.monotonic() - since >= 3 * 0.3
    assert all(len(line["response"]["candidates"]) == 2 for line in inlined(operation))


def test_what_finds_the_server_busy_is_tried_again(scripted):
    server = scripted(replies=[
        {"match": {"prompt": "busy"}, "times": 2, "error": {"status": 429, "retry_ms": 100}},
        {"match": {"prompt": "busy"}, "text": "Now."},
        {"match": {"prompt": "broken"}, "error": {"status": 500}},
        {"match": {"prompt": "drop"}, "chunks": ["a", "b"], "drop": {"after_chunks": 1}}])
    operation = wait(server, create(server, [{"request": ask(p)} for p in ("busy", "broken", "drop")]))
    busy, broken, drop = inlined(operation)
    assert said(busy) == "Now." and broken["error"]["code"] == 13 and drop["error"]["code"] == 14


def test_a_batch_expires(on_script, tmp_path):
    import sqlite3
    server = on_script("--batch-hours", 1)
    operation = create(server, [{"request": ask("slow")} for _ in range(400)])
    while n_done(server, operation) < 1:
        time.sleep(0.02)
    server.crash()
    with sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10) as db:
        db.execute("UPDATE batches SET created = created - 3601 * 1000000000")
    operation = wait(on_script("--batch-hours", 1), operation)
    assert state(operation) == "EXPIRED" and operation["error"]["code"] == 4 and stats(operation)["successful"] >= 1
    assert said(inlined(operation)[0]) == "At last."


# ---- crashes ----


@pytest.fixture
def on_script(on_folder, tmp_path):
    """Starts servers with SLOW on one data folder, one after the other."""
    script = tmp_path / "script.json"
    replies = SLOW + [{"match": {"prompt": "line"}, "delayMs": 5, "text": "done"}]
    script.write_text(json.dumps({**json.loads(SCRIPT.read_text()), "slots": 8, "replies": replies}))
    return lambda *args: on_folder(*args, source=("--script", script))


@pytest.mark.parametrize("source", ["file", "inline"])
def test_kill_9_loses_and_doubles_no_line(on_script, source):
    n, n_kills, n_turns = 600, 4, 0
    server = on_script()
    if source == "file":
        operation = create(server, lines_file(server, [{"key": str(i), "request": ask(f"line {i}")} for i in range(n)]))
    else:
        operation = create(server, [{"metadata": {"key": str(i)}, "request": ask(f"line {i}")} for i in range(n)])
    before = 0
    for kill in range(n_kills):
        until = n * (kill + 1) // (n_kills + 1)
        while (done := n_done(server, operation)) < until:
            time.sleep(0.005)
        assert done >= before  # what was told stays
        server.process.kill()
        server.process.wait()
        n_turns += server.log.count(" turn id=")
        server.dir.cleanup()
        server = on_script()
        before = n_done(server, operation)
        assert before >= done
    operation = wait(server, operation)
    n_turns += server.log.count(" turn id=")
    assert stats(operation) == {"request": n, "successful": n}
    lines = output_lines(server, operation) if source == "file" else inlined(operation)
    keys = [line["key"] if source == "file" else line["metadata"]["key"] for line in lines]
    assert keys == [str(i) for i in range(n)]
    assert all(said(line) == "done" for line in lines)
    # What was recorded is not done again: four times from the beginning would be 1,800.
    assert n_turns <= n + n_kills * 120, n_turns


def test_a_stop_and_a_start(on_script):
    server = on_script()
    operation = create(server, [{"request": ask("slow")} for _ in range(12)])
    while n_done(server, operation) < 1:
        time.sleep(0.02)
    since = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.stop()
    assert time.monotonic() - since < 3 * PATIENCE
    server = on_script()
    assert n_done(server, operation) >= 1
    assert stats(wait(server, operation)) == {"request": 12, "successful": 12}


def test_an_end_survives_kill_9(on_script):
    server = on_script()
    operation = create(server, [{"request": ask("slow")} for _ in range(100)])
    deleted = create(server, [{"request": ask("slow")} for _ in range(100)])
    server.post(f"/v1beta/{operation['name']}:cancel")
    server.call("DELETE", f"/v1beta/{deleted['name']}")
    server.crash()
    server = on_script()
    assert state(wait(server, operation)) == "CANCELLED"
    refused(server.get(f"/v1beta/{deleted['name']}"), 404, "NOT_FOUND")
