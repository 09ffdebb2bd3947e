"""Every keyword of a schema: taken where it fits, named where it does not. What answers are held
to is tested on a model (model/test_mind.py), how schemas become grammars in src/chat."""

import pytest

# proves: G092 G093 G094 G095 G096 G097 G098 G099 G100 G101 G102 G103 G104 G105 G106 G107 G108 G109 G110 G111
GOOD = [
    {"type": "STRING"}, {"type": "string"}, {"type": 1}, {"type": "Number"}, {"type": "INTEGER"}, {"type": "boolean"},
    {"type": "ARRAY", "items": {"type": "STRING"}}, {"type": "OBJECT"}, {"type": "NULL"},
    {"type": "NUMBER", "format": "float"}, {"type": "NUMBER", "format": "double"}, {"type": "INTEGER", "format": "int32"},
    {"type": "INTEGER", "format": "int64"}, {"type": "STRING", "format": "date-time"},
    {"type": "STRING", "format": "enum", "enum": ["a", "b"]}, {"type": "STRING", "enum": ["a"], "nullable": True},
    {"type": "STRING", "description": "d", "title": "t", "default": "x", "example": "y"},
    {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1", "maxItems": 3},
    {"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": 1, "max_items": "3"},
    {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b_c": {"type": "NUMBER"}}, "required": ["a"],
     "propertyOrdering": ["b_c", "a"]},
    {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "property_ordering": ["a"]},
    {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}, {"any_of": [{"type": "STRING"}]},
    {"type": "INTEGER", "minimum": 1, "maximum": 5}, {"type": "NUMBER", "minimum": -0.5},
    {"type": "STRING", "minLength": 2, "maxLength": "5"}, {"type": "STRING", "pattern": "^[a-z]+-[0-9]{2}$"},
    {"type": "OBJECT", "additionalProperties": {"type": "INTEGER"}},
    {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "additionalProperties": False},
]
BAD = [  # and what the message names
    ({"type": "BANANA"}, "type"), ({"type": 12}, "type"), ({"type": "STRING", "flavour": "sweet"}, "flavour"),
    ({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "minimum": 5, "maximum": 1}}}, "properties"),
    ({"type": "STRING", "pattern": "(a"}, "pattern"), ({"type": "STRING", "minLength": 5, "maxLength": 2}, "Length"),
    ({"type": "ARRAY", "items": {"type": "STRING"}, "minItems": 4, "maxItems": 2}, "Items"),
    ({"type": "OBJECT", "required": "a", "properties": []}, "properties"), ("STRING", "response_schema"),
]


def ask(server, config):
    return server.generate("Say hello", {"responseMimeType": "application/json", **config})


@pytest.mark.parametrize("schema", GOOD, ids=str)
def test_taken(server, schema):
    answer = ask(server, {"responseSchema": schema})
    assert answer.status == 200, answer
    deep = {"type": "OBJECT", "properties": {"in": {"type": "ARRAY", "items": schema}}}
    assert ask(server, {"response_schema": deep}).status == 200
    tool = {"name": "f", "parameters": deep}
    assert server.generate("Say hello", fields={"tools": [{"functionDeclarations": [tool]}]}).status == 200


@pytest.mark.parametrize("schema, named", BAD, ids=str)
def test_named(server, schema, named):
    for config in {"responseSchema": schema}, {"responseSchema": {"type": "ARRAY", "items": schema}}:
        answer = ask(server, config)
        assert answer.status == 400, answer
        assert answer.error["status"] == "INVALID_ARGUMENT"
        message = answer.error["message"].replace("_", "").lower()
        assert named.replace("_", "").lower() in message and "responseschema" in message, answer


def test_a_schema_of_a_function_is_named_with_its_path(server):
    """proves: G048"""
    tool = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "BANANA"}}}}
    answer = server.generate("hi", fields={"tools": [{"functionDeclarations": [{"name": "e"}, tool]}]})
    assert answer.status == 400, answer
    assert "tools[0].function_declarations[1].parameters.properties" in answer.error["message"], answer


JSON_SCHEMA = [
    # proves: G083 G110 G111
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, {"const": 4}, {"enum": [1, "a", None]},
    {"oneOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["string", "null"]},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
    {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False,
     "properties": {"a": {"type": "string", "format": "date"}}}, True, {},
]


@pytest.mark.parametrize("schema", JSON_SCHEMA, ids=str)
@pytest.mark.parametrize("field", ["responseJsonSchema", "_responseJsonSchema", "response_json_schema"])
def test_json_schema_is_taken(server, field, schema):
    answer = ask(server, {field: schema})
    assert answer.status == 200, answer
