"""A real model that judges itself. How well it does is not asked here (docs/safety.md): only that all of
it runs, and that what is not blocked comes out as it would have without."""

import pytest

SETTINGS = {"safetySettings": [{"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "threshold": "BLOCK_ONLY_HIGH"},
                               {"category": "HARM_CATEGORY_CIVIC_INTEGRITY", "threshold": "BLOCK_NONE"}]}
STORY = "Once upon a time there was a lighthouse keeper. What happened then? Write at length."
CONFIG = {"seed": 7, "maxOutputTokens": 48}
LEVELS = ["NEGLIGIBLE", "LOW", "MEDIUM"]


def test_what_is_not_blocked_is_what_would_have_been_said(smallest):
    """proves: G008 G117 G123 T021 T036"""
    plain = smallest.generate(STORY, CONFIG)
    judged = smallest.generate(STORY, CONFIG, fields=SETTINGS)
    streamed = smallest.stream(STORY, CONFIG, fields=SETTINGS)
    assert judged.said == plain.said == streamed.said and len(plain.said) > 100
    for ratings in (judged.json["promptFeedback"]["safetyRatings"], judged.json["candidates"][0]["safetyRatings"],
                    streamed.events[-1]["candidates"][0]["safetyRatings"]):
        assert [r["category"] for r in ratings] == ["HARM_CATEGORY_SEXUALLY_EXPLICIT"]
        assert ratings[0]["probability"] in LEVELS and "blocked" not in ratings[0]
    assert judged.json["usageMetadata"]["promptTokenCount"] == plain.json["usageMetadata"]["promptTokenCount"]


def test_a_seed_makes_the_verdict_the_same_each_time(smallest):
    everything = {"safetySettings": [{"category": f"HARM_CATEGORY_{c}", "threshold": "BLOCK_ONLY_HIGH"} for c in (
        "HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")]}
    first, second = (smallest.generate("How is bread made?", {"seed": 3, "maxOutputTokens": 8}, fields=everything).json
                     for _ in range(2))
    assert len(first["promptFeedback"]["safetyRatings"]) == 5
    assert first["promptFeedback"] == second["promptFeedback"]
    assert first.get("candidates") == second.get("candidates")


@pytest.mark.parametrize("threshold", ["BLOCK_NONE", "OFF"])
def test_settings_that_block_nothing_are_not_rated(smallest, threshold):
    """proves: G124 G125 G115-G119"""
    settings = [{"category": f"HARM_CATEGORY_{c}", "threshold": threshold} for c in
                ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")]
    answer = smallest.generate("hi", {"maxOutputTokens": 1}, fields={"safetySettings": settings})
    assert answer.status == 200 and "promptFeedback" not in answer.json
