"""The samples of the documentation's pages, run as they stand: only the base URL is ours.

samples/PAGE_TOPIC.LANGUAGE is the text of a page (000: text generation; 004: generating content;
(c) Google, Apache License 2.0) without a change, lines joined where the page had broken them.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import toolchain
from pollux import PATIENCE, SMALL_MODEL, Server

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
HOST = "https://generativelanguage.googleapis.com"

pytestmark = pytest.mark.timeout(600)

# What must be in the output: the script echoes, so the prompt; the system samples ask a cat.
DOGS = "house?"
SAYS = {
    "000_text": "AI work", "000_system": "Meow.", "000_config": "AI works",
    "000_stream": "AI works", "000_chat": DOGS, "000_chat_stream": DOGS,
    "004_text": "magic backpack", "004_system": "Meow.", "004_config": "agic backpack",
    "004_stream": "magic backpack", "004_chat": DOGS, "004_chat_stream": DOGS, "004_safety": "Soccer Club",
    "004_json": "Snickerdoodle", "004_functions": "dim and warm",
}
OTHERS = {"004_safety.mjs": "", "004_functions.sh": "What can you do?", "000_config.go": "swallow", "000_stream.go": "magic backpack", "000_text.go": "AI works", "000_text.gs": "How AI does work?"}


@cache
def go_samples():
    """All of them in one build, each a command of the module."""
    module = [HERE.parent / "go" / f for f in ("go.mod", "go.sum")]
    sources = sorted(SAMPLES.glob("*.go"))

    def make(folder):
        for path in module:
            shutil.copy(path, folder)
        for path in sources:
            (folder / path.stem).mkdir()
            shutil.copy(path, folder / path.stem / "main.go")
        (folder / "bin").mkdir()
        toolchain.run("go", "build", "-o", "bin/", "./...", cwd=folder)
    toolchain.tool("go")
    return toolchain.cached("gosamples", [*module, *sources], make) / "bin"


def command(path, base, folder):
    if path.suffix == ".py":
        return [sys.executable, path]
    if path.suffix == ".go":
        return [go_samples() / path.stem]
    if path.suffix == ".gs":
        return [toolchain.tool("node"), HERE / "apps_script.mjs", path]
    if path.suffix == ".mjs":
        modules = toolchain.node_modules()
        for source in (path, HERE / "base_url.mjs"):
            shutil.copy(source, modules)
        hook = ["--import", modules / "base_url.mjs"] if path.stem.startswith("004") else []
        return [toolchain.tool("node"), *hook, modules / path.name]
    text = path.read_text().replace(HOST, base)
    # Two pages forgot to quote a URL with a `&`; no shell could run that.
    text = re.sub(r"^curl (http\S+&\S+)", r'curl "\1"', text)
    # One writes its functions to a file and then forgot to read it.
    text = text.replace('$(source "$tools")', "$(cat tools.json)")
    (folder / "sample.sh").write_text(text)
    return ["bash", folder / "sample.sh"]


def output(path, base, folder):
    try:
        words = command(path, base, folder)
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    env = {**os.environ, "BASE": base, "GOOGLE_GEMINI_BASE_URL": base,
           "NODE_NO_WARNINGS": "1", "GEMINI_API_KEY": "k", "GOOGLE_API_KEY": "k", "API_KEY": "k"}
    done = subprocess.run(list(map(str, words)), env=env, cwd=folder, capture_output=True, text=True,
                          timeout=240 * PATIENCE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in done.stdout.lower()
    return done.stdout


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda p: p.name)
def test_sample(server, tmp_path, path):
    """proves: G001 G002 G005 G006 G007 G009 G010 G015 G048 G049 G056 G066 G068 A001 H001 H022 H023 H026
    J014-J018 S001 S014 S015 X001-X003 X005-X007 X010 X011 X024 X025 X029"""
    said = output(path, server.base, tmp_path)
    assert OTHERS.get(path.name, SAYS[path.stem]) in said, said


# What must be in a real model's output, as a regular expression.
REAL = {
    "000_config.go": r"^\s*[\[{\"\d]", "000_system.py": r"\w", "004_json.mjs": r"^\s*\[\s*\{\s*\"recipeName\"",
    "004_json.sh": r"recipe_name", "004_functions.mjs": r"\w", "004_functions.sh": r'"text"',
}


@pytest.fixture(scope="module")
def narrow():
    """The samples set no limit, and a small model may list recipes without end: its context is one."""
    with Server("--model", SMALL_MODEL, "--ctx", 768, start_s=120) as s:
        yield s


@pytest.mark.parametrize("name", REAL)
def test_sample_on_a_model(narrow, tmp_path, name):
    """proves: G048 G056 G060 G066 G068 G112"""
    said = output(SAMPLES / name, narrow.base, tmp_path)
    assert re.search(REAL[name], said), said
