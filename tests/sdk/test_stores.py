"""The official clients make file search stores, fill, list and delete them."""

from pathlib import Path

import pytest

from toolchain import program, told

HERE = Path(__file__).parent / "search"
pytestmark = pytest.mark.timeout(900)

CLIENTS = {"python": "genai.py", "js": "genai.mjs"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_stores(server, tmp_path, client):
    """proves: B011 B012"""
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got == {
        "display": "Our notes", "title": "Tides", "state": "STATE_ACTIVE", "size": 26, "mime": "text/plain",
        "year": 1999, "tags": ["sea", "moon"], "documents": 4, "active": 3, "failed": 1, "parent": True, "memory": True,
        "error": 3, "listed": True, "left": 3, "refused": 400, "gone": 404}
