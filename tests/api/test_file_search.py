"""file_search: the model asks, the server searches stores, the answer says what it rests on; on both dialects."""

import pytest

from pollux import ROOT, Server
from test_code import events, joined, user
from test_search import create, put

SCRIPT = ROOT / "tests" / "scripts" / "file_search.json"
TIDES = "The moon raises the tides of the sea. Harbours know it well."
BREAD = "Bread needs flour, water and salt. It takes time."
ASKED = "What raises the tides?"
SAID = "Let me look.Well 🌊. The moon raises the tides of the sea. That is all."


@pytest.fixture(scope="module")
def docs():
    with Server("--script", SCRIPT) as server:
        server.store = create(server, "Library")["name"]
        put(server, server.store, TIDES, displayName="tides.txt", customMetadata=[
            {"key": "year", "numericValue": 1999}, {"key": "lang", "stringValue": "en"},
            {"key": "uri", "stringValue": "https://library.example/tides"}])
        put(server, server.store, BREAD, displayName="bread.txt", customMetadata=[{"key": "year", "numericValue": 2020}])
        server.other = create(server, "Other")["name"]
        put(server, server.other, "The moon raises the tides, says the other store.", displayName="other.txt")
        yield server


def fields(*stores, **more):
    return {"tools": [{"fileSearch": {"fileSearchStoreNames": list(stores), **more}}]}


def ask(server, input, *stores, tools=(), more=None, **rest):
    tool = {"type": "file_search", "file_search_store_names": list(stores or [server.store]), **(more or {})}
    return server.post("/v1beta/interactions", {"model": "gemini-3-flash-preview", "input": input,
                                                "tools": [tool, *tools], **rest})


def made(server, input, *stores, **more):
    answer = ask(server, input, *stores, **more)
    assert answer.status == 200, answer
    return answer.json


def grounding(answer):
    chunks = answer.events if answer.is_sse else answer.json
    chunks = chunks if isinstance(chunks, list) else [chunks]
    assert not any("groundingMetadata" in c["candidates"][0] for c in chunks[:-1])
    return chunks[-1]["candidates"][0].get("groundingMetadata")


# ---- generateContent ----


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
def test_an_answer_says_what_it_rests_on(docs, verb):
    """proves: G043"""
    answer = docs.generate(ASKED, verb=verb, fields=fields(docs.store))
    parts, finish, usage = joined(answer)
    assert parts == [{"text": SAID}] and finish == "STOP" and usage["toolUsePromptTokenCount"] > 10
    found = grounding(answer)
    chunk = found["groundingChunks"][0]["retrievedContext"]
    assert chunk == {"uri": "https://library.example/tides", "title": "tides.txt", "text": TIDES,
                     "fileSearchStore": docs.store, "customMetadata": [
                         {"key": "year", "numericValue": 1999}, {"key": "lang", "stringValue": "en"},
                         {"key": "uri", "stringValue": "https://library.example/tides"}]}
    support = found["groundingSupports"][0]
    segment = support["segment"]
    assert segment["text"] == "The moon raises the tides of the sea."
    second = SAID.removeprefix("Let me look.")  # what was said before the search is a part of its own
    assert segment["partIndex"] == 1
    assert second.encode()[segment["startIndex"]:segment["endIndex"]].decode() == segment["text"]
    assert support["groundingChunkIndices"][0] == 0 and 0.55 <= support["confidenceScores"][0] <= 1
    assert "webSearchQueries" not in found and "searchEntryPoint" not in found


def test_snake_case_and_a_store_by_its_bare_id(docs):
    tools = {"tools": {"file_search": {"file_search_store_names": docs.store.split("/")[1], "top_k": 1}}}
    answer = docs.generate(ASKED, fields=tools)
    assert len(grounding(answer)["groundingChunks"]) == 1


def test_two_stores(docs):
    found = grounding(docs.generate(ASKED, fields=fields(docs.store, docs.other)))
    assert {c["retrievedContext"]["fileSearchStore"] for c in found["groundingChunks"]} == {docs.store, docs.other}


@pytest.mark.parametrize("filter, said", [
    ("year < 2000", SAID), ("year >= 2020 AND lang : *", "Let me look.The documents do not say."), ('lang = "en"', SAID),
])
def test_a_filter(docs, filter, said):
    answer = docs.generate(ASKED, fields=fields(docs.store, metadataFilter=filter))
    assert answer.said == said
    if said == SAID:
        assert [c["retrievedContext"]["title"] for c in grounding(answer)["groundingChunks"]] == ["tides.txt"]
    else:
        assert not grounding(answer)


def test_an_answer_without_a_search_rests_on_nothing(docs):
    answer = docs.generate("What raises them? Answer without looking.", fields=fields(docs.store))
    assert answer.said == "The moon, I think." and grounding(answer) is None


def test_with_a_cache(docs):
    cache = docs.post("/v1beta/cachedContents", {
        "model": "models/gemini-2.0-flash", "contents": [user("Be brief.")], **fields(docs.store)})
    assert cache.status == 200, cache
    answer = docs.generate(ASKED, fields={"cachedContent": cache.json["name"]})
    assert answer.said == SAID and grounding(answer)["groundingChunks"]


# ---- Interactions ----


def test_steps_and_annotations(docs):
    """proves: I055 I071"""
    got = made(docs, ASKED)
    assert [s["type"] for s in got["steps"]] == ["model_output", "file_search_call", "file_search_result", "model_output"]
    call, result = got["steps"][1:3]
    assert call["arguments"] == {"query": "what raises the tides"}
    assert result["call_id"] == call["id"] and result["is_error"] is False
    assert result["result"][0] == {"title": "tides.txt", "text": TIDES, "uri": "https://library.example/tides",
                                   "file_search_store": docs.store}
    block = got["steps"][3]["content"][0]
    citation = block["annotations"][0]
    assert {k: citation[k] for k in ("type", "document_uri", "file_name", "source")} == {
        "type": "file_citation", "document_uri": "https://library.example/tides", "file_name": "tides.txt",
        "source": docs.store}
    assert citation["custom_metadata"] == {"year": 1999, "lang": "en", "uri": "https://library.example/tides"}
    cited = block["text"].encode()[citation["start_index"]:citation["end_index"]].decode()
    assert cited == "The moon raises the tides of the sea."


def test_a_stream_adds_up_to_the_steps(docs):
    told = events(ask(docs, ASKED, stream=True))
    deltas = [e["delta"]["type"] for e in told if e["event_type"] == "step.delta"]
    assert [d for d in deltas if d != "text"] == ["file_search_call", "file_search_result", "text_annotation_delta"]
    kept = docs.get(f"/v1beta/interactions/{told[0]['interaction']['id']}").json
    last = [e["delta"] for e in told if e["event_type"] == "step.delta"][-1]
    assert last["annotations"] == kept["steps"][-1]["content"][0]["annotations"]
    replayed = events(docs.get(f"/v1beta/interactions/{kept['id']}?stream=true"))
    assert [e.get("delta") for e in replayed] == [e.get("delta") for e in told]


def test_stored_and_stateless_chains_have_the_same_prompt(docs):
    first = made(docs, ASKED)
    asked = "Which bread is good?"
    stored = made(docs, asked, previous_interaction_id=first["id"])
    history = [{"type": "user_input", "content": [{"type": "text", "text": ASKED}]}, *first["steps"],
               {"type": "user_input", "content": [{"type": "text", "text": asked}]}]
    stateless = made(docs, history, store=False)
    assert stored["usage"] == stateless["usage"] and stored["steps"] == stateless["steps"]
    assert stored["steps"][-1]["content"][0]["text"] == BREAD.split(".")[0] + "."


def test_a_history_as_the_public_api_writes_it(docs):
    """Its steps have neither arguments nor results."""
    history = [{"type": "user_input", "content": [{"type": "text", "text": ASKED}]},
               {"type": "file_search_call", "id": "a"}, {"type": "file_search_result", "call_id": "a"},
               {"type": "model_output", "content": [{"type": "text", "text": "The moon."}]},
               {"type": "user_input", "content": [{"type": "text", "text": "Which bread is good?"}]}]
    assert made(docs, history)["steps"][-1]["content"][0]["text"].startswith("Bread needs")


def test_with_code(docs):
    got = made(docs, "code, then documents", tools=[{"type": "code_execution"}])
    assert [s["type"] for s in got["steps"]] == ["code_execution_call", "code_execution_result", "file_search_call",
                                                 "file_search_result", "model_output"]
    assert got["steps"][-1]["content"][0]["annotations"][0]["file_name"] == "bread.txt"


@pytest.mark.parametrize("asked, said", [("strange things", "The documents do not say."), ("no query", "I asked for nothing.")])
def test_what_finds_nothing(docs, asked, said):
    got = made(docs, asked)
    assert got["steps"][-1]["content"] == [{"type": "text", "text": said}]
    assert got["steps"][1]["is_error"] is (asked == "no query")


def test_passages_that_a_model_is_not_told_are_not_shown(docs):
    store = create(docs, "Many")["name"]
    words = "\n\n".join(" ".join([f"passage number {i}"] + ["filler words stand here."] * 30) for i in range(60))
    put(docs, store, words, displayName="many", chunkingConfig={"whiteSpaceConfig": {"maxTokensPerChunk": 130}})
    got = made(docs, "many passages", store, more={"top_k": 50})
    found = got["steps"][1]["result"]
    assert 5 < len(found) < 30 and sum(len(p["text"]) for p in found) <= 8000


def test_a_store_that_goes_meanwhile(docs):
    """The tool tells the model; the request before was right."""
    store = create(docs, "Short")["name"]
    put(docs, store, "x y z")
    first = made(docs, ASKED, store)
    assert docs.call("DELETE", f"/v1beta/{store}?force=true").status == 200
    answer = ask(docs, ASKED, store, previous_interaction_id=first["id"])
    assert answer.status == 404 and store in answer.error["message"], answer


# ---- what is refused ----


@pytest.mark.parametrize("tool, status, words", [
    ({}, 400, "file_search_store_names"),
    ({"fileSearchStoreNames": []}, 400, "file_search_store_names"),
    ({"fileSearchStoreNames": ["fileSearchStores/none"]}, 404, "fileSearchStores/none"),
    ({"fileSearchStoreNames": ["STORE"], "topK": 0}, 400, "top_k"),
    ({"fileSearchStoreNames": ["STORE"], "topK": 101}, 400, "top_k"),
    ({"fileSearchStoreNames": ["STORE"], "metadataFilter": "year >"}, 400, "tools[0].file_search.metadata_filter"),
    ({"fileSearchStoreNames": ["STORE"] * 33}, 400, "file_search_store_names"),
    ({"fileSearchStoreNames": ["STORE"], "colour": 1}, 400, "colour"),
], ids=str)
def test_what_is_refused(docs, tool, status, words):
    names = [docs.store if n == "STORE" else n for n in tool.get("fileSearchStoreNames", [])]
    if "fileSearchStoreNames" in tool:
        tool = {**tool, "fileSearchStoreNames": names}
    answer = docs.generate("hi", fields={"tools": [{"fileSearch": tool}]})
    assert answer.status == status and words in answer.error["message"], answer
