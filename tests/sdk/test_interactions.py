"""The official clients create, follow, get, cancel and delete interactions."""

from pathlib import Path

import pytest

from toolchain import program, told

HERE = Path(__file__).parent / "interactions"
pytestmark = pytest.mark.timeout(900)

CLIENTS = {"python": "genai.py", "js": "genai.mjs"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_interactions(server, tmp_path, client):
    """proves: I001 I006-I012 I015 I017 I023 I024 I030 I078 I082 I105 I111 I117 I118 I123 J042"""
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got.pop("gone") == "NotFoundError" and got.pop("bad") == "BadRequestError" and got.pop("tokens") > 0
    assert got["partly"] and "alpha beta gamma ".startswith(got.pop("partly"))
    assert got == {
        "text": "Hello there.", "same": True, "input": True, "chained": "Eight paws.",
        "streamed": "One, two, three, four, five.", "resumed": True, "asked": "requires_action",
        "arguments": {"harbour": "Bergen", "hour_of_day": 9}, "told": "The tide is 134 cm.", "slow": "in_progress",
        "cancelled": "cancelled", "done": "One, two, three, four, five.",
        "pieces": [4, {"harbour": 'Grü\u00dfe "x"', "hour_of_day": 9}]}
