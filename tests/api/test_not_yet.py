"""Every field that Pollux knows and cannot honour yet says so; it never is as if it were not there."""

import pytest

PART = [
    # proves: G034 J005
    {"toolCall": {"id": "1"}}, {"toolResponse": {"id": "1"}},
]
TOOL = [
    # proves: G042 G044
    "googleMaps", "computerUse", "google_maps",
]
CONFIG = [
    # proves: G087
    {"imageConfig": {"aspectRatio": "1:1"}},
]
TAKEN = [
    # proves: G033 G069 G080 G082 G085 G086 G089 G091
    {"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {"mediaResolution": 2}, {"enableEnhancedCivicAnswers": True},
    {"responseModalities": ["MODALITY_UNSPECIFIED"]}, {"responseModalities": ["text"]},
    {"thinkingConfig": {"thinkingBudget": 0}}, {"thinkingConfig": {"thinkingBudget": -1}},
    {"thinkingConfig": {"thinking_level": "low"}},
]


def refused(answer, name):
    assert answer.status == 400, answer
    assert answer.error["status"] == "INVALID_ARGUMENT"
    message = answer.error["message"]
    assert name.replace("_", "").lower() in message.replace("_", "").lower(), message
    assert "not supported" in message and "Unknown name" not in message, message


@pytest.mark.parametrize("part", PART, ids=lambda p: list(p)[-1])
def test_parts(server, part):
    refused(server.generate([{"parts": [part]}]), list(part)[-1])


@pytest.mark.parametrize("tool", TOOL)
def test_tools(server, tool):
    refused(server.generate("hi", fields={"tools": [{tool: {}}]}), tool)


@pytest.mark.parametrize("config", CONFIG, ids=str)
def test_settings(server, config):
    refused(server.generate("hi", config), list(config)[0])


@pytest.mark.parametrize("config", TAKEN, ids=str)
def test_settings_without_effect_here_are_taken(server, config):
    assert server.generate("Say hello", config).said == "Hello there."


@pytest.mark.parametrize("category", ["UNSPECIFIED", "DEROGATORY", "TOXICITY", "VIOLENCE", "SEXUAL",
                                      "MEDICAL", "DANGEROUS"])
def test_safety_categories_of_older_models_are_known_and_refused(server, category):
    """proves: G114"""
    answer = server.generate("hi", fields={"safetySettings": [
        {"category": f"HARM_CATEGORY_{category}", "threshold": "BLOCK_NONE"}]})
    assert answer.status == 400 and "safety_settings[0]" in answer.error["message"], answer


@pytest.mark.parametrize("threshold", ["HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE",
                                       "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"])
@pytest.mark.parametrize("category", ["HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT",
                                      "CIVIC_INTEGRITY"])
def test_safety_settings_of_today(server, category, threshold):
    """proves: G115-G125"""
    answer = server.generate("Say hello", fields={"safetySettings": [
        {"category": f"HARM_CATEGORY_{category}", "threshold": threshold}]})
    assert answer.said == "Hello there.", answer
