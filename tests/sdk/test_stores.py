"""The official clients make file search stores, fill, list and delete them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain

HERE = Path(__file__).parent / "search"
pytestmark = pytest.mark.timeout(900)


def node():
    modules = toolchain.node_modules()
    shutil.copy(HERE / "genai.mjs", modules / "search_genai.mjs")
    return [toolchain.tool("node"), modules / "search_genai.mjs"]


CLIENTS = {"python": lambda: [sys.executable, HERE / "genai.py"], "js": node}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_stores(server, tmp_path, client):
    """proves: B011 B012"""
    try:
        words = CLIENTS[client]()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    done = subprocess.run(list(map(str, words)), env={**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1"},
                          cwd=tmp_path, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "display": "Our notes", "title": "Tides", "state": "STATE_ACTIVE", "size": 26, "mime": "text/plain",
        "year": 1999, "tags": ["sea", "moon"], "documents": 4, "active": 3, "failed": 1, "parent": True, "memory": True,
        "error": 3, "listed": True, "left": 3, "refused": 400, "gone": 404}
