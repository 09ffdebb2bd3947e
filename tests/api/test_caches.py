"""cachedContents: made, used, told of, changed, expired, deleted; rows on the disk, lost and damaged; crashes.

The scripted engine keeps rows as a model does, and uses only those that are sound to the last byte."""

import base64
import datetime
import random
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from media_files import picture
from pollux import PATIENCE
from test_files import database, on_disk, refused, upload

CACHES = "/v1beta/cachedContents"
MODEL = "models/gemini-1.5-flash-001"
LONG = "The transcript goes on and on, as transcripts do. " * 30
TOOL = {"functionDeclarations": [{"name": "get_tide", "parameters": {"type": "object", "properties": {
    "harbour": {"type": "string"}}}}]}


def user(text, role="user"):
    return {"role": role, "parts": [{"text": text}]}


def create(server, contents=LONG, version="v1beta", **fields):
    body = {"model": MODEL, **fields}
    if contents:
        body["contents"] = [user(contents)] if isinstance(contents, str) else contents
    answer = server.post(f"/{version}/cachedContents", body)
    assert answer.status == 200, answer
    return answer.json


def use(server, cache, prompt="Say hello", config=None, verb="generateContent", model=MODEL, version="v1beta", **fields):
    name = cache if isinstance(cache, str) else cache["name"]
    return server.generate(prompt, config, model=model.removeprefix("models/"), verb=verb, version=version,
                           fields={"cachedContent": name, **fields})


def usage(answer):
    assert answer.status == 200, answer
    return (answer.events[-1] if answer.is_sse else answer.json)["usageMetadata"]


def n_cached(answer):
    return usage(answer).get("cachedContentTokenCount", 0)


def when(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


# ---- making and using ----


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_create_and_use(server, version):
    """proves: C001 C003 C005 C006 C013 C014 G011 G129 H003 T009 T010 T015"""
    before = time.time()
    cache = create(server, version=version, ttl="300s", displayName="c")
    assert re.fullmatch(r"cachedContents/[a-z0-9]+", cache["name"]) and cache["model"] == MODEL
    assert cache["displayName"] == "c" and cache["createTime"] == cache["updateTime"]
    assert 299 < when(cache["expireTime"]) - before < 310 and cache["expireTime"].endswith("Z")
    total = cache["usageMetadata"]["totalTokenCount"]
    assert total > 300
    for field in ("contents", "tools", "systemInstruction", "toolConfig", "ttl"):
        assert field not in cache
    answer = use(server, cache, version=version)
    assert answer.said == "Hello there."
    plain = server.generate([user(LONG), user("Say hello")])
    assert usage(answer)["promptTokenCount"] == usage(plain)["promptTokenCount"] > total
    assert n_cached(answer) == total and n_cached(plain) == 0
    assert usage(answer)["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": total}]
    streamed = use(server, cache, verb="streamGenerateContent?alt=sse")
    assert streamed.said == "Hello there." and n_cached(streamed) == total


def test_system_instruction_contents_and_all_that_follows(server):
    """proves: C002 G129; the cached system instruction and turns stand before the request's."""
    cache = create(server, [user("I own 2 dogs."), user("Lovely!", "model")],
                   systemInstruction={"parts": [{"text": "Your name is Neko."}]})
    assert use(server, cache, "Who are you?").said == "Meow."
    only_system = create(server, None, system_instruction={"parts": {"text": "Your name is Neko."}})
    assert use(server, only_system, "Who are you?").said == "Meow."
    assert 0 < n_cached(use(server, only_system, "Who are you?")) == only_system["usageMetadata"]["totalTokenCount"]
    turns = create(server, [user("I own 2 dogs."), user("Lovely!", "model")])
    prompt = [user("How many paws is that?"), user("Eight paws.", "model"), user("Say hello")]
    whole = server.generate([user("I own 2 dogs."), user("Lovely!", "model"), *prompt])
    assert usage(use(server, turns, prompt))["promptTokenCount"] == usage(whole)["promptTokenCount"]


def test_tools_in_the_cache_and_in_the_request(server):
    """The request may bring more tools, and a toolConfig of its own."""
    cache = create(server, tools=[TOOL])
    call = use(server, cache, "How high is the tide in Bergen at 9?")
    assert call.json["candidates"][0]["content"]["parts"][0]["functionCall"]["name"] == "get_tide", call
    assert n_cached(call) == cache["usageMetadata"]["totalTokenCount"]
    more = {"functionDeclarations": [{"name": "other"}]}
    answer = use(server, cache, "Say hello", tools=[more])
    assert answer.said == "Hello there."
    both = server.generate([user(LONG), user("Say hello")], fields={"tools": [TOOL, more]})
    assert usage(answer)["promptTokenCount"] == usage(both)["promptTokenCount"]
    assert refused(use(server, cache, tools=[TOOL]), 400, "INVALID_ARGUMENT",
                   "tools[0].function_declarations[0].name: Duplicate")
    named = use(server, cache, toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["nope"]}})
    assert refused(named, 400, "INVALID_ARGUMENT", "nope is not among")
    results = use(server, create(server, [user("How high is the tide?"), {"role": "model", "parts": [
        {"functionCall": {"name": "get_tide", "args": {"harbour": "Bergen"}}}]}], tools=[TOOL]),
        [{"role": "user", "parts": [{"functionResponse": {"name": "get_tide", "response": {"cm": 134}}}]}])
    assert results.said == "The tide is 134 cm.", results


def test_a_tool_config_in_the_cache_holds(server):
    forced = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_tide"]}}
    create(server, tools=[TOOL], toolConfig=forced)
    answer = server.post(CACHES, {"model": MODEL, "contents": [user("a")], "toolConfig": forced})
    assert refused(answer, 400, "INVALID_ARGUMENT", "without function_declarations")


def test_files_and_media_are_kept_as_they_were_read(server):
    """proves: F030 C001; a cache outlives the file that it was made of."""
    file = upload(server, b"It is the year 1969, and the Eagle has landed. " * 20)
    cache = create(server, [{"role": "user", "parts": [
        {"fileData": {"fileUri": file["uri"], "mimeType": "text/plain"}}]}])
    assert server.call("DELETE", f"/v1beta/{file['name']}").status == 200
    answer = use(server, cache)
    assert answer.said == "Hello there." and n_cached(answer) == cache["usageMetadata"]["totalTokenCount"] > 200
    gone = server.post(CACHES, {"model": MODEL, "contents": [{"parts": [{"fileData": {"fileUri": file["uri"]}}]}]})
    assert gone.status == 404, gone


def test_tokens_of_media_are_told_apart(server):
    """proves: T015"""
    image = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture("HELLO")).decode()}}
    made = server.post(CACHES, {"model": MODEL, "contents": [{"parts": [{"text": "Look:"}, image]}]})
    if made.status == 400 and "setup.sh readers" in made.error["message"]:
        pytest.skip(made.error["message"])
    assert made.status == 200 and "contents[0].parts[1]=image/png" in made.headers["x-pollux-media"], made
    answer = use(server, made.json)
    told = usage(answer)
    assert {d["modality"] for d in told["cacheTokensDetails"]} == {"TEXT", "IMAGE"}
    assert sum(d["tokenCount"] for d in told["cacheTokensDetails"]) == told["cachedContentTokenCount"]
    assert {d["modality"] for d in told["promptTokensDetails"]} == {"TEXT", "IMAGE"}
    second = use(server, made.json, [{"parts": [{"text": "And this:"}, image]}])
    assert second.headers["x-pollux-media"].startswith("contents[0].parts[1]=image/png")


def test_count_tokens(server):
    cache = create(server)
    answer = server.post(f"/v1beta/{MODEL}:countTokens", {"generateContentRequest": {
        "model": MODEL, "contents": [user("Say hello")], "cachedContent": cache["name"]}})
    assert answer.status == 200, answer
    assert answer.json["totalTokens"] == usage(use(server, cache))["promptTokenCount"]
    assert answer.json["cachedContentTokenCount"] == cache["usageMetadata"]["totalTokenCount"]


def test_lines_of_a_batch(server):
    cache = create(server)
    lines = [{"request": {"contents": [user("Say hello")], "cachedContent": name}}
             for name in (cache["name"], "cachedContents/none")]
    asked = server.post(f"/v1beta/{MODEL}:batchGenerateContent",
                        {"batch": {"inputConfig": {"requests": {"requests": lines}}}})
    assert asked.status == 200, asked
    until = time.monotonic() + 20 * PATIENCE
    while not (got := server.get(f"/v1beta/{asked.json['name']}").json).get("done") and time.monotonic() < until:
        time.sleep(0.02)
    good, bad = got["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert good["response"]["candidates"][0]["content"]["parts"][0]["text"] == "Hello there.", good
    assert good["response"]["usageMetadata"]["cachedContentTokenCount"] == cache["usageMetadata"]["totalTokenCount"]
    assert bad["error"]["code"] == 5, bad  # of google.rpc: NOT_FOUND


def test_candidates_of_one_cache(server):
    answer = use(server, create(server), "heads or tails", {"candidateCount": 2})
    assert [c["content"]["parts"][0]["text"] for c in answer.json["candidates"]] == ["Heads", "Tails"]


def test_there_is_no_least_size(server):
    cache = create(server, "a")
    assert 0 < cache["usageMetadata"]["totalTokenCount"] < 20
    assert n_cached(use(server, cache)) == cache["usageMetadata"]["totalTokenCount"]


# ---- what is refused ----


@pytest.mark.parametrize("body, words", [
    ({"contents": [user("a")]}, "model is not specified"),
    ({"model": MODEL}, "nothing to be cached"),
    ({"model": MODEL, "contents": []}, "nothing to be cached"),
    ({"model": MODEL, "contents": [{"parts": []}]}, "contents[0].parts"),
    ({"model": MODEL, "contents": [user("a")], "ttl": "0s"}, "ttl must be more than 0s"),
    ({"model": MODEL, "contents": [user("a")], "ttl": "-5s"}, "ttl must be more than 0s"),
    ({"model": MODEL, "contents": [user("a")], "ttl": "soon"}, "ttl"),
    ({"model": MODEL, "contents": [user("a")], "ttl": 300}, "ttl"),
    ({"model": MODEL, "contents": [user("a")], "ttl": "9000000000s"}, "outlive the calendar"),
    ({"model": MODEL, "contents": [user("a")], "ttl": "5s", "expireTime": "2100-01-01T00:00:00Z"}, "already set"),
    ({"model": MODEL, "contents": [user("a")], "expireTime": "2020-01-01T00:00:00Z"}, "in the future"),
    ({"model": MODEL, "contents": [user("a")], "expireTime": "tomorrow"}, "expire_time"),
    ({"model": MODEL, "contents": [user("a")], "displayName": "é" * 129}, "at most 128"),
    ({"model": MODEL, "contents": [user("a")], "colour": 1}, "colour"),
    ({"model": MODEL, "contents": [user("a")], "tools": [{"googleMaps": {}}]}, "not supported"),
    ({"model": MODEL, "contents": [{"parts": [{"fileData": {"fileUri": "gs://a/b"}}]}]}, "names neither"),
])
def test_bad_creations(server, body, words):
    """proves: C017"""
    assert refused(server.post(CACHES, body), 400, "INVALID_ARGUMENT", words)


def test_broken_json(server):
    assert refused(server.post(CACHES, b'{"model":'), 400, "INVALID_ARGUMENT", "Invalid JSON")
    assert refused(server.post(CACHES, b""), 400, "INVALID_ARGUMENT", "model is not specified")


def test_an_unknown_model(server):
    answer = server.post(CACHES, {"model": "models/nobody", "contents": [user("a")]})
    assert refused(answer, 404, "NOT_FOUND", "createCachedContent")


def test_longer_than_the_context(scripted):
    server = scripted(context=100)
    answer = server.post(CACHES, {"model": MODEL, "contents": [user(LONG)]})
    assert refused(answer, 400, "INVALID_ARGUMENT", "exceeds the maximum number of tokens")


def test_another_model(server):
    """proves: C015"""
    answer = use(server, create(server), model="models/gemini-2.0-flash")
    assert refused(answer, 400, "INVALID_ARGUMENT", "has to be the same")
    assert "gemini-2.0-flash" in answer.error["message"] and "gemini-1.5-flash-001" in answer.error["message"]


def test_a_system_instruction_in_the_request(server):
    answer = use(server, create(server), systemInstruction={"parts": [{"text": "You are a parrot."}]})
    assert refused(answer, 400, "INVALID_ARGUMENT", "system_instruction")


@pytest.mark.parametrize("name, status", [("cachedContents/none", 404), ("cachedContents/", 404), ("none", 400),
                                          ("files/a", 400), ("cachedContents/a/b", 404)])
def test_no_such_cache(server, name, status):
    """proves: C016"""
    for verb in ("generateContent", "streamGenerateContent?alt=sse"):
        assert use(server, name, verb=verb).status == status


def test_errors_count_the_requests_own_contents(server):
    cache = create(server, [user("a"), user("b", "model")], tools=[TOOL])
    assert refused(use(server, cache, [user("c"), user("d", "judge")]), 400, "INVALID_ARGUMENT", "valid role")
    answer = use(server, cache, [user("c"), {"role": "user", "parts": [{}]}])
    assert answer.error["details"][0]["fieldViolations"][0]["field"] == "contents[1].parts[0]", answer
    result = use(server, cache, [{"role": "user", "parts": [{"functionResponse": {"name": "x", "response": {}}}]}])
    assert result.error["details"][0]["fieldViolations"][0]["field"] == "contents[0].parts[0]", result
    assert refused(server.post(f"/v1beta/{MODEL}:generateContent", {"cachedContent": cache["name"]}), 400,
                   "INVALID_ARGUMENT", "contents is not specified")


def test_keys(scripted):
    server = scripted("--api-key", "secret")
    for method, path in (("POST", CACHES), ("GET", CACHES), ("GET", CACHES + "/a"), ("PATCH", CACHES + "/a"),
                         ("DELETE", CACHES + "/a")):
        assert server.call(method, path, {}, {"x-goog-api-key": None}).status == 403


# ---- get, list, patch, delete ----


def test_get_and_delete(server):
    """proves: C007 C012 C014"""
    cache = create(server)
    path = f"/v1beta/{cache['name']}"
    assert server.get(path).json == cache
    assert server.call("DELETE", path).json == {}
    for method in ("GET", "DELETE"):
        assert refused(server.call(method, path), 404, "NOT_FOUND", cache["name"])
    assert refused(server.call("PATCH", path, {"ttl": "5s"}), 404, "NOT_FOUND")
    assert refused(use(server, cache), 404, "NOT_FOUND", cache["name"])


def test_list(scripted):
    """proves: C008"""
    server = scripted()
    assert server.get(CACHES).json.get("cachedContents", []) == []
    made = [create(server, str(i))["name"] for i in range(5)]
    assert [c["name"] for c in server.get(CACHES).json["cachedContents"]] == made[::-1]
    names, token = [], ""
    while token is not None:  # as py-legacy asks
        page = server.get(f"{CACHES}?pageSize=2&pageToken={token}").json
        names += [c["name"] for c in page["cachedContents"]]
        token = page.get("nextPageToken")
    assert names == made[::-1]
    assert len(server.get(CACHES + "?pageSize=100000").json["cachedContents"]) == 5
    for bad in ("pageSize=-1", "pageSize=x", "pageToken=x", "pageToken=99999999999999999999-a"):
        assert server.get(f"{CACHES}?{bad}").status == 400


@pytest.mark.parametrize("query, body, after", [
    ("", {"ttl": "600s"}, 600), ("?updateMask=ttl", {"ttl": "3600s"}, 3600),
    ("", {"expireTime": "+500"}, 500), ("?updateMask=expireTime", {"expireTime": "+400"}, 400),
    ("?updateMask=expire_time", {"expire_time": "+400"}, 400), ("?updateMask=*", {"ttl": "1.5s"}, 1.5),
    ("?updateMask=ttl", {"ttl": "60s", "displayName": "other", "contents": [user("x")]}, 60),
    ("", {"name": "cachedContents/x", "model": MODEL, "displayName": "mine", "ttl": "7s"}, 7),
])
def test_patch(server, query, body, after):
    """proves: C009 C010 C011 J031 J032 J034"""
    cache = create(server, displayName="mine")
    now = time.time()
    body = {k: datetime.datetime.fromtimestamp(now + float(v[1:]), datetime.timezone.utc).isoformat()
            if str(v).startswith("+") else v for k, v in body.items()}
    answer = server.call("PATCH", f"/v1beta/{cache['name']}{query}", body)
    assert answer.status == 200 and answer.json["displayName"] == "mine", answer
    assert after - 1 < when(answer.json["expireTime"]) - now < after + 5 * PATIENCE
    assert answer.json["updateTime"] > cache["updateTime"] and answer.json["createTime"] == cache["createTime"]
    assert "ttl" not in answer.json and answer.json["usageMetadata"] == cache["usageMetadata"]


@pytest.mark.parametrize("query, body, words", [
    ("", {}, "One of ttl and expireTime"), ("?updateMask=ttl", {}, "One of ttl"),
    ("?updateMask=displayName", {"displayName": "x"}, "cannot be changed"), ("", {"displayName": "x"}, "cannot be changed"),
    ("", {"contents": [user("x")], "ttl": "5s"}, "cannot be changed"), ("", {"ttl": "0s"}, "more than 0s"),
    ("", {"model": "models/gemini-2.0-flash", "ttl": "5s"}, "cannot be changed"),
    ("?updateMask=ttl", {"expireTime": "2100-01-01T00:00:00Z"}, "One of ttl"),
    ("", {"ttl": "5s", "expireTime": "2100-01-01T00:00:00Z"}, "already set"),
    ("", {"expireTime": "2001-01-01T00:00:00Z"}, "in the future"), ("?updateMask=a,ttl", {"ttl": "5s"}, "'a'"),
])
def test_bad_patches(server, query, body, words):
    """proves: C017"""
    cache = create(server, displayName="mine")
    assert refused(server.call("PATCH", f"/v1beta/{cache['name']}{query}", body), 400, "INVALID_ARGUMENT", words)
    assert server.get(f"/v1beta/{cache['name']}").json == cache


def test_an_hour_when_nothing_is_said(server):
    cache = create(server)
    assert 3590 < when(cache["expireTime"]) - time.time() < 3601
    later = create(server, expireTime="2100-01-01T02:00:00.5+02:00")  # proves: C004
    assert later["expireTime"].startswith("2100-01-01T00:00:00.5")


def test_expiry(on_folder, tmp_path):
    """proves: C016; at once not found, and after the sweep nothing is left."""
    server = on_folder()
    cache = create(server, ttl="0.4s")
    assert n_cached(use(server, cache)) > 0 and len(on_disk(tmp_path)) == 1
    time.sleep(0.5)
    assert refused(use(server, cache), 404, "NOT_FOUND", "expired")
    assert server.get(f"/v1beta/{cache['name']}").status == 404
    assert server.get(CACHES).json.get("cachedContents", []) == []
    server.stop()
    server = on_folder()
    assert on_disk(tmp_path) == []


# ---- the disk ----


def test_a_cache_outlives_the_server(on_folder, tmp_path):
    server = on_folder()
    cache = create(server, displayName="kept", systemInstruction={"parts": [{"text": "Your name is Neko."}]})
    before = use(server, cache, "hi")
    server.stop()
    server = on_folder()
    assert server.get(f"/v1beta/{cache['name']}").json == cache
    after = use(server, cache, "hi")
    assert after.said == before.said == "Meow." and usage(after) == usage(before)
    assert n_cached(after) == cache["usageMetadata"]["totalTokenCount"]


def test_deleting_frees_the_disk(on_folder, tmp_path):
    server = on_folder()
    cache = create(server)
    assert len(on_disk(tmp_path)) == 1
    server.call("DELETE", f"/v1beta/{cache['name']}")
    assert on_disk(tmp_path) == []


def test_the_same_contents_twice_lie_there_once(on_folder, tmp_path):
    server = on_folder()
    one, two = create(server), create(server)
    assert one["name"] != two["name"] and len(on_disk(tmp_path)) == 1
    server.call("DELETE", f"/v1beta/{one['name']}")
    assert n_cached(use(server, two)) == two["usageMetadata"]["totalTokenCount"]


def blob(tmp_path):
    return next(p for p in (tmp_path / "data" / "blobs").rglob("*") if p.is_file())


@pytest.mark.parametrize("harm", ["lost", "cut", "changed", "other engine"])
def test_rows_that_are_no_good_are_made_again(on_folder, tmp_path, harm):
    server = on_folder()
    cache = create(server)
    total = cache["usageMetadata"]["totalTokenCount"]
    server.stop()
    path = blob(tmp_path)
    data = path.read_bytes()
    if harm == "lost":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(data[:-1000])
    elif harm == "changed":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:])
    else:
        database(tmp_path).execute("UPDATE cache_rows SET key = 'of a model that was'")
    server = on_folder()
    first = use(server, cache)
    assert first.said == "Hello there." and n_cached(first) == total  # with the rows that were made for it
    until = time.monotonic() + 10 * PATIENCE
    while "rows=made" not in server.log and time.monotonic() < until:  # it is answered before they are saved
        time.sleep(0.02)
    assert "rows=made" in server.log
    server.stop()
    assert blob(tmp_path).read_bytes() == data
    server = on_folder()
    assert n_cached(use(server, cache)) == total and "rows=made" not in server.log
    server.call("DELETE", f"/v1beta/{cache['name']}")
    assert on_disk(tmp_path) == []


def test_the_rows_of_many_caches_have_a_limit(on_folder, tmp_path):
    """Those of the caches that were not used for the longest time go; the caches stay."""
    server = on_folder("--caches-total", 1_000_000)
    caches = [create(server, f"{i}: {LONG}") for i in range(6)]
    sizes = [p.stat().st_size for p in (tmp_path / "data" / "blobs").rglob("*") if p.is_file()]
    assert sum(sizes) <= 1_000_000 and len(sizes) >= 1, sizes
    for cache in caches:
        assert n_cached(use(server, cache)) == cache["usageMetadata"]["totalTokenCount"]


def test_many_at_once_on_one_cache(on_folder):
    """After a restart, so that all want the rows from the disk; and again when they must be made."""
    server = on_folder()
    cache = create(server)
    total = cache["usageMetadata"]["totalTokenCount"]
    for key in (None, "other"):
        server.stop()
        if key:
            database(server_folder(server)).execute("UPDATE cache_rows SET key = 'other'")
        server = on_folder()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda i: use(server, cache, f"count to five, {i}",
                                                  verb="streamGenerateContent?alt=sse"), range(48)))
        assert {a.said for a in answers} == {"One, two, three, four, five."}
        assert {n_cached(a) for a in answers} == {total}
        until = time.monotonic() + 10 * PATIENCE
        while key and "rows=made" not in server.log and time.monotonic() < until:
            time.sleep(0.02)
        assert server.log.count("rows=made") == (1 if key else 0), server.log


def server_folder(server):
    """What database() takes: the folder above the server's own."""
    from pathlib import Path
    return Path(server.command[len(server.command) - 1 - server.command[::-1].index("--data-dir") + 1]).parent


# ---- crashes ----


@pytest.mark.parametrize("seed", range(4))
def test_kill_during_a_save(on_folder, tmp_path, seed):
    """Whatever moment it dies in: what was answered is there and whole, nothing half-written is served."""
    rng = random.Random(seed)
    told = []

    def ask(server, i):
        try:
            answer = server.post(CACHES, {"model": MODEL, "displayName": str(i), "contents": [user(f"{i} {LONG * 8}")]})
            if answer.status == 200:
                told.append(answer.json)
        except OSError:
            pass

    for round in range(3):
        server = on_folder()
        with ThreadPoolExecutor(4) as pool:
            for i in range(4):
                pool.submit(ask, server, f"{round}-{i}")
            time.sleep(rng.uniform(0.002, 0.12) * PATIENCE)
            server.crash()
    server = on_folder()
    listed = {c["name"]: c for c in server.get(CACHES + "?pageSize=1000").json.get("cachedContents", [])}
    for cache in told:
        assert listed[cache["name"]] == cache
    for cache in listed.values():
        assert n_cached(use(server, cache)) == cache["usageMetadata"]["totalTokenCount"]
    assert "rows=broken" not in server.log and "rows=missing" not in server.log
    rows = {h for h, in database(tmp_path).execute("SELECT lower(hex(hash)) FROM cache_rows")}
    assert set(on_disk(tmp_path)) == rows
    for name in listed:
        assert server.call("DELETE", f"/v1beta/{name}").status == 200
    assert on_disk(tmp_path) == [] and not sqlite3.connect(tmp_path / "data" / "pollux.db").execute(
        "SELECT 1 FROM blobs").fetchone()


def test_a_client_that_leaves_and_a_server_that_stops(scripted):
    server = scripted()
    with server.wire() as wire:
        wire.send(f"POST {CACHES} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{{")
    for _ in range(20):
        with server.wire() as wire:
            body = '{"model":"%s","contents":[{"parts":[{"text":"%s"}]}]}' % (MODEL, LONG)
            wire.send(f"POST {CACHES} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    assert use(server, create(server)).said == "Hello there."
