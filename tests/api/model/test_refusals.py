"""What a model cannot do is refused, in words; what asks for nothing is taken."""

import pytest

SAY = [{"parts": [{"text": "hi"}]}]


@pytest.mark.parametrize("fields, named", [
    ({"generationConfig": {"responseMimeType": "application/xml"}}, "response_mime_type"),
    ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, "response_schema"),
    ({"generationConfig": {"responseJsonSchema": {"type": "object"}}}, "response_json_schema"),
    ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True}}}, "include_thoughts"),
    ({"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]}, "behavior"),
    ({"tools": [{"googleSearch": {}}]}, "google_search"),
    ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "function_declarations"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_a_field_that_a_model_cannot_honour(smallest, fields, named):
    """proves: G006 G007 G008 G039 G053 G068 G083 G084"""
    answer = smallest.generate(SAY, fields=fields)
    assert answer.status == 400, answer
    assert answer.error["status"] == "INVALID_ARGUMENT" and named in answer.error["message"]
