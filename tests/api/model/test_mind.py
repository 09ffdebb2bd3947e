"""What an answer is held to, on a real model: schemas, enums, calls, thoughts, and all of them at once.

How good the answers are is not asked here: the model is the smallest that will do, and the larger one where
calls are in a form that its own template has. That they are what the request says they must be, always, is."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

from pollux import text_of

pytestmark = pytest.mark.timeout(600)

TIDE = {"name": "get_tide", "description": "Tells the height of the tide in cm.", "parameters": {
    "type": "OBJECT", "properties": {
        "harbour": {"type": "STRING", "format": "enum", "enum": ["Bergen", "Oslo"]},
        "hour_of_day": {"type": "INTEGER", "minimum": 0, "maximum": 23}},
    "required": ["harbour", "hour_of_day"]}}
WIND = {"name": "weather.get_wind", "description": "Tells the speed of the wind in m/s.", "parametersJsonSchema": {
    "type": "object", "properties": {"place": {"type": "string", "maxLength": 20}}, "required": ["place"],
    "additionalProperties": False}}
NOTHING = {"name": "ring_bell", "description": "Rings the bell."}
ARGS = {
    "get_tide": {"type": "object", "properties": {"harbour": {"enum": ["Bergen", "Oslo"]},
                                                  "hour_of_day": {"type": "integer", "minimum": 0, "maximum": 23}},
                 "required": ["harbour", "hour_of_day"], "additionalProperties": False},
    "weather.get_wind": WIND["parametersJsonSchema"],
    "ring_bell": {"type": "object", "maxProperties": 0},
}
TOOLS = [{"functionDeclarations": [TIDE, WIND, NOTHING]}]
ANSWER = {"type": "OBJECT", "properties": {"harbour": {"type": "STRING", "maxLength": 12}, "height": {"type": "INTEGER"},
                                           "high": {"type": "BOOLEAN"}},
          "required": ["harbour", "height", "high"], "propertyOrdering": ["high", "height", "harbour"]}
PLAIN_ANSWER = {"type": "object", "properties": {"harbour": {"type": "string", "maxLength": 12},
                                                 "height": {"type": "integer"}, "high": {"type": "boolean"}},
                "required": ["harbour", "height", "high"], "additionalProperties": False}
QUESTION = "How high is the tide in Bergen at 9 o'clock?"
SEEDED = {"seed": 11, "maxOutputTokens": 60}


def ask(server, prompt, config=None, **more):
    answer = server.generate(prompt, config or {}, timeout=120, **more)
    assert answer.status == 200, answer
    return answer


def calling(mode, *allowed):
    config = {"mode": mode}
    if allowed:
        config["allowedFunctionNames"] = list(allowed)
    return {"tools": TOOLS, "toolConfig": {"functionCallingConfig": config}}


def candidates(answer):
    """Each with the parts of all chunks, texts that follow each other joined."""
    chunks = answer.events if answer.is_sse else [answer.json]
    found = {}
    for chunk in chunks:
        for c in chunk["candidates"]:
            whole = found.setdefault(c["index"], {"parts": [], "finish": None})
            whole["finish"] = c.get("finishReason", whole["finish"])
            for part in c["content"].get("parts", []):
                last = whole["parts"][-1] if whole["parts"] else {}
                if "text" in part and "text" in last and part.get("thought") == last.get("thought"):
                    last["text"] += part["text"]
                elif part.get("text") != "":
                    whole["parts"].append(dict(part))
    return [found[i] for i in sorted(found)]


def calls_of(candidate):
    return [p["functionCall"] for p in candidate["parts"] if "functionCall" in p]


def said_by(candidate):
    return "".join(p["text"] for p in candidate["parts"] if "text" in p and not p.get("thought"))


def check_calls(candidate):
    for call in calls_of(candidate):
        jsonschema.validate(call.get("args", {}), ARGS[call["name"]])
        assert len(call["id"]) == 9


# ---- answers of a form ----


def test_json_by_a_schema_in_its_order(real):
    """proves: G066 G068 G096 G100 G101 G102 G112"""
    config = {**SEEDED, "responseMimeType": "application/json", "responseSchema": ANSWER}
    for verb in ("generateContent", "streamGenerateContent?alt=sse"):
        answer = ask(real, QUESTION, config, verb=verb)
        value = json.loads(answer.said)
        jsonschema.validate(value, PLAIN_ANSWER)
        assert list(value) == ["high", "height", "harbour"]


@pytest.mark.parametrize("temperature", [*(pytest.param(t, marks=pytest.mark.soak) for t in (0, 1)), 2])
def test_whatever_the_temperature(smallest, temperature):
    """proves: G112; a hot model says nonsense, but nonsense of the form."""
    schema = {"type": "ARRAY", "minItems": 2, "maxItems": 3, "items": {"anyOf": [
        {"type": "INTEGER", "minimum": 3, "maximum": 17}, {"type": "STRING", "pattern": "^[a-c]{2}-[0-9]$"},
        {"type": "STRING", "enum": ["a sea", "the \"ocean\""]}]}}
    plain = {"type": "array", "minItems": 2, "maxItems": 3, "items": {"anyOf": [
        {"type": "integer", "minimum": 3, "maximum": 17}, {"type": "string", "pattern": "^[a-c]{2}-[0-9]$"},
        {"enum": ["a sea", "the \"ocean\""]}]}}
    config = {"temperature": temperature, "maxOutputTokens": 200, "candidateCount": 3,
              "responseMimeType": "application/json", "responseSchema": schema}
    for c in ask(smallest, "List some things.", config).json["candidates"]:
        assert c["finishReason"] == "STOP", c
        jsonschema.validate(json.loads(c["content"]["parts"][0]["text"]), plain)


def test_json_schema_with_references(smallest):
    """proves: G083 G110 G111"""
    schema = {"$defs": {"node": {"type": "object", "properties": {
        "name": {"type": "string", "maxLength": 8}, "next": {"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}]}},
        "required": ["name", "next"], "additionalProperties": False},
        "leaf": {"type": "object", "properties": {"kind": {"const": "leaf"}}, "required": ["kind"],
                 "additionalProperties": False}}, "$ref": "#/$defs/node"}
    for field in ("responseJsonSchema", "_responseJsonSchema"):
        answer = ask(smallest, "A node.", {**SEEDED, "responseMimeType": "application/json", field: schema})
        jsonschema.validate(json.loads(answer.said), schema)


def test_json_of_any_kind(smallest):
    """proves: G066"""
    answer = ask(smallest, "Write a JSON object with one key.", {**SEEDED, "responseMimeType": "application/json"})
    if answer.json["candidates"][0]["finishReason"] == "STOP":
        json.loads(answer.said)
    else:
        assert answer.said.lstrip()[0] in "{[\"-0123456789tfn"


def test_an_enum_is_one_of_its_values_and_bare(smallest):
    """proves: G067 G113"""
    for schema in ({"responseSchema": {"type": "STRING", "format": "enum", "enum": ["a fruit", "a \"vegetable\""]}},
                   {"responseJsonSchema": {"enum": ["a fruit", "a \"vegetable\""]}}):
        config = {"candidateCount": 3, "temperature": 2, "responseMimeType": "text/x.enum", **schema}
        answer = ask(smallest, "What is a tomato?", config)
        for i in range(3):
            assert text_of(answer.json, i) in ("a fruit", "a \"vegetable\""), answer
            assert answer.json["candidates"][i]["finishReason"] == "STOP"


def test_what_is_cut_says_so(smallest):
    """proves: G112 T032"""
    config = {"maxOutputTokens": 6, "temperature": 0, "responseMimeType": "application/json", "responseSchema": ANSWER}
    answer = ask(smallest, QUESTION, config)
    assert answer.json["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert answer.said.startswith("{")


def test_a_schema_that_nothing_fits_is_named(smallest):
    """proves: G068 G083"""
    for schema, word in (({"type": "STRING", "pattern": "(unclosed"}, "pattern"),
                         ({"type": "OBJECT", "properties": {"a": {"type": "BANANA"}}}, "properties")):
        answer = smallest.generate("hi", {"responseMimeType": "application/json", "responseSchema": schema})
        assert answer.status == 400, answer
        assert word in answer.error["message"] and "response_schema" in answer.error["message"], answer


# ---- calls ----


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_any_must_call_what_is_allowed(real, verb):
    """proves: G055 G058 G059 S010"""
    for allowed in (("ring_bell",) if verb == "generateContent" else ("weather.get_wind",)):
        answer = ask(real, "Tell me a joke.", SEEDED, verb=verb, fields=calling("ANY", allowed))
        [candidate] = candidates(answer)
        assert {call["name"] for call in calls_of(candidate)} == {allowed}, answer
        assert said_by(candidate) == "" or candidate["finish"] == "MAX_TOKENS", answer
        check_calls(candidate)


def test_none_must_not_call(smallest):
    """proves: G056"""
    [candidate] = candidates(ask(smallest, QUESTION, SEEDED, fields=calling("NONE")))
    assert not calls_of(candidate) and said_by(candidate)


def test_a_result_is_put_into_words(real):
    """proves: G060 G061"""
    question = {"role": "user", "parts": [{"text": QUESTION}]}
    called = ask(real, [question], SEEDED, fields=calling("ANY", "get_tide")).json["candidates"][0]["content"]
    results = [{"functionResponse": {"name": p["functionCall"]["name"], "response": {"height_in_cm": 134}}}
               for p in called["parts"]]
    answer = ask(real, [question, called, {"role": "user", "parts": results}], {"temperature": 0, "maxOutputTokens": 60},
                 fields={"tools": TOOLS})
    assert "134" in answer.said or calls_of(candidates(answer)[0]), answer


def sixty(words):
    return {"tools": [{"functionDeclarations": [{"name": f"f{i}", "description": "x " * words} for i in range(60)]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f42"]}}}


@pytest.mark.soak
def test_one_of_sixty_functions_is_called(smallest):
    """proves: G037"""
    answer = ask(smallest, "Call something.", SEEDED, fields=sixty(10))
    assert {c["name"] for c in calls_of(candidates(answer)[0])} == {"f42"}


def test_functions_that_are_too_long_together(smallest):
    """proves: G037; in 100 KB."""
    answer = smallest.generate("Call something.", SEEDED, fields=sixty(830))
    assert answer.status == 400 and "exceeds the maximum number of tokens" in answer.error["message"], answer


def test_count_tokens_counts_functions_and_schemas(real):
    """proves: M006 G006 G068"""
    def count(**fields):
        body = {"model": "models/gemini-2.0-flash", "contents": [{"parts": [{"text": "hi"}]}], **fields}
        answer = real.post("/v1beta/models/gemini-2.0-flash:countTokens", {"generateContentRequest": body})
        assert answer.status == 200, answer
        used = real.post("/v1beta/models/gemini-2.0-flash:generateContent",
                         {**body, "generationConfig": {**body.get("generationConfig", {}), "maxOutputTokens": 1}})
        assert used.json["usageMetadata"]["promptTokenCount"] == answer.json["totalTokens"]
        return answer.json["totalTokens"]
    plain = count()
    assert count(tools=TOOLS) > plain + 40
    count(generationConfig={"responseMimeType": "application/json", "responseSchema": ANSWER})


# ---- thoughts ----


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_thoughts_keep_to_their_budget(smallest, verb):
    """proves: G027 G084 G085 T014"""
    for budget in (4, 16):
        answer = ask(smallest, "What is 17 + 25?", {**SEEDED, "maxOutputTokens": 40, "thinkingConfig": {"thinkingBudget": budget, "includeThoughts": True}},
                     verb=verb)
        [candidate] = candidates(answer)
        last = answer.events[-1] if answer.is_sse else answer.json
        assert candidate["parts"][0].get("thought"), answer
        assert 0 < last["usageMetadata"]["thoughtsTokenCount"] <= budget + 8  # and the marks
        assert said_by(candidate).strip() and "think>" not in said_by(candidate)


def test_a_budget_of_none_never_thinks(smallest):
    """proves: G085"""
    for thinking in ({"thinkingBudget": 0}, {"thinkingBudget": 0, "includeThoughts": False}):
        answer = ask(smallest, "Think hard: what is 17 + 25?", {**SEEDED, "thinkingConfig": thinking})
        assert "thoughtsTokenCount" not in answer.json["usageMetadata"]
        assert not any(p.get("thought") for p in answer.json["candidates"][0]["content"]["parts"])


def test_thoughts_that_are_not_shown_are_counted(smallest):
    """proves: G084 G086"""
    config = {**SEEDED, "responseLogprobs": True, "thinkingConfig": {"thinkingLevel": "MINIMAL", "includeThoughts": False}}
    answer = ask(smallest, "What is 17 + 25?", config)
    candidate = answer.json["candidates"][0]
    assert answer.json["usageMetadata"]["thoughtsTokenCount"] > 0
    assert not any(p.get("thought") for p in candidate["content"]["parts"])
    n = len(candidate["logprobsResult"]["chosenCandidates"])
    assert n <= answer.json["usageMetadata"]["candidatesTokenCount"]


# ---- all at once ----


SCHEMAS = [{}, {"responseMimeType": "application/json", "responseSchema": ANSWER}]
MODES = [None, "AUTO", "VALIDATED", "ANY", "NONE"]
THINKING = [{}, {"thinkingConfig": {"thinkingBudget": 8, "includeThoughts": True}}, {"thinkingConfig": {"thinkingBudget": 8}}]


def check(candidate, schema, mode, thinking):
    calls, words = calls_of(candidate), said_by(candidate)
    thoughts = [p for p in candidate["parts"] if p.get("thought")]
    assert bool(thoughts) == thinking.get("thinkingConfig", {}).get("includeThoughts", False)
    assert candidate["finish"] in ("STOP", "MAX_TOKENS")
    check_calls(candidate)
    if mode in (None, "NONE"):
        assert not calls
    if candidate["finish"] == "MAX_TOKENS":
        return
    assert calls or words
    if mode == "ANY":
        assert calls and not words
    if schema and not calls:
        jsonschema.validate(json.loads(words), PLAIN_ANSWER)


@pytest.mark.parametrize("mode", [pytest.param(m, marks=pytest.mark.soak) if m in ("VALIDATED", "ANY", "NONE") else m for m in MODES],
                         ids=str)
def test_schema_with_tools_with_thinking_with_streams_with_candidates(smallest, mode):
    """proves: G055 G056 G057 G084 G085 G112 S010; streams and numbers of candidates go through
    all the combinations of the others."""
    def one(numbered):
        i, (schema, thinking) = numbered
        n = 1 + i // 2 % 2
        config = {"maxOutputTokens": 36, "candidateCount": n, **schema, **thinking}
        answer = ask(smallest, QUESTION, config, fields=calling(mode) if mode else {},
                     verb=("generateContent", "streamGenerateContent?alt=sse")[i % 2])
        got = candidates(answer)
        assert len(got) == n, answer
        for candidate in got:
            try:
                check(candidate, schema, mode, thinking)
            except Exception as e:
                raise AssertionError(f"{schema} {mode} {thinking}: {candidate}") from e

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, enumerate(itertools.product(SCHEMAS, THINKING), MODES.index(mode))))


@pytest.mark.parametrize("schema, mode, thinking", [
    (SCHEMAS[1], "AUTO", THINKING[1]), pytest.param(SCHEMAS[0], "ANY", THINKING[2], marks=pytest.mark.soak)])
def test_a_stream_says_what_the_whole_answer_says(smallest, schema, mode, thinking):
    """proves: G075 S007 S010; ids and signatures, too."""
    config = {"seed": 5, "maxOutputTokens": 28, "candidateCount": 2, **schema, **thinking}
    whole, stream = (candidates(ask(smallest, QUESTION, config, verb=verb, fields=calling(mode)))
                     for verb in ("generateContent", "streamGenerateContent?alt=sse"))
    assert whole == stream
