"""The Interactions API: the resource, its forms of input, steps, streams, chains, the background,
and what of it a dying server leaves."""

import base64
import hmac
import http.server
import json
import re
import sqlite3
import subprocess
import threading
import time

import pytest

from media_files import picture
from pollux import BINARY, PATIENCE, SCRIPT, request_bytes

MODEL = "gemini-3-flash-preview"
TIDE = {"type": "function", "name": "get_tide", "description": "Tide height", "parameters": {
    "type": "object", "required": ["harbour"], "properties": {
        "harbour": {"type": "string"}, "hour_of_day": {"type": "integer"}}}}
TIDE_ASKED = "How high is the tide in Bergen at 9?"


def ask(server, input, version="v1beta", query="", headers=None, **fields):
    return server.post(f"/{version}/interactions{query}", {"model": MODEL, "input": input, **fields}, headers=headers)


def made(server, input, **fields):
    answer = ask(server, input, **fields)
    assert answer.status == 200, answer
    return answer.json


def get(server, id, query=""):
    return server.get(f"/v1beta/interactions/{id}{query}")


def text_step(text):
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def said(interaction):
    return "".join(c["text"] for s in interaction["steps"] if s["type"] == "model_output" for c in s["content"])


def parse(text):
    """Events of a stream: [(name, data)]; it must have ended as streams do."""
    events = []
    for frame in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines())
        if lines:
            events.append((lines["event"], lines["data"]))
    assert events and events.pop() == ("done", "[DONE]"), text[-300:]
    for name, data in events:
        assert json.loads(data)["event_type"] == name
    return [json.loads(data) for _, data in events]


def stream(server, input, **fields):
    answer = ask(server, input, stream=True, **fields)
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream", answer
    return parse(answer.text)


def deltas(events, kind="text", member="text"):
    return [e["delta"][member] for e in events if e["event_type"] == "step.delta" and e["delta"]["type"] == kind]


def refused(answer, status, code, words=""):
    """proves: E017"""
    assert answer.status == status, answer
    assert set(answer.json) == {"error"} and set(answer.error) == {"code", "message"}, answer
    assert answer.error["code"] == code and words in answer.error["message"], answer
    return True


def ended(server, id, within=10):
    until = time.monotonic() + within * PATIENCE
    while True:
        now = get(server, id).json
        if now["status"] != "in_progress":
            return now
        assert time.monotonic() < until, now
        time.sleep(0.02)


# ---- create ----


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_the_resource(server, version):
    """proves: I001 I005 I013 I014 I026 I048 I061 I075 I076 I083 I086 I092 I093 I094 I095 I096 H003 J042"""
    answer = ask(server, "Say hello", version)
    assert answer.status == 200 and answer.headers["content-type"] == "application/json; charset=UTF-8"
    got = answer.json
    assert re.fullmatch(r"v1_[\w-]{24}", got["id"]) and got["object"] == "interaction"
    assert got["status"] == "completed" and got["model"] == MODEL
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got["created"]) and got["updated"] >= got["created"]
    assert got["steps"] == [{"type": "model_output", "content": [{"type": "text", "text": "Hello there."}]}]
    usage = got["usage"]
    assert usage["total_tokens"] == usage["total_input_tokens"] + usage["total_output_tokens"]
    assert usage["total_output_tokens"] > 0 and usage["total_thought_tokens"] == 0
    assert usage["total_cached_tokens"] == 0 and usage["total_tool_use_tokens"] == 0
    assert usage["input_tokens_by_modality"] == [{"modality": "text", "tokens": usage["total_input_tokens"]}]
    assert usage["output_tokens_by_modality"] == [{"modality": "text", "tokens": usage["total_output_tokens"]}]
    assert "input" not in got and "previous_interaction_id" not in got
    assert get(server, got["id"]).json == got


INPUTS = {
    # proves: I014 I015 I016 I018 I019 I048 I060
    "text": "Say hello", "block": {"type": "text", "text": "Say hello"}, "blocks": [{"type": "text", "text": "Say hello"}],
    "step": text_step("Say hello"), "steps": [text_step("Say hello")],
    "bare text in a step": [{"type": "user_input", "content": "Say hello"}],
    "bare block in a step": [{"type": "user_input", "content": {"type": "text", "text": "Say hello"}}],
}


@pytest.mark.parametrize("form", INPUTS)
def test_forms_of_input(server, form):
    got = made(server, INPUTS[form])
    assert said(got) == "Hello there."
    back = get(server, got["id"], "?include_input=true&stream=false").json["input"]
    assert [s["type"] for s in back] == ["user_input"] and "Say hello" in json.dumps(back)


def test_forms_of_input_are_one_prompt(server):
    """proves: I019"""
    assert len({made(server, i)["usage"]["total_input_tokens"] for i in INPUTS.values()}) == 1


def test_blocks_in_a_row_are_one_input(server):
    got = made(server, [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "model_output", "content": []},
                        {"type": "text", "text": "c"}])
    back = get(server, got["id"], "?include_input=true").json["input"]
    assert [s["type"] for s in back] == ["user_input", "model_output", "user_input"]
    assert [c["text"] for c in back[0]["content"]] == ["a", "b"]


def test_echoes(server):
    """proves: I008 I020 I022 I033 I034 I035 I037 I039 I040 I041 I042"""
    fields = {"system_instruction": "You are a cat. Your name is Neko.", "generation_config": {
        "temperature": 1.0, "top_p": 0.9, "seed": 7, "max_output_tokens": 50, "stop_sequences": ["x"]},
        "labels": {"team": "a-1"}, "service_tier": "priority", "response_modalities": ["text"], "tools": [TIDE],
        "safety_settings": [{"type": "harassment", "threshold": "block_only_high", "method": "probability"},
                            {"type": "jailbreak", "threshold": "off"}]}
    got = made(server, "Hello there", **fields)
    assert said(got) == "Meow."
    for name, value in fields.items():
        assert got[name] == value, name
    assert get(server, got["id"], "?stream=false").json == got


def test_stop_and_length(server):
    """proves: I039 I040 I089 I122"""
    got = made(server, "count to five", generation_config={"stop_sequences": ["three"]})
    assert said(got) == "One, two, " and got["status"] == "completed"
    got = made(server, "count to five", generation_config={"max_output_tokens": 3})
    assert got["status"] == "incomplete" and said(got) and "five" not in said(got)
    events = stream(server, "count to five", generation_config={"max_output_tokens": 3})
    assert events[-1]["interaction"]["status"] == "incomplete"


@pytest.mark.parametrize("level", ["minimal", "low", "medium", "high", "xhigh"])
def test_thinking(server, level):
    """proves: I021 I043 I047 I064"""
    got = made(server, "Think it over", generation_config={"thinking_level": level, "thinking_summaries": "auto"})
    thought, output = got["steps"]
    assert thought["type"] == "thought" and thought["summary"] == [{"type": "text", "text": "Compare both options."}]
    assert base64.b64decode(thought["signature"]) and output["content"][0]["text"] == "Option B."
    assert got["usage"]["total_thought_tokens"] > 0
    hidden = made(server, "Think it over", generation_config={"thinking_level": level, "thinking_summaries": "none"})
    assert hidden["steps"][0] == {"type": "thought", "signature": thought["signature"]}


def test_structured_answers(server):
    """proves: I028 I029"""
    schema = {"type": "array", "items": {"type": "object", "properties": {"recipeName": {"type": "string"}}}}
    for form in ({"response_format": {"type": "text", "mime_type": "application/json", "schema": schema}},
                 {"response_format": [{"type": "text", "schema": schema}]}, {"response_format": schema},
                 {"response_format": schema, "response_mime_type": "application/json"},
                 {"response_mime_type": "application/json"}):
        got = made(server, "popular cookie recipes", **form)
        assert json.loads(said(got))[0]["recipeName"] == "Snickerdoodle"


def test_headers_and_queries_that_clients_send(server):
    """proves: I002 I003 I004 I005"""
    headers = {"Api-Revision": "2026-05-20", "Accept": "text/event-stream"}
    for query, fields in (("?alt=sse", {"stream": True}), ("", {"stream": True}), ("?alt=sse", {})):
        answer = ask(server, "Say hello", query=query, headers=headers, **fields)
        assert "".join(deltas(parse(answer.text))) == "Hello there.", answer
    assert made(server, "Say hello", headers={"Api-Revision": "2026-05-20"})["status"] == "completed"


def test_nothing_is_kept_without_store(server):
    """proves: I025 I100"""
    got = made(server, "Say hello", store=False)
    assert refused(get(server, got["id"]), 404, "not_found")
    assert refused(ask(server, "again", previous_interaction_id=got["id"]), 404, "not_found", got["id"])


def test_a_large_body(server):
    """It is read on another thread."""
    long = "word " * 20_000
    got = made(server, long + "Say hello")
    assert said(got) == "Hello there." and got["usage"]["total_input_tokens"] > 20_000
    assert "".join(deltas(stream(server, long + "count to five"))) == "One, two, three, four, five."
    assert refused(ask(server, long, foo=1), 400, "invalid_request", "foo")
    assert refused(ask(server, long * 10), 400, "invalid_request", "token")
    assert refused(ask(server, long * 10, stream=True), 400, "invalid_request", "token")
    assert refused(ask(server, long * 10, background=True), 400, "invalid_request", "token")


def test_many_at_once(server):
    answers = {}

    def one(i):
        answers[i] = "".join(deltas(stream(server, f"Echo number {i}, slow or not.", store=i % 3 > 0)))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 40 and all(f"number {i}," in answers[i] for i in answers)


# ---- what is refused ----


REFUSED = [
    # proves: I031 I032 I036 I038 I046 I124
    ({"agent": "deep-research"}, "exactly one of model and agent"), ({"model": None}, "exactly one of model and agent"),
    ({"model": None, "agent": "deep-research"}, "agent"), ({"input": None}, "input"), ({"input": ""}, "empty"),
    ({"input": []}, "empty"), ({"input": 7}, "input"), ({"input": [{"type": "joke"}]}, "input[0].type"),
    ({"input": [{"text": "a"}]}, "input[0].type"), ({"input": [{"type": "text"}]}, "input[0].content[0].text"),
    ({"input": [{"type": "user_input", "content": []}]}, "input[0].content"),
    ({"input": [{"type": "thought", "signature": "c2ln"}]}, "empty"),
    ({"input": [{"type": "text", "text": "a", "foo": 1}]}, "foo"), ({"foo": 1}, "foo"),
    ({"input": [{"type": "image", "mime_type": "image/png"}]}, "one of data and uri"),
    ({"input": [{"type": "image", "data": "aGk="}]}, "mime_type"),
    ({"input": [{"type": "image", "uri": "http://example.com/a.png"}]}, "not supported"),
    ({"input": [{"type": "video", "uri": "files/a", "processing": "agentic"}]}, "not supported"),
    ({"input": [{"type": "function_result", "call_id": "x", "result": "1"}]}, "input[0].call_id"),
    ({"input": None, "continuation_token": "t", "previous_interaction_id": "v1_a"}, "continuation"),
    ({"background": True, "store": False}, "needs store"), ({"cached_content": "cachedContents/a"}, "not supported"),
    ({"continuation_token": "t"}, "not supported"), ({"webhook_config": {"uris": ["http://a"]}}, "--webhook-secret"),
    ({"environment": "e"}, "not supported"), ({"agent_config": {"type": "dynamic"}}, "not supported"),
    ({"response_modalities": ["audio"]}, "not supported"), ({"labels": {"A": "b"}}, "labels"), ({"labels": ["a"]}, "labels"),
    ({"generation_config": {"speech_config": {"voice": "Kore"}}}, "not supported"),
    ({"generation_config": {"image_config": {"aspect_ratio": "1:1"}}}, "not supported"),
    ({"generation_config": {"video_config": {"task": "t"}}}, "not supported"),
    ({"generation_config": {"transcription_config": {"a": 1}}}, "not supported"),
    ({"generation_config": {"thinking_level": "deep"}}, "generation_config.thinking_level"),
    ({"generation_config": {"temperature": 3}}, "generation_config.temperature"),
    ({"generation_config": {"stop_sequences": [""]}}, "stop_sequences"),
    ({"response_format": {"type": "image"}}, "not supported"), ({"response_format": {"type": "audio"}}, "not supported"),
    ({"response_format": {"type": "text", "mime_type": "text/html"}}, "not supported"),
    ({"response_format": {"type": "text", "mime_type": "text/plain", "schema": {"type": "string"}}}, "schema"),
    ({"safety_settings": [{"type": "jailbreak", "threshold": "block_only_high"}]}, "not supported"),
    ({"safety_settings": [{"type": "harassment", "threshold": "off", "method": "severity"}]}, "not supported"),
    ({"tools": [{"type": "abacus"}]}, "tools[0].type"), ({"tools": [{"type": "function", "name": "1 2"}]}, "tools[0].name"),
    ({"tools": [TIDE, TIDE]}, "tools[1].name"), ({"tools": [{**TIDE, "parameters": {"type": "string"}}]}, "parameters"),
    ({"generation_config": {"tool_choice": "any"}}, "no tools"),
    ({"tools": [TIDE], "generation_config": {"tool_choice": "perhaps"}}, "tool_choice"),
    ({"tools": [TIDE], "generation_config": {"tool_choice": {"allowed_tools": {"mode": "any", "tools": ["f"]}}}}, "among"),
]


@pytest.mark.parametrize("fields, words", REFUSED, ids=lambda x: json.dumps(x)[:70] if isinstance(x, dict) else "")
def test_what_is_refused(server, fields, words):
    """proves: E018"""
    assert refused(ask(server, fields.pop("input", "hi") if "input" in fields else "hi", **fields), 400, "invalid_request", words)


@pytest.mark.parametrize("tool", ["google_maps", "computer_use", "retrieval"])
def test_built_in_tools_are_known_and_refused(server, tool):
    """proves: I056 I057 I059"""
    assert refused(ask(server, "hi", tools=[{"type": tool}]), 400, "invalid_request", f"the built-in tool {tool}")


def test_errors(server):
    """proves: I099 E017 E018"""
    assert refused(server.post("/v1/interactions", b"{"), 400, "invalid_request", "Invalid JSON")
    assert refused(ask(server, "hi", model="no-such-model"), 404, "not_found", "no-such-model")
    assert refused(ask(server, "hi", previous_interaction_id="v1_none"), 404, "not_found", "v1_none")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "?stream=true")):
        assert refused(server.call(method, f"/v1beta/interactions/v1_none{path}"), 404, "not_found", "v1_none")
    assert refused(get(server, "v1_none", "?last_event_id=x&stream=true"), 400, "invalid_request", "last_event_id")
    assert refused(server.call("PUT", "/v1beta/interactions"), 405, "unimplemented")
    assert refused(server.get("/v1beta/interactions"), 405, "unimplemented")


def test_faults_of_the_engine(server):
    """proves: I087 I108"""
    answer = ask(server, "fault RESOURCE_EXHAUSTED")
    assert refused(answer, 429, "resource_exhausted") and answer.headers["retry-after-ms"] == "4000"
    assert refused(ask(server, "fault UNAVAILABLE"), 503, "unavailable")
    events = stream(server, "fails midway")
    assert deltas(events) == ["One, ", "two, "]
    assert events[-1]["event_type"] == "error" and events[-1]["error"]["code"] == "unavailable"
    kept = get(server, events[0]["interaction"]["id"]).json
    assert kept["status"] == "failed" and kept["errors"] == [events[-1]["error"]] and said(kept) == "One, two, "


@pytest.mark.parametrize("prompt", ["block the prompt", "block the candidate"])
def test_blocked(server, prompt):
    got = made(server, prompt)
    assert got["status"] == "failed" and got["errors"][0]["code"] == "content_blocked"
    assert "SAFETY" in got["errors"][0]["message"] and stream(server, prompt)[-1]["event_type"] == "error"


def test_keys(scripted):
    server = scripted("--api-key", "k1")
    assert refused(ask(server, "hi"), 400, "api_key_invalid", "API key not valid")
    assert refused(ask(server, "hi", headers={"x-goog-api-key": None}), 403, "permission_denied")
    assert ask(server, "hi", headers={"x-goog-api-key": "k1"}).status == 200


# ---- streams ----


def test_events_of_a_text(server):
    """proves: I009 I023 I102 I103 I104 I105 I106 I107 I109 I110 I117 I118 I119"""
    events = stream(server, "count to five")
    assert [e["event_type"] for e in events] == [
        "interaction.created", "interaction.status_update", "step.start", *["step.delta"] * 5, "step.stop",
        "interaction.completed"]
    assert [e["event_id"] for e in events] == [str(i + 1) for i in range(len(events))]
    created, status, start, *_, stop, completed = events
    id = created["interaction"]["id"]
    assert created["interaction"]["status"] == status["status"] == "in_progress" and status["interaction_id"] == id
    assert start["index"] == stop["index"] == 0 and start["step"] == {"type": "model_output", "content": []}
    assert deltas(events) == ["One, ", "two, ", "three, ", "four, ", "five."]
    assert completed["interaction"]["status"] == "completed"
    kept = get(server, id).json
    assert kept["usage"] == completed["interaction"]["usage"] and said(kept) == "One, two, three, four, five."
    assert kept["updated"] == completed["interaction"]["updated"]


def test_events_of_a_thought(server):
    """proves: I112 I113 I121"""
    events = stream(server, "Think it over", generation_config={"thinking_summaries": "auto"})
    assert "".join(c["text"] for c in deltas(events, "thought_summary", "content")) == "Compare both options."
    assert [e["step"]["type"] for e in events if e["event_type"] == "step.start"] == ["thought", "model_output"]
    kept = get(server, events[0]["interaction"]["id"]).json
    assert deltas(events, "thought_signature", "signature") == [kept["steps"][0]["signature"]]


def test_events_of_a_call(server):
    """proves: I111 I120"""
    events = stream(server, TIDE_ASKED, tools=[TIDE])
    start = next(e for e in events if e["event_type"] == "step.start")
    assert start["step"]["name"] == "get_tide" and start["step"]["arguments"] == {} and start["step"]["id"]
    assert json.loads("".join(deltas(events, "arguments_delta", "arguments"))) == {"harbour": "Bergen", "hour_of_day": 9}
    assert events[-1]["interaction"]["status"] == "requires_action"


def test_the_first_event_does_not_wait_for_the_last(server):
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "slowly", "stream": True}))
        began = time.monotonic()
        wire.until(b"alpha ")
        assert time.monotonic() - began < 0.6 * PATIENCE
        wire.until(b'"delta"}')
        assert time.monotonic() - began > 0.8


def test_a_replay_is_the_stream(server):
    """proves: I009 I010"""
    events = stream(server, "count to five")
    id = events[0]["interaction"]["id"]
    for n in range(len(events) + 1):
        query = f"?stream=true&last_event_id={n}" if n else "?stream=true"
        answer = get(server, id, query)
        assert answer.headers["content-type"] == "text/event-stream"
        assert parse(answer.text or "\n\n") == events[n:]


def test_an_answer_that_was_not_streamed_has_a_stream(server):
    """proves: I009"""
    for prompt in ("count to five", "Think it over", TIDE_ASKED):
        got = made(server, prompt, tools=[TIDE], generation_config={"thinking_summaries": "auto"})
        events = parse(get(server, got["id"], "?stream=true").text)
        assert events[-1]["interaction"]["status"] == got["status"] and events[-1]["interaction"]["usage"] == got["usage"]
        assert "".join(deltas(events)) == said(got)
        assert parse(get(server, got["id"], "?stream=true&last_event_id=3").text) == events[3:]


def test_a_broken_stream_is_taken_up(server):
    """A client that is cut off anywhere gets the rest while it is made. proves: I010 I117"""
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "slowly", "stream": True}))
        seen = wire.until(b"beta ").decode() + wire.until(b"\n\n").decode()
    datas = re.findall(r"data: (\{.*\})", seen)
    events = [json.loads(d) for d in datas]
    id, last = events[0]["interaction"]["id"], events[-1]["event_id"]
    assert get(server, id).json["status"] == "in_progress"
    events += parse(get(server, id, f"?stream=true&last_event_id={last}").text)
    assert "".join(deltas(events)) == "alpha beta gamma delta"
    assert [e["event_id"] for e in events] == [str(i + 1) for i in range(len(events))]
    assert parse(get(server, id, "?stream=true").text) == events


def test_many_follow_one(server):
    got = made(server, "slowly", background=True)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(get(server, got["id"], "?stream=true").text)) for _ in range(5)]
    for t in threads:
        t.start()
        time.sleep(0.1)
    for t in threads:
        t.join()
    assert len({json.dumps(parse(a)) for a in answers}) == 1 and "".join(deltas(parse(answers[0]))) == "alpha beta gamma delta"


def test_a_dropped_line(server):
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "drops the line", "stream": True}))
        text = wire.rest().decode()
    assert "two, " in text and "[DONE]" not in text
    id = re.search(r'"id":"(v1_[\w-]+)"', text)[1]
    assert ended(server, id)["status"] == "failed"


# ---- chains ----


def test_a_chain(server):
    """proves: I024 I097 I098"""
    first = made(server, "I own 2 dogs.")
    second = made(server, "How many paws is that?", previous_interaction_id=first["id"])
    assert second["previous_interaction_id"] == first["id"] and said(second) == "Eight paws."
    assert second["usage"]["total_input_tokens"] > first["usage"]["total_input_tokens"] + 10
    events = stream(server, "How many paws is that?", previous_interaction_id=second["id"])
    third = get(server, events[0]["interaction"]["id"], "?include_input=true").json
    assert third["input"] == [text_step("How many paws is that?")]
    assert third["usage"]["total_input_tokens"] > second["usage"]["total_input_tokens"]


HISTORIES = [("count to five", {}), ("Think it over", {"generation_config": {"thinking_summaries": "auto"}}),
             ("Think it over", {}), (TIDE_ASKED, {"tools": [TIDE]})]


@pytest.mark.parametrize("prompt, fields", HISTORIES, ids=str)
def test_a_history_that_the_client_keeps_is_the_chain(server, prompt, fields):
    """proves: I016 I064 I077"""
    first = made(server, prompt, **fields)
    more = text_step("And then?")
    if first["status"] == "requires_action":
        more = {"type": "function_result", "call_id": first["steps"][-1]["id"], "name": "get_tide",
                "result": [{"type": "text", "text": '{"cm": 134}'}]}
    chained = made(server, [more], previous_interaction_id=first["id"], **fields)
    alone = made(server, [text_step(prompt), *first["steps"], more], store=False, **fields)
    assert alone["steps"] == chained["steps"] and alone["usage"] == chained["usage"]


def test_a_chain_breaks_where_a_link_was_deleted(server):
    first = made(server, "I own 2 dogs.")
    second = made(server, "How many paws is that?", previous_interaction_id=first["id"])
    assert server.call("DELETE", f"/v1beta/interactions/{first['id']}").json == {}
    assert refused(ask(server, "And?", previous_interaction_id=second["id"]), 404, "not_found", first["id"])


def test_a_chain_that_ends_unstored(server):
    first = made(server, "I own 2 dogs.")
    second = made(server, "How many paws is that?", previous_interaction_id=first["id"], store=False)
    assert said(second) == "Eight paws." and refused(get(server, second["id"]), 404, "not_found")


def test_nothing_goes_on_from_what_is_in_progress(server):
    got = made(server, "slowly", background=True)
    assert refused(ask(server, "And?", previous_interaction_id=got["id"]), 400, "failed_precondition", "in progress")
    ended(server, got["id"])


# ---- functions ----


RESULTS = {
    # proves: I017 I063 I081 I082
    "blocks": [{"type": "text", "text": '{"cm": 134}'}], "object": {"cm": 134}, "text": "134 cm",
    "texts": [{"type": "text", "text": "134"}, {"type": "text", "text": "cm"}],
}


@pytest.mark.parametrize("form", RESULTS)
def test_functions(server, form):
    """proves: I027 I051 I062 I085 I091"""
    asked = made(server, TIDE_ASKED, tools=[TIDE])
    call, = asked["steps"]
    assert asked["status"] == "requires_action"
    assert call == {"type": "function_call", "id": call["id"], "name": "get_tide",
                    "arguments": {"harbour": "Bergen", "hour_of_day": 9}}
    result = {"type": "function_result", "name": "get_tide", "call_id": call["id"], "result": RESULTS[form]}
    told = made(server, [result], previous_interaction_id=asked["id"], tools=[TIDE])
    assert told["status"] == "completed" and said(told) == "The tide is 134 cm."


def test_calls_side_by_side(server):
    asked = made(server, "Compare two harbours", tools=[TIDE])
    output, *calls = asked["steps"]
    assert output["type"] == "model_output" and [c["arguments"]["harbour"] for c in calls] == ["Bergen", "Oslo"]
    assert calls[0]["id"] != calls[1]["id"] and asked["status"] == "requires_action"
    results = [{"type": "function_result", "call_id": c["id"], "result": {"cm": 134}} for c in reversed(calls)]
    assert said(made(server, results, previous_interaction_id=asked["id"], tools=[TIDE])) == "The tide is 134 cm."
    results[1]["call_id"] = results[0]["call_id"]
    assert refused(ask(server, results, previous_interaction_id=asked["id"], tools=[TIDE]), 400, "invalid_request", "input[1].call_id")


def test_a_result_of_another_function_is_refused(server):
    asked = made(server, TIDE_ASKED, tools=[TIDE])
    result = {"type": "function_result", "name": "f", "call_id": asked["steps"][0]["id"], "result": "1"}
    assert refused(ask(server, [result], previous_interaction_id=asked["id"]), 400, "invalid_request", "get_tide")
    result = {**result, "name": "get_tide", "result": 7}
    assert refused(ask(server, [result], previous_interaction_id=asked["id"]), 400, "invalid_request", "input[0].result")


def test_an_error_is_told_to_the_model(server):
    asked = made(server, TIDE_ASKED, tools=[TIDE])
    result = {"type": "function_result", "call_id": asked["steps"][0]["id"], "result": "no gauge 134", "is_error": True}
    assert said(made(server, [result], previous_interaction_id=asked["id"])) == "The tide is 134 cm."


@pytest.mark.parametrize("choice", ["auto", "any", "none", "validated", {"allowed_tools": {"mode": "any", "tools": ["get_tide"]}},
                                    {"allowed_tools": {"mode": "auto", "tools": ["get_tide"]}}, {"allowed_tools": {"tools": []}}], ids=str)
def test_tool_choice(server, choice):
    """proves: I044 I045"""
    assert made(server, "Say hello", tools=[TIDE], generation_config={"tool_choice": choice})["status"] in ("completed", "requires_action")


TOOL_STEPS = [
    # proves: I065 I066 I067 I068 I069 I070 I071 I072 I073 I074 I079 I080
    ({"type": "google_search_call", "id": "1", "arguments": {"queries": ["q"]}, "search_type": "web_search", "signature": "c2ln"},
     {"type": "google_search_result", "call_id": "1", "result": [{"search_suggestions": "<div></div>"}]}),
    ({"type": "code_execution_call", "id": "1", "arguments": {"code": "print(1)", "language": "python"}},
     {"type": "code_execution_result", "call_id": "1", "result": "1", "is_error": False}),
    ({"type": "url_context_call", "id": "1", "arguments": {"urls": ["http://a"]}},
     {"type": "url_context_result", "call_id": "1", "result": [{"url": "http://a", "status": "success"}]}),
    ({"type": "google_maps_call", "id": "1"},
     {"type": "google_maps_result", "call_id": "1", "result": [{"places": [{"name": "p", "place_id": "1"}]}]}),
    ({"type": "file_search_call", "id": "1"}, {"type": "file_search_result", "call_id": "1"}),
    ({"type": "mcp_server_tool_call", "id": "1", "name": "t", "server_name": "s", "arguments": {}},
     {"type": "mcp_server_tool_result", "call_id": "1", "name": "t", "server_name": "s", "result": {"a": 1}}),
    ({"type": "retrieval_call", "id": "1", "arguments": {"queries": ["q"]}, "retrieval_type": "rag_store"},
     {"type": "retrieval_result", "call_id": "1", "is_error": True, "result": []}),
    ({"type": "processing_call", "id": "1"}, {"type": "processing_result", "call_id": "1"}),
]
CITED = {"type": "model_output", "content": [{"type": "text", "text": "So it is.", "annotations": [
    {"type": "url_citation", "url": "http://a", "title": "A", "start_index": 0, "end_index": 2},
    {"type": "file_citation", "file_name": "f"}, {"type": "place_citation", "name": "p"}, {"type": "word_info", "text": "So"}]}]}


@pytest.mark.parametrize("call, result", TOOL_STEPS, ids=lambda s: s["type"])
def test_steps_of_built_in_tools_in_a_history(server, call, result):
    history = [text_step("a"), call, result, CITED, text_step("Say hello")]
    got = made(server, history)
    assert said(got) == "Hello there."
    assert get(server, got["id"], "?include_input=true").json["input"] == history
    if not call["type"].startswith("processing"):
        assert refused(ask(server, [text_step("a"), result]), 400, "invalid_request", "input[1].call_id")


# ---- media ----


def test_an_image_as_data_and_as_a_file(server):
    """proves: I049 I056 F026"""
    data = picture("SCHOENSTEIN", "JPEG")
    inline = {"type": "image", "data": base64.b64encode(data).decode(), "mime_type": "image/jpeg", "resolution": "low"}
    answer = ask(server, [{"type": "text", "text": "What does it say?"}, inline])
    assert answer.status == 200 and "SCHOENSTEIN" in said(answer.json), answer
    assert answer.headers["x-pollux-media"].startswith("input[0].content[1]=image/jpeg")
    assert any(m["modality"] == "image" and m["tokens"] > 0 for m in answer.json["usage"]["input_tokens_by_modality"])
    broken = {**inline, "data": "aGVsbG8="}
    assert refused(ask(server, [broken]), 400, "invalid_request", "input[0].content[0]")
    got = made(server, [inline], background=True)
    assert "SCHOENSTEIN" in said(ended(server, got["id"], 60))


def test_a_document_and_media_in_a_result(server):
    """proves: I050"""
    note = base64.b64encode(b"the word is xylophone").decode()
    got = made(server, [{"type": "document", "data": note, "mime_type": "text/plain"}])
    assert "xylophone" in said(got)
    asked = made(server, TIDE_ASKED, tools=[TIDE])
    result = {"type": "function_result", "call_id": asked["steps"][0]["id"], "result": [
        {"type": "text", "text": "see"}, {"type": "document", "data": note, "mime_type": "text/plain"}]}
    assert ask(server, [result], previous_interaction_id=asked["id"]).status == 200


# ---- background, cancelling, deleting ----


def test_background(server):
    """proves: I006 I030 I084 I123"""
    began = time.monotonic()
    answer = ask(server, "slowly", background=True)
    assert time.monotonic() - began < 0.25 * PATIENCE and answer.json["status"] == "in_progress"
    assert answer.json["steps"] == []
    id = answer.json["id"]
    time.sleep(0.8)
    partly = get(server, id).json
    assert partly["status"] == "in_progress" and said(partly).startswith("alpha ")
    assert said(ended(server, id)) == "alpha beta gamma delta"


def test_a_background_fault_is_honest(server):
    got = made(server, "fails midway", background=True)
    got = ended(server, got["id"])
    assert got["status"] == "failed" and got["errors"][0]["code"] == "unavailable" and said(got) == "One, two, "


def test_cancel(server):
    """proves: I011 I088"""
    id = made(server, "slowly", background=True)["id"]
    time.sleep(0.5)
    began = time.monotonic()
    answer = server.call("POST", f"/v1/interactions/{id}/cancel", headers={"Content-Length": "0"})
    assert time.monotonic() - began < 0.2 * PATIENCE
    assert answer.json["status"] == "cancelled" and said(answer.json) == "alpha "
    assert get(server, id).json == answer.json
    assert refused(server.post(f"/v1/interactions/{id}/cancel"), 400, "failed_precondition", "over")
    assert parse(get(server, id, "?stream=true").text)[-1]["interaction"]["status"] == "cancelled"
    assert ask(server, "Say hello", previous_interaction_id=id).status == 200


def test_cancel_ends_a_stream(server):
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "slowly", "stream": True}))
        seen = wire.until(b"alpha ").decode()
        id = re.search(r'"id":"(v1_[\w-]+)"', seen)[1]
        assert server.post(f"/v1beta/interactions/{id}/cancel").json["status"] == "cancelled"
        assert '"status":"cancelled"' in wire.until(b"[DONE]").decode()


def test_cancel_while_media_are_read(server):
    def unread(words):  # what was read before takes no time
        data = base64.b64encode(picture(words, "JPEG")).decode()
        return {"type": "image", "data": data, "mime_type": "image/jpeg"}

    id = made(server, [unread(f"CANCEL {time.time_ns()}")], background=True)["id"]
    answer = server.post(f"/v1beta/interactions/{id}/cancel")
    assert answer.json["status"] == "cancelled" and answer.json["steps"] == []
    id = made(server, [unread(f"DELETE {time.time_ns()}")], background=True)["id"]
    assert server.call("DELETE", f"/v1beta/interactions/{id}").json == {}
    assert refused(get(server, id), 404, "not_found")
    time.sleep(0.5)
    assert said(made(server, "Say hello")) == "Hello there."


def test_delete(server):
    """proves: I012"""
    got = made(server, "Say hello")
    answer = server.call("DELETE", f"/v1/interactions/{got['id']}")
    assert answer.status == 200 and answer.json == {}
    assert refused(get(server, got["id"]), 404, "not_found")
    assert refused(server.call("DELETE", f"/v1/interactions/{got['id']}"), 404, "not_found")


def test_delete_what_is_in_progress(server):
    id = made(server, "slowly", background=True)["id"]
    assert server.call("DELETE", f"/v1/interactions/{id}").json == {}
    assert refused(get(server, id), 404, "not_found")
    time.sleep(0.3)
    assert refused(get(server, id), 404, "not_found")


def test_a_client_that_leaves_ends_what_nobody_keeps(scripted):
    server = scripted(slots=1)
    for fields in ({}, {"stream": True, "store": False}):
        with server.wire() as wire:
            wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "for ever", **fields}))
            time.sleep(0.2)
        began = time.monotonic()
        assert said(made(server, "Say hello")) == "Hello there."
        assert time.monotonic() - began < 1 * PATIENCE


def test_a_deadline(server):
    answer = ask(server, "after three seconds", headers={"X-Server-Timeout": "1"})
    assert refused(answer, 504, "deadline_exceeded", "1 s")


def test_a_deadline_of_a_stream(server):
    events = stream(server, "slowly", headers={"X-Server-Timeout": "1"})
    assert events[-1]["error"]["code"] == "deadline_exceeded" and deltas(events)[0] == "alpha "


# ---- what a dying server leaves ----


def test_what_was_answered_survives(on_folder):
    """proves: I101"""
    server = on_folder()
    plain, streamed = made(server, "I own 2 dogs."), stream(server, "count to five")
    server.crash()
    server = on_folder()
    assert get(server, plain["id"]).json == plain
    assert parse(get(server, streamed[0]["interaction"]["id"], "?stream=true").text) == streamed
    assert said(made(server, "How many paws is that?", previous_interaction_id=plain["id"])) == "Eight paws."


def test_a_background_run_is_taken_up_again(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    server.crash()
    server = on_folder()
    assert get(server, id).json["status"] == "in_progress"
    got = ended(server, id)
    assert got["status"] == "completed" and said(got) == "At last."
    events = parse(get(server, id, "?stream=true").text)
    assert [e["event_type"] for e in events][:4] == ["interaction.created", *["interaction.status_update"] * 2, "step.start"]
    ids = [int(e["event_id"]) for e in events]
    assert ids == sorted(set(ids))


def test_one_that_the_server_dies_of_is_not_run_for_ever(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    for _ in range(4):
        server.crash()
        server = on_folder()
    got = get(server, id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"


@pytest.mark.parametrize("background", [False, True])
def test_what_was_cut_off_has_failed_with_what_was_said(on_folder, background):
    server = on_folder()
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {
            "model": MODEL, "input": "for ever", "stream": True, "background": background}))
        seen = wire.until(b'" and"').decode() + wire.until(b"\n\n").decode()
        time.sleep(0.6)
        server.crash()
    events = [json.loads(d) for d in re.findall(r"data: (\{.*\})", seen)]
    id = events[0]["interaction"]["id"]
    server = on_folder()
    got = get(server, id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"
    rest = parse(get(server, id, f"?stream=true&last_event_id={events[-1]['event_id']}").text)
    assert rest[-1]["event_type"] == "error" and {e["event_type"] for e in rest[:-1]} <= {"step.delta"}
    assert "".join(deltas(events + rest)) == said(got) and said(got).startswith("on and")
    assert parse(get(server, id, "?stream=true").text) == events + rest


def test_a_stop_leaves_the_background_to_the_next(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    server.process.terminate()
    server.process.terminate()
    server.stop()
    assert ended(on_folder(), id)["status"] in ("completed", "failed")


def test_a_stop_in_the_middle_of_a_stream(on_folder):
    server = on_folder()
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "for ever", "stream": True}))
        id = re.search(r'"id":"(v1_[\w-]+)"', wire.until(b'" and"').decode())[1]
        for _ in range(2):
            server.process.terminate()
            time.sleep(0.3)
        assert '"code":"unavailable"' in wire.rest().decode()
    server.stop()
    got = get(on_folder(), id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted" and "on and" in said(got)


def test_a_database_that_fails_is_told(on_folder, tmp_path):
    """What could not be kept was not answered."""
    server = on_folder()
    database = sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)
    database.execute("ALTER TABLE interactions RENAME TO hidden")
    for fields in ({}, {"stream": True}, {"background": True}):
        assert refused(ask(server, "Say hello", **fields), 500, "internal", "database")
    assert said(made(server, "Say hello", store=False)) == "Hello there."
    database.execute("ALTER TABLE hidden RENAME TO interactions")
    assert said(made(server, "Say hello")) == "Hello there."


def test_retention(on_folder, tmp_path):
    server = on_folder("--interaction-days", 1)
    got = made(server, "Say hello")
    database = sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)
    created, expires = database.execute("SELECT created, expires FROM interactions").fetchone()
    assert expires - created == 24 * 3600 * 10**9
    database.execute("UPDATE interactions SET expires = 1")
    assert refused(get(server, got["id"]), 404, "not_found")
    assert refused(ask(server, "x", previous_interaction_id=got["id"]), 404, "not_found")


# ---- webhooks ----


class Receiver:
    """Somebody's server: what came, and what it answers, one after the other (then always 200)."""

    def __init__(self, *answers, port=0):
        self.got, self.answers = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, n, seconds=10):
        until = time.monotonic() + seconds * PATIENCE
        while len(self.got) < n and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.got) == n, self.got
        return self.got


SECRET = ("--webhook-secret", "s3cret", "--fetch-allow", "127.0.0.1")


def signed(headers, body, secret=b"s3cret"):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(secret, text, "sha256")).decode()


@pytest.mark.parametrize("prompt, event, status", [
    ("Say hello", "completed", "completed"), (TIDE_ASKED, "requires_action", "requires_action"),
    ("block the prompt", "failed", "failed")])
def test_a_webhook_is_signed(scripted, prompt, event, status):
    """proves: I036"""
    server = scripted(*SECRET)
    with Receiver() as receiver:
        got = made(server, prompt, tools=[TIDE], webhook_config={
            "uris": [receiver.url + "/a?b=c"], "user_metadata": {"mine": [1]}}, background=True)
        (path, headers, body), = receiver.wait(1)
    assert path == "/a?b=c" and headers["Content-Type"] == "application/json" and signed(headers, body)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    told = json.loads(body)
    assert told["type"] == f"interaction.{event}" and told["user_metadata"] == {"mine": [1]}
    assert told["data"] == {"id": got["id"], "object": "interaction", "status": status}
    assert get(server, got["id"]).json["status"] == status


def test_a_webhook_is_tried_again(scripted):
    server = scripted(*SECRET)
    with Receiver(302) as receiver:
        made(server, "Say hello", webhook_config={"uris": [receiver.url]})
        got = receiver.wait(2)
        assert len({headers["webhook-id"] for _, headers, _ in got}) == 1 and all(signed(h, b) for _, h, b in got)
        time.sleep(0.3)
        receiver.wait(2)


def test_a_webhook_survives_the_server(on_folder):
    server = on_folder(*SECRET)
    with Receiver() as receiver:
        port = receiver.server.server_port
    made(server, "Say hello", webhook_config={"uris": [f"http://127.0.0.1:{port}"]})
    server.crash()
    with Receiver(port=port) as receiver:
        on_folder(*SECRET)
        receiver.wait(1)


def test_a_webhook_does_not_reach_private_addresses(scripted):
    server = scripted(*SECRET[:2])
    with Receiver() as receiver:
        made(server, "Say hello", webhook_config={"uris": [receiver.url, receiver.url.replace("127.0.0.1", "localhost")]})
        until = time.monotonic() + 10
        while server.log.count("not on the public network") < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert server.log.count("not on the public network") >= 2 and not receiver.got
    assert refused(ask(server, "x", webhook_config={"uris": ["file:///etc/passwd"]}), 400, "invalid_request", "http")
    assert refused(ask(server, "x", store=False, webhook_config={"uris": ["http://a"]}), 400, "invalid_request", "store")


def test_webhooks_want_the_fetcher(tmp_path):
    done = subprocess.run([BINARY, "serve", "--script", SCRIPT, "--port", "0", "--data-dir", tmp_path,
                           "--webhook-secret", "x", "--fetch", "off"], capture_output=True, text=True, timeout=20 * PATIENCE)
    assert done.returncode == 2 and "--fetch off" in done.stderr
