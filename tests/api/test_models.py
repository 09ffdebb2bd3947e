"""models.list, models.get, countTokens."""

import pytest


def everything(server, **query):
    """All pages."""
    found, token = [], None
    while True:
        asked = dict(query, **({"pageToken": token} if token else {}))
        answer = server.get("/v1beta/models?" + "&".join(f"{k}={v}" for k, v in asked.items()))
        assert answer.status == 200, answer
        found += answer.json.get("models", [])
        assert len(answer.json.get("models", [])) <= int(query.get("pageSize", 50))
        token = answer.json.get("nextPageToken")
        if token is None:
            return found
        assert len(found) < 10000


def test_pages_add_up_to_the_list(server):
    """proves: M002"""
    whole = everything(server, pageSize=1000)
    assert whole
    assert everything(server, pageSize=1) == whole
    assert everything(server, pageSize=2) == whole
    assert everything(server)[:50] == whole[:50]
    names = [m["name"] for m in whole]
    assert len(set(names)) == len(names)


def test_a_page_size_above_the_most_is_reduced(server):
    """proves: M002"""
    assert server.get("/v1beta/models?pageSize=5000").status == 200


def test_what_is_listed_can_be_fetched_and_used(server):
    """proves: M001 M003 M004"""
    writers = [m for m in everything(server) if "embedContent" not in m["supportedGenerationMethods"]]
    for model in writers[:10]:
        got = server.get(f"/v1beta/{model['name']}")
        assert got.status == 200 and got.json == model
        assert model["inputTokenLimit"] > 0 and model["outputTokenLimit"] > 0
        assert 0 <= model["temperature"] <= model["maxTemperature"] == 2
        assert {"generateContent", "countTokens"} <= set(model["supportedGenerationMethods"])
        assert server.generate("Say hello", model=model["name"].split("/")[1]).status == 200


@pytest.mark.parametrize("name", ["gemini-2.0-flash", "gemini-3-flash-preview", "gemini-3.5-flash",
                                  "gemini-1.5-flash", "gemini-1.5-flash-001", "gemini-1.5-pro",
                                  "gemini-1.5-pro-latest", "gemini-2.5-pro"])
def test_documented_names_are_served(server, name):
    """proves: H023 H024 H025 H026"""
    assert server.get(f"/v1beta/models/{name}").json["name"] == f"models/{name}"
    answer = server.generate("Say hello", model=name)
    assert answer.status == 200 and answer.said == "Hello there."


@pytest.mark.parametrize("prompt", ["hi", "The tide is high", "Grüße, 世界! 🚀", "", " ", "a" * 5000, [
    {"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]},
    {"role": "user", "parts": [{"text": "c"}]}]], ids=lambda p: str(p)[:20])
def test_count_equals_what_a_call_uses(server, prompt):
    """proves: M005 T009 T014"""
    answer = server.generate(prompt)
    assert answer.status == 200, answer
    assert server.count(prompt) == answer.json["usageMetadata"]["promptTokenCount"]


def test_count_takes_the_system_instruction(server):
    """proves: M006"""
    body = {"contents": [{"parts": [{"text": "hi"}]}],
            "systemInstruction": {"parts": [{"text": "You are a very polite cat."}]}}
    total = server.post("/v1beta/models/gemini-2.0-flash:countTokens",
                        {"generateContentRequest": body}).json["totalTokens"]
    used = server.post("/v1beta/models/gemini-2.0-flash:generateContent", body).json["usageMetadata"]
    assert total == used["promptTokenCount"] > server.count("hi")


def test_usage_adds_up(server):
    """proves: T009 T011 T013 T014 T016 T052"""
    usage = server.generate("count to five").json["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    assert usage["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["promptTokenCount"]}]
    for details in usage.get("candidatesTokensDetails", []):
        assert details == {"modality": "TEXT", "tokenCount": usage["candidatesTokenCount"]}


def test_response_ids_differ(server):
    """proves: T005"""
    ids = {server.generate("Say hello").json["responseId"] for _ in range(20)}
    assert len(ids) == 20
