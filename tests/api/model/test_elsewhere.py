"""What lies elsewhere, on a real model: an MCP server's tools, and passages of stores. The grammar holds the calls to
their schemas; the answers go on behind the results and say what they rest on."""

import json

import pytest

from test_mcp import RealServer, tool
from test_search import create, put

pytestmark = pytest.mark.timeout(600)

SEEDED = {"seed": 3, "temperature": 0, "max_output_tokens": 120}
NOTES = {
    "harbour.txt": "The harbour of Kvalvik closes at 21:40. Its lighthouse was built in 1887 by Anna Brekke.",
    "bread.txt": "Mix flour with water, salt and yeast. Let the dough rest overnight and bake it in a hot oven.",
    "engine.txt": "A four-stroke engine takes in fuel, compresses it, burns it and pushes out the exhaust.",
}


@pytest.fixture(scope="module")
def calc():
    server = RealServer()
    yield server
    server.close()


def made(server, input, tools, **config):
    answer = server.post("/v1beta/interactions", {
        "model": "gemini-3-flash-preview", "input": input, "tools": tools, "store": False,
        "generation_config": {**SEEDED, **config}}, timeout=300)
    assert answer.status == 200, answer
    return answer.json


def test_a_tool_of_a_server(real, calc):
    """proves: I058"""
    only = tool(calc, allowed_tools=[{"tools": ["add", "weather"]}])
    got = made(real, "What is 4321 plus 1234? Use the tool.", [only], tool_choice="any")
    call, result = got["steps"][:2]
    assert call["name"] == "add" and call["arguments"] == {"a": 4321, "b": 1234}, json.dumps(got["steps"])
    assert result["result"] == "5555"
    assert "5555" in got["steps"][-1]["content"][0]["text"].replace(",", "")


@pytest.mark.soak
def test_nested_arguments_are_held_to_their_schema(real, calc):
    only = tool(calc, allowed_tools=[{"tools": ["weather"]}])
    got = made(real, "What will the weather be in Oslo for the next 3 days, in celsius?", [only], tool_choice="any")
    call, result = got["steps"][:2]
    assert call["arguments"]["place"]["city"].startswith("Oslo") and 1 <= call["arguments"].get("days", 1) <= 7, call
    assert result["is_error"] is False and "21 degrees" in result["result"]


def test_passages_of_a_store(real):
    """proves: I055"""
    store = create(real)["name"]
    for name, text in NOTES.items():
        put(real, store, text, displayName=name)
    got = made(real, "When does the harbour of Kvalvik close?", [
        {"type": "file_search", "file_search_store_names": [store]}], tool_choice="any")
    types = [s["type"] for s in got["steps"]]
    assert types[:2] == ["file_search_call", "file_search_result"] and types[-1] == "model_output", json.dumps(got["steps"])
    assert got["steps"][1]["result"][0]["title"] == "harbour.txt"
    block = got["steps"][-1]["content"][0]
    assert "21:40" in block["text"], block
    cited = block["annotations"][0]
    assert cited["type"] == "file_citation" and cited["file_name"] == "harbour.txt"
    assert "21:40" in block["text"].encode()[cited["start_index"]:cited["end_index"]].decode()
