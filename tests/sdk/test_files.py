"""The official clients upload, wait, ask, list, download and delete; and the page's curl sample."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain

HERE = Path(__file__).parent / "files"
CLIENTS = {
    "python": lambda: [sys.executable, HERE / "genai.py"],
    "python-legacy": lambda: [sys.executable, HERE / "legacy.py"],
    "js": lambda: node("genai.mjs"),
    "js-legacy": lambda: node("legacy.mjs"),
}
pytestmark = pytest.mark.timeout(900)


def node(name):
    modules = toolchain.node_modules()
    shutil.copy(HERE / name, modules / f"files_{name}")
    return [toolchain.tool("node"), modules / f"files_{name}"]


def run(words, server, folder, **env):
    env = {**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1", "GOOGLE_API_KEY": "k", **env}
    done = subprocess.run(list(map(str, words)), env=env, cwd=folder, capture_output=True, text=True, timeout=180,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_files(server, tmp_path, client):
    """proves: F001-F023 F025 F031 A005 H006 J026 J037"""
    try:
        words = CLIENTS[client]()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    got = json.loads(run(words, server, tmp_path).splitlines()[-1])
    assert got["state"] == "ACTIVE" and got["name"] == "my note" and got["mime"] == "text/plain", got
    assert got["size"] == 9_000_000 and got["text"] == "Hello there." and got["listed"] and got["gone"] == 404, got
    if client == "python":
        assert got["named"] and got["taken"] == 409 and not got["empty"], got
    if client == "js":
        assert got["got"] == "hello", got


def test_the_curl_sample_of_the_page(server, tmp_path):
    """proves: F001 F002 F003 F004 F005 F006 F017 F018 F025 F030 A006 H011"""
    (tmp_path / "a11.txt").write_text("Say hello")
    said = run(["bash", HERE / "sample.sh"], server, tmp_path, BASE_URL=server.base, TEXT_PATH="a11.txt")
    assert 'state="ACTIVE"' in said and "Hello there." in said, said
