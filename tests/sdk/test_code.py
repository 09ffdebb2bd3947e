"""The official clients and code execution, on both dialects."""

from pathlib import Path

import pytest

from toolchain import program, told

HERE = Path(__file__).parent / "code"
pytestmark = pytest.mark.timeout(900)
SUM = "The sum of the first 50 primes is 5117."

CLIENTS = {"python": "genai.py", "js": "genai.mjs"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_has_code_run(server, tmp_path, client):
    """proves: G024 G025 G038 G063 I053 I067 I068"""
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got == {
        "code": True, "output": "50 5117\n", "outcome": "OUTCOME_OK", "language": "PYTHON", "text": SUM,
        "streamed": "I add them up." + SUM, "first": SUM, "second": "Hello there.", "call": "python",
        "result": ["50 5117\n", False, True], "said": SUM, "chained": "Hello there.",
        "deltas": ["text", "code_execution_call", "code_execution_result", "text"]}
