"""The official clients make a cache of a file, use it, change when it expires, list and delete it; curl does."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import toolchain
from test_files import run

HERE = Path(__file__).parent / "caches"
CLIENTS = {
    "python": lambda: [sys.executable, HERE / "genai.py"],
    "python-legacy": lambda: [sys.executable, HERE / "legacy.py"],
    "js": lambda: node("genai.mjs"),
    "js-legacy": lambda: node("legacy.mjs"),
}
pytestmark = pytest.mark.timeout(900)


def node(name):
    modules = toolchain.node_modules()
    shutil.copy(HERE / name, modules / f"caches_{name}")
    return [toolchain.tool("node"), modules / f"caches_{name}"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_caches(server, tmp_path, client):
    """proves: C001-C014 C006 F030 G011 H003 X017"""
    try:
        words = CLIENTS[client]()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    got = json.loads(run(words, server, tmp_path).splitlines()[-1])
    assert got["text"] == "Hello there." and got["streamed"] == "One, two, three, four, five.", got
    assert got["cached"] == got["total"] > 400 and got["model"] == "models/gemini-1.5-flash-001", got
    assert got["name"] == "apollo" and got["listed"] and got["dated"] and got["gone"] == 404, got
    assert 6800 < got["longer"] < 7000, got


def test_curl(server, tmp_path):
    """proves: C001 C002 C006"""
    (tmp_path / "a11.txt").write_text("GOOD MORNING EAGLE. " * 200)
    said = run(["bash", HERE / "sample.sh"], server, tmp_path, BASE_URL=server.base, TEXT_PATH="a11.txt")
    assert "Hello there." in said and '"cachedContentTokenCount"' in said, said
