"""Every field of generationConfig: what is in range is taken, what is not is named."""

import pytest

# proves: G064 G070 G071 G072 G073 G074 G075 G076 G077 G078 G079 E002 E004
GOOD = [
    ("temperature", 0), ("temperature", 2), ("temperature", 0.1), ("temperature", 1.0),
    ("topP", 0.1), ("topP", 1), ("topK", 1), ("topK", 40), ("topK", 40.0), ("topK", "40"),
    ("candidateCount", 1), ("candidateCount", 8),
    ("maxOutputTokens", 1), ("maxOutputTokens", 8192),
    ("seed", 0), ("seed", 2147483647), ("seed", -1),
    ("presencePenalty", -2), ("presencePenalty", 1.99), ("frequencyPenalty", -0.25),
    ("frequencyPenalty", 1.99), ("stopSequences", []), ("stopSequences", ["a"]),
    ("stopSequences", ["a", "b", "c", "d", "e"]), ("stopSequences", "one"),
    ("responseLogprobs", True), ("responseLogprobs", False),
    ("responseMimeType", "text/plain"), ("responseModalities", ["TEXT"]),
    ("responseModalities", []), ("enableEnhancedCivicAnswers", True),
    ("audioTimestamp", None),
]
BAD = [
    ("temperature", -0.1), ("temperature", 2.1), ("temperature", 1e308), ("temperature", "NaN"),
    ("temperature", []), ("temperature", {}),
    ("topP", -0.1), ("topP", 1.1), ("topK", -1), ("topK", 1e30), ("topK", 1.5),
    ("candidateCount", 0), ("candidateCount", -1), ("candidateCount", 9),
    ("candidateCount", 1000000), ("candidateCount", "two"),
    ("maxOutputTokens", 0), ("maxOutputTokens", -5), ("maxOutputTokens", 2**31),
    ("maxOutputTokens", 2**63), ("maxOutputTokens", 1e300), ("maxOutputTokens", "1e"),
    ("seed", 2**63), ("seed", 0.5), ("seed", "x"), ("seed", 1e100),
    ("presencePenalty", 2.1), ("presencePenalty", -2.1), ("frequencyPenalty", 2.1),
    ("frequencyPenalty", -2.1), ("stopSequences", ["a", "b", "c", "d", "e", "f"]),
    ("stopSequences", [""]), ("stopSequences", [1]), ("stopSequences", {}),
    ("responseLogprobs", 1), ("responseMimeType", "image/png"),
    ("responseMimeType", 5), ("responseModalities", ["SMELL"]),
]


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


@pytest.mark.parametrize("field, value", GOOD, ids=str)
def test_in_range(server, field, value):
    answer = server.generate("Say hello", {field: value})
    assert answer.status == 200, answer
    assert "Hello there.".startswith(answer.said)


@pytest.mark.parametrize("field, value", BAD, ids=str)
def test_out_of_range_is_named(server, field, value):
    for name in field, snake(field):
        answer = server.generate("Say hello", {name: value})
        assert answer.status == 400, answer
        assert answer.error["status"] == "INVALID_ARGUMENT"
        at = f"generation_config.{snake(field)}"
        if value == []:  # said of the name, as the public service does
            at = f"Unknown name \"{name}\" at 'generation_config': Proto field is not repeating"
        assert at in answer.error["message"], answer


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 400, "1" + "0" * 5000, "0." + "0" * 5000 + "1",
                                  "-0", "1E+2", "NaN", "Infinity", "0x10", "01", "+1", ".5", "1."])
@pytest.mark.parametrize("field", ["temperature", "topK", "seed", "maxOutputTokens"])
def test_odd_numbers_are_taken_or_refused(server, field, text):
    """proves: E016; never a crash, never a number that was not written."""
    answer = server.post("/v1beta/models/gemini-2.0-flash:generateContent",
                         b'{"contents":[{"parts":[{"text":"Say hello"}]}],"generationConfig":{"%s":%s}}'
                         % (field.encode(), text.encode()))
    assert answer.status in (200, 400), answer
    if answer.status == 400:
        assert answer.error["status"] == "INVALID_ARGUMENT"
    if text in ("1e400", "-1e400", "9" * 400, "NaN", "Infinity"):
        assert answer.status == 400, answer


@pytest.mark.parametrize("config", [{"logprobs": 3}, {"logprobs": 3, "responseLogprobs": False}])
def test_logprobs_need_response_logprobs(server, config):
    """proves: G079"""
    answer = server.generate("Say hello", config)
    assert answer.status == 400 and "logprobs" in answer.error["message"], answer


@pytest.mark.parametrize("n", [-1, 21, 1000000])
def test_logprobs_have_a_range(server, n):
    """proves: G079"""
    answer = server.generate("Say hello", {"responseLogprobs": True, "logprobs": n})
    assert answer.status == 400 and "generation_config.logprobs" in answer.error["message"], answer


@pytest.mark.parametrize("n", [0, 1, 5, 20])
def test_logprobs_tell_every_token(server, n):
    """proves: G078 G079 T026 T027 T049 T050 T051"""
    answer = server.generate("count to five", {"responseLogprobs": True, "logprobs": n} if n else
                             {"responseLogprobs": True})
    assert answer.status == 200, answer
    candidate = answer.json["candidates"][0]
    result = candidate["logprobsResult"]
    chosen = result["chosenCandidates"]
    assert "".join(c["token"] for c in chosen) == answer.said
    assert len(chosen) == answer.json["usageMetadata"]["candidatesTokenCount"]
    assert all(c["logProbability"] <= 0 for c in chosen)
    mean = sum(c["logProbability"] for c in chosen) / len(chosen)
    assert abs(candidate["avgLogprobs"] - mean) < 1e-4
    if n:
        assert len(result["topCandidates"]) == len(chosen)
        for step in result["topCandidates"]:
            probs = [c["logProbability"] for c in step["candidates"]]
            assert probs == sorted(probs, reverse=True) and len(probs) <= n


def test_no_logprobs_unless_asked(server):
    """proves: J044"""
    candidate = server.generate("Say hello").json["candidates"][0]
    assert "logprobsResult" not in candidate and "avgLogprobs" not in candidate


@pytest.mark.parametrize("prompt, stops, said", [
    ("count to five", ["three"], "One, two, "),
    ("count to five", ["o, three, f"], "One, tw"),  # over three chunks
    ("count to five", ["five.", "two"], "One, "),  # whichever comes first
    ("count to five", ["One"], ""),
    ("count to five", ["six"], "One, two, three, four, five."),
    ("count to five", ["five.!"], "One, two, three, four, five."),  # only its beginning came
    ("count to five", ["ONE"], "One, two, three, four, five."),  # case counts
    ("many languages", ["世"], "Grüße, "),
    ("many languages", ["🚀"], "Grüße, 世界! "),
], ids=str)
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse",
                                  "streamGenerateContent"])
def test_stop_sequences_cut_before_themselves(server, prompt, stops, said, verb):
    """proves: G064 T031"""
    answer = server.generate(prompt, {"stopSequences": stops}, verb=verb)
    assert answer.status == 200, answer
    assert answer.said == said
    last = (answer.events if answer.is_sse else answer.json)
    last = last[-1] if isinstance(last, list) else last
    assert last["candidates"][0]["finishReason"] == "STOP"
