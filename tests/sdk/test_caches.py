"""The official clients make a cache of a file, use it, change when it expires, list and delete it; curl does."""

from pathlib import Path

import pytest

from toolchain import program, said, told

HERE = Path(__file__).parent / "caches"
CLIENTS = {"python": "genai.py", "python-legacy": "legacy.py", "js": "genai.mjs", "js-legacy": "legacy.mjs"}
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_caches(server, tmp_path, client):
    """proves: C001-C014 C006 F030 G011 H003 X017"""
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got["text"] == "Hello there." and got["streamed"] == "One, two, three, four, five.", got
    assert got["cached"] == got["total"] > 400 and got["model"] == "models/gemini-1.5-flash-001", got
    assert got["name"] == "apollo" and got["listed"] and got["dated"] and got["gone"] == 404, got
    assert 6800 < got["longer"] < 7000, got


def test_curl(server, tmp_path):
    """proves: C001 C002 C006"""
    (tmp_path / "a11.txt").write_text("GOOD MORNING EAGLE. " * 200)
    text = said(["bash", HERE / "sample.sh"], server, tmp_path, BASE_URL=server.base, TEXT_PATH="a11.txt")
    assert "Hello there." in text and '"cachedContentTokenCount"' in text, text
