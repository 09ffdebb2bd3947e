"""The Interactions API: the resource, its forms of input, what is refused, streams."""

import base64
import json
import re
import threading
import time

import pytest

from interactions import MODEL, TIDE, TIDE_ASKED, ask, deltas, ended, get, made, parse, refused, said, stream, text_step
from pollux import PATIENCE, request_bytes


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
    ({"input": [{"type": "image", "uri": "ftp://example.com/a.png"}]}, "input[0].content[0].uri"),
    ({"input": [{"type": "image", "uri": "files/a", "resolution": "huge"}]}, "resolution"),
    ({"input": [{"type": "video", "uri": "files/a", "processing": "agentic"}]}, "not supported"),
    ({"input": [{"type": "function_result", "call_id": "x", "result": "1"}]}, "input[0].call_id"),
    ({"input": None, "continuation_token": "t", "previous_interaction_id": "v1_a"}, "continuation"),
    ({"background": True, "store": False}, "needs store"), ({"cached_content": "a"}, "cachedContents/{id}"),
    ({"cached_content": 7}, "cached_content"),
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


def test_arguments_come_as_they_are_written(server):
    """They add up to what is kept and to what comes whole. proves: I111"""
    events = stream(server, "Tide in pieces", tools=[TIDE])
    kept = get(server, events[0]["interaction"]["id"]).json
    assert kept["status"] == "requires_action" and said(kept) == "I look."
    calls = [s for s in kept["steps"] if s["type"] == "function_call"]
    assert [c["arguments"] for c in calls] == [{"harbour": 'Grü\u00dfe "x"', "hour_of_day": 9}, {"harbour": "Oslo"}]
    for index, call in enumerate(calls, 1):
        own = [e for e in events if e.get("index") == index]
        assert [e["event_type"] for e in own] == ["step.start", *["step.delta"] * (len(own) - 2), "step.stop"]
        assert own[0]["step"] == {"type": "function_call", "id": call["id"], "name": "get_tide", "arguments": {}}
        assert json.loads("".join(deltas(own, "arguments_delta", "arguments"))) == call["arguments"]
    pieces = deltas([e for e in events if e.get("index") == 1], "arguments_delta", "arguments")
    assert pieces[0] == '{"harb' and len(pieces) == 4, pieces
    assert parse(get(server, kept["id"], "?stream=true").text) == events
    whole = made(server, "Tide in pieces", tools=[TIDE])
    assert whole["steps"] == kept["steps"] and whole["usage"] == kept["usage"]


def test_a_call_that_breaks_off_was_none(server):
    """Its step is begun and not ended, and what is kept has it not."""
    for fields, last in (({"prompt": "Tide in pieces", "generation_config": {"max_output_tokens": 30}}, "interaction.completed"),
                         ({"prompt": "Tide that is no JSON"}, "error")):
        events = stream(server, fields.pop("prompt"), tools=[TIDE], **fields)
        begun = [e["index"] for e in events if e["event_type"] == "step.start" and e["step"]["type"] == "function_call"]
        assert len(begun) == 1 and not [e for e in events if e["event_type"] == "step.stop" and e["index"] == begun[0]]
        kept = get(server, events[0]["interaction"]["id"]).json
        assert events[-1]["event_type"] == last
        assert kept["status"] == ("failed" if last == "error" else "incomplete")
        assert [s["type"] for s in kept["steps"]] == ["model_output"] * begun[0]
    assert kept["errors"][0]["code"] == "malformed_function_call"


def test_a_call_that_is_looked_at_comes_whole(scripted, tmp_path):
    """What may be blocked does not leave in pieces."""
    (tmp_path / "list").write_text("Stavanger\n")
    server = scripted("--blocklist", tmp_path / "list")
    events = stream(server, "Tide in pieces", tools=[TIDE])
    assert [json.loads(a)["harbour"] for a in deltas(events, "arguments_delta", "arguments")] == ['Grü\u00dfe "x"', "Oslo"]


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
