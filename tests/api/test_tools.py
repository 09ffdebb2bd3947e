"""Function calling beyond one exchange: ids, streams, many functions. The stories are in tools.http."""

import json

import pytest

VERBS = ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"]
TIDE = {"name": "get_tide", "description": "The height of the tide in cm.", "parameters": {
    "type": "OBJECT", "properties": {"harbour": {"type": "STRING"}, "hour_of_day": {"type": "INTEGER"}},
    "required": ["harbour"]}}
TOOLS = {"tools": [{"functionDeclarations": [TIDE]}]}


def parts(answer):
    chunks = answer.events if answer.is_sse else answer.json
    chunks = chunks if isinstance(chunks, list) else [chunks]
    return [p for c in chunks for p in c["candidates"][0]["content"].get("parts", [])]


def calls(answer):
    assert answer.status == 200, answer
    return [p["functionCall"] for p in parts(answer) if "functionCall" in p]


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_comes_whole_in_one_chunk_with_the_end(server, verb):
    """proves: G059 S008 S010"""
    answer = server.generate("How high is the tide in Bergen at 9?", verb=verb, fields=TOOLS)
    [call] = calls(answer)
    assert call["name"] == "get_tide" and call["args"] == {"harbour": "Bergen", "hour_of_day": 9}
    last = answer.events if answer.is_sse else answer.json
    last = last[-1] if isinstance(last, list) else last
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert "functionCall" in last["candidates"][0]["content"]["parts"][-1], last


@pytest.mark.parametrize("verb", VERBS)
def test_ids_and_signatures_repeat_with_the_request(server, verb):
    """proves: G028 G030 G075"""
    def bytes_of(verb):
        answer = server.generate("Compare two harbours", {"seed": 7}, verb=verb, fields=TOOLS)
        return [(p["functionCall"]["id"], p["thoughtSignature"]) for p in parts(answer) if "functionCall" in p]
    assert bytes_of(verb) == bytes_of("generateContent")
    ids, signatures = zip(*bytes_of(verb))
    assert len(set(ids)) == len(set(signatures)) == 2


def test_ids_are_unique_in_a_conversation(server):
    """proves: G030; the very same call in each turn, and in each candidate."""
    contents, ids = [], []
    for _ in range(5):
        contents.append({"role": "user", "parts": [{"text": "How high is the tide in Bergen at 9?"}]})
        answer = server.generate(contents, {"candidateCount": 3}, fields=TOOLS)
        for candidate in answer.json["candidates"]:
            ids.append(candidate["content"]["parts"][0]["functionCall"]["id"])
        contents.append(answer.json["candidates"][0]["content"])
        contents.append({"role": "user", "parts": [{"functionResponse": {
            "name": "get_tide", "id": ids[-3], "response": {"cm": 134}}}]})
        said = server.generate(contents, fields=TOOLS)
        assert said.said == "The tide is 134 cm.", said
        contents.append(said.json["candidates"][0]["content"])
    assert len(set(ids)) == 15


@pytest.mark.parametrize("role", ["user", "function", "tool", None])
@pytest.mark.parametrize("with_id", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_what_was_answered_is_accepted_back(server, role, with_id, signed):
    """proves: G016 G023 G028 G030 G031 G060 G061"""
    question = {"parts": [{"text": "Compare two harbours"}]}
    content = server.generate([question], fields=TOOLS).json["candidates"][0]["content"]
    results = {"parts": []}
    if role:
        results["role"] = role
    for part in content["parts"]:
        if "functionCall" not in part:
            continue
        if not signed:
            part.pop("thoughtSignature")
        result = {"name": "get_tide", "response": {"cm": 134}}
        if with_id:
            result["id"] = part["functionCall"]["id"]
        results["parts"].append({"functionResponse": result})
    answer = server.generate([question, content, results], fields=TOOLS)
    assert answer.said == "The tide is 134 cm.", answer


def test_sixty_functions_of_100_kb(server):
    """proves: G037 G048; all of them are in the prompt."""
    many = {"tools": [{"functionDeclarations": [
        {**TIDE, "name": f"get_tide_{i}", "description": "height " * 250} for i in range(60)]}]}
    assert len(json.dumps(many)) > 100_000
    answer = server.generate("How high is the tide in Bergen at 9?", fields=many)
    assert calls(answer)[0]["name"] == "get_tide"
    assert answer.json["usageMetadata"]["promptTokenCount"] > 60 * 250


def test_count_tokens_counts_functions(server):
    """proves: M006 G037"""
    def count(**fields):
        body = {"model": "models/gemini-2.0-flash", "contents": [{"parts": [{"text": "hi"}]}], **fields}
        answer = server.post("/v1beta/models/gemini-2.0-flash:countTokens", {"generateContentRequest": body})
        assert answer.status == 200, answer
        return answer.json["totalTokens"]
    assert count(**TOOLS) > count() + 20
    used = server.generate("hi", fields=TOOLS).json["usageMetadata"]["promptTokenCount"]
    assert count(**TOOLS) == used


def test_no_functions_no_calls(server):
    """proves: G037; a model's markup is text to a client that declared nothing."""
    answer = server.generate("How high is the tide in Bergen at 9?")
    assert calls(answer) == [] and "get_tide" in answer.said
