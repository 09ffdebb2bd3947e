"""The official clients and code execution, on both dialects."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain

HERE = Path(__file__).parent / "code"
pytestmark = pytest.mark.timeout(900)
SUM = "The sum of the first 50 primes is 5117."


def node():
    modules = toolchain.node_modules()
    shutil.copy(HERE / "genai.mjs", modules / "code_genai.mjs")
    return [toolchain.tool("node"), modules / "code_genai.mjs"]


CLIENTS = {"python": lambda: [sys.executable, HERE / "genai.py"], "js": node}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_has_code_run(server, client):
    """proves: G024 G025 G038 G063 I053 I067 I068"""
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
    assert got == {
        "code": True, "output": "50 5117\n", "outcome": "OUTCOME_OK", "language": "PYTHON", "text": SUM,
        "streamed": "I add them up." + SUM, "first": SUM, "second": "Hello there.", "call": "python",
        "result": ["50 5117\n", False, True], "said": SUM, "chained": "Hello there.",
        "deltas": ["text", "code_execution_call", "code_execution_result", "text"]}
