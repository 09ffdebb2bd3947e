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
], ids=lambda x: x if isinstance(x, str) else "")
def test_a_field_that_a_model_cannot_honour(real, fields, named):
    """proves: G006 G007 G066 G068 G083 G084"""
    answer = real.generate(SAY, fields=fields)
    assert answer.status == 400, answer
    assert answer.error["status"] == "INVALID_ARGUMENT" and named in answer.error["message"]
