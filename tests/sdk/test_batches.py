"""The official clients make batches, wait for them, list, cancel and delete them."""

from pathlib import Path

import pytest

from toolchain import program, told

HERE = Path(__file__).parent / "batches"
pytestmark = pytest.mark.timeout(900)

CLIENTS = {"python": "genai.py", "js": "genai.mjs"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_batches(scripted, tmp_path, client):
    """proves: B001-B010; a server of its own, for the list has all of a server's batches, and Python takes no numbers in metadata."""
    server = scripted()
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got == {
        "created": "JOB_STATE_PENDING", "state": "JOB_STATE_SUCCEEDED", "name": "inline",
        "model": "models/gemini-2.5-flash", "texts": ["Hello there."] * 2, "metadata": {"key": "k1"}, "error": 3,
        "ended": True, "lines": [[f"request-{i}", "Hello there."] for i in range(3)], "downloadable": True,
        "vectors": [8, 8], "vector_line": 8, "cancelled": "JOB_STATE_CANCELLED", "gone": 404, "listed": True}
