"""The official clients, search in files and MCP servers, on both dialects."""

import json
from pathlib import Path

import pytest

from pollux import ROOT, Server
from test_mcp import RealServer
from toolchain import program, told

HERE = Path(__file__).parent / "elsewhere"
SCRIPTS = ROOT / "tests" / "scripts"
CLIENTS = {"python": "genai.py", "js": "genai.mjs"}
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def calc():
    server = RealServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What both tools' scripts say."""
    path = tmp_path_factory.mktemp("script") / "both.json"
    replies = [json.loads((SCRIPTS / name).read_text())["replies"] for name in ("file_search.json", "mcp.json")]
    path.write_text(json.dumps({"replies": replies[0] + replies[1], "default": {"echo": True}}))
    with Server("--script", path, "--fetch-allow", "127.0.0.1") as server:
        yield server


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_uses_what_lies_elsewhere(both, calc, tmp_path, client):
    """proves: G043 G045 I055 I058 I071 I072 B012"""
    got = told(program(HERE / CLIENTS[client]), both, tmp_path, MCP=calc.url)
    assert got == {
        "found": "Well 🌊. The moon raises the tides of the sea. That is all.", "title": "tides.txt",
        "segment": "The moon raises the tides of the sea.", "note": ["file_citation", "tides.txt", True],
        "call": ["mcp_server_tool_call", "add", "calc", {"a": 40, "b": 2}], "result": ["42", True],
        "said": "The sum is 42.", "again": "The sum is 42.",
        "deltas": ["mcp_server_tool_call", "mcp_server_tool_result"], "plain": "Let me add.The sum is 42."}
