"""Chains of interactions, and what a history may hold: functions, steps of tools, media."""

import base64

import pytest

from interactions import MODEL, TIDE, TIDE_ASKED, ask, ended, get, made, refused, said, stream, text_step
from media_files import picture


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


# ---- cached contents ----


LONG = "The transcript goes on and on, as transcripts do. " * 30


def cached(server, **fields):
    answer = server.post("/v1beta/cachedContents", {
        "model": "models/" + MODEL, "contents": [{"role": "user", "parts": [{"text": LONG}]}], **fields})
    assert answer.status == 200, answer
    return answer.json["name"], answer.json["usageMetadata"]["totalTokenCount"]


def test_a_cache_stands_before_the_chain(server):
    """proves: I031"""
    name, n_tokens = cached(server, systemInstruction={"parts": [{"text": "You read transcripts."}]})
    first = made(server, "I own 2 dogs.", cached_content=name)
    assert said(first) == "Lovely!" and first["usage"]["total_cached_tokens"] == n_tokens
    assert first["usage"]["total_input_tokens"] > n_tokens
    assert get(server, first["id"], "?include_input=true").json["input"] == [text_step("I own 2 dogs.")]
    second = made(server, "How many paws is that?", cached_content=name, previous_interaction_id=first["id"])
    assert said(second) == "Eight paws." and second["usage"]["total_cached_tokens"] >= n_tokens
    without = made(server, "How many paws is that?", previous_interaction_id=first["id"])
    assert without["usage"]["total_input_tokens"] < n_tokens  # it is asked for each time
    again = server.generate("Say hello", fields={"cachedContent": name}, model=MODEL)
    assert made(server, "Say hello", cached_content=name)["usage"]["total_input_tokens"] == \
        again.json["usageMetadata"]["promptTokenCount"]
    for fields in ({"stream": True}, {"background": True}, {"store": False}):
        answer = ask(server, "Say hello", cached_content=name, **fields)
        assert answer.status == 200, answer
        if "background" in fields:
            assert ended(server, answer.json["id"])["usage"]["total_cached_tokens"] >= n_tokens


def test_tools_of_a_cache_and_of_the_request(server):
    harbours = {"functionDeclarations": [{"name": "get_tide", "parameters": {"type": "object", "properties": {
        "harbour": {"type": "string"}, "hour_of_day": {"type": "integer"}}}}]}
    name, _ = cached(server, tools=[harbours])
    asked = made(server, TIDE_ASKED, cached_content=name)
    assert asked["status"] == "requires_action" and asked["steps"][-1]["name"] == "get_tide"
    told = made(server, [{"type": "function_result", "call_id": asked["steps"][-1]["id"], "result": {"cm": 134}}],
                cached_content=name, previous_interaction_id=asked["id"])
    assert said(told) == "The tide is 134 cm."
    other = {**TIDE, "name": "other"}
    only = {"tool_choice": {"allowed_tools": {"mode": "auto", "tools": ["other"]}}}
    assert made(server, "Say hello", cached_content=name, tools=[other], generation_config=only)["status"] == "completed"
    assert refused(ask(server, "x", cached_content=name, tools=[TIDE]), 400, "invalid_request", "tools[0].name")


def test_a_cache_that_cannot_be_used(server):
    name, _ = cached(server)
    assert refused(ask(server, "x", cached_content="cachedContents/none"), 404, "not_found")
    assert refused(ask(server, "x", cached_content=name, model="gemini-2.0-flash"), 400, "invalid_request", "same")
    assert refused(ask(server, "x", cached_content=name, system_instruction="y"), 400, "invalid_request", "system_instruction")
    server.call("DELETE", "/v1beta/" + name)
    assert refused(ask(server, "x", cached_content=name, stream=True), 404, "not_found")


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
