"""What only a script can play is refused by a model, in words."""

import pytest

SAY = [{"parts": [{"text": "hi"}]}]


@pytest.mark.parametrize("fields, named", [
    ({"generationConfig": {"responseMimeType": "application/json"}}, "response_mime_type"),
    ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "response_schema"),
    ({"generationConfig": {"responseJsonSchema": {"type": "object"}}}, "response_json_schema"),
    ({"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}, "thinking_config"),
    ({"tools": [{"functionDeclarations": [{"name": "f", "description": "d"}]}]}, "tools"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "tool_config"),
    ({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]},
     "safety_settings[0]"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_a_field_that_a_model_cannot_honour(real, fields, named):
    """proves: G006 G007 G008 G066 G068 G083 G084"""
    answer = real.generate(SAY, fields=fields)
    assert answer.status == 400, answer
    assert answer.error["status"] == "INVALID_ARGUMENT" and named in answer.error["message"]


@pytest.mark.parametrize("threshold", ["BLOCK_NONE", "OFF"])
def test_safety_settings_that_block_nothing_are_fine(real, threshold):
    """proves: G124 G125 G115-G119"""
    settings = [{"category": f"HARM_CATEGORY_{c}", "threshold": threshold} for c in
                ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")]
    assert real.generate(SAY, {"maxOutputTokens": 1}, fields={"safetySettings": settings}).status == 200
