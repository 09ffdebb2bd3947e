"""Why answers end."""

import pytest

# proves: T006 T031 T032 T033 T034 T035
REASONS = ["STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST",
           "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY"]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_every_finish_reason(server, reason, verb):
    answer = server.generate(f"finish {reason}.", verb=verb)
    assert answer.status == 200, answer
    last = answer.events[-1] if answer.is_sse else answer.json
    assert last["candidates"][0]["finishReason"] == reason


@pytest.mark.parametrize("reason", ["OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"])
def test_every_block_reason(server, reason):
    answer = server.generate(f"block for {reason}.")
    assert answer.status == 200 and answer.json["promptFeedback"]["blockReason"] == reason, answer
    assert "candidates" not in answer.json


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_max_output_tokens_cuts(server, n):
    """proves: G071 T032"""
    whole = server.generate("count to five")
    cut = server.generate("count to five", {"maxOutputTokens": n})
    assert whole.said.startswith(cut.said) and len(cut.said) < len(whole.said)
    assert cut.json["usageMetadata"]["candidatesTokenCount"] == n
    assert cut.json["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_exactly_enough_tokens_is_a_stop(server):
    """proves: T031"""
    n = server.generate("count to five").json["usageMetadata"]["candidatesTokenCount"]
    answer = server.generate("count to five", {"maxOutputTokens": n + 1})
    assert answer.json["candidates"][0]["finishReason"] == "STOP"


def test_a_fault_that_passes(scripted):
    """A client that tries again gets its answer."""
    server = scripted()
    assert server.generate("fail once").status == 503
    assert server.generate("fail once").said == "Better now."
