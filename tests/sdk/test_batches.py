"""The official clients make batches, wait for them, list, cancel and delete them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain

HERE = Path(__file__).parent / "batches"
pytestmark = pytest.mark.timeout(900)


def node():
    modules = toolchain.node_modules()
    shutil.copy(HERE / "genai.mjs", modules / "batches_genai.mjs")
    return [toolchain.tool("node"), modules / "batches_genai.mjs"]


CLIENTS = {"python": lambda: [sys.executable, HERE / "genai.py"], "js": node}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_batches(server, tmp_path, client):
    """proves: B001-B010"""
    try:
        words = CLIENTS[client]()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    done = subprocess.run(list(map(str, words)), env={**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1"},
                          cwd=tmp_path, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "created": "JOB_STATE_PENDING", "state": "JOB_STATE_SUCCEEDED", "name": "inline",
        "model": "models/gemini-2.5-flash", "texts": ["Hello there."] * 2, "metadata": {"key": "k1"}, "error": 3,
        "ended": True, "lines": [[f"request-{i}", "Hello there."] for i in range(3)], "downloadable": True,
        "vectors": [8, 8], "vector_line": 8, "cancelled": "JOB_STATE_CANCELLED", "gone": 404, "listed": True}
