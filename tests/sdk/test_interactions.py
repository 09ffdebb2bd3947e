"""The official clients create, follow, get, cancel and delete interactions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain

HERE = Path(__file__).parent / "interactions"
pytestmark = pytest.mark.timeout(900)


def node():
    modules = toolchain.node_modules()
    shutil.copy(HERE / "genai.mjs", modules / "interactions_genai.mjs")
    return [toolchain.tool("node"), modules / "interactions_genai.mjs"]


CLIENTS = {"python": lambda: [sys.executable, HERE / "genai.py"], "js": node}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_interactions(server, client):
    """proves: I001 I006-I012 I015 I017 I023 I024 I030 I078 I082 I105 I117 I118 I123 J042"""
    try:
        words = CLIENTS[client]()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    env = {**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(list(map(str, words)), env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    got = json.loads(done.stdout.splitlines()[-1])
    assert got.pop("gone") == "NotFoundError" and got.pop("bad") == "BadRequestError" and got.pop("tokens") > 0
    assert got == {
        "text": "Hello there.", "same": True, "input": True, "chained": "Eight paws.",
        "streamed": "One, two, three, four, five.", "resumed": True, "asked": "requires_action",
        "arguments": {"harbour": "Bergen", "hour_of_day": 9}, "told": "The tide is 134 cm.", "slow": "in_progress",
        "cancelled": "cancelled", "partly": "alpha ", "done": "One, two, three, four, five."}
