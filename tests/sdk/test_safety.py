"""What the official clients make of something that was blocked; and the pages' samples of safety
settings against a server that judges. The model is a script, and so is its judge."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import toolchain
from pollux import Server

HERE = Path(__file__).parent
MARTIANS = "I support Martians Soccer Club"
SENTENCE = "This is a sentence of some length, and so it takes its time. "
SCRIPT = {
    "slots": 64,
    "replies": [
        {"match": {"prompt": "Say hello"}, "text": "Hello there."},
        {"match": {"prompt": "an insult"}, "chunkDelayMs": 30,
         "chunks": [SENTENCE, SENTENCE, SENTENCE, "You are an idiot. ", SENTENCE]},
        {"match": {"prompt": MARTIANS}, "text": "They are idiots."},
    ],
}
JUDGE = {
    "slots": 64,
    "replies": [{"match": {"prompt_regex": "idiot.*harassment"}, "text": "Yes", "logprobs": [math.log(0.99)]}],
    "default": {"text": "No", "logprobs": [math.log(0.99)]},
}
CLIENTS = {
    "python": lambda: [sys.executable, HERE / "safety" / "genai.py"],
    "python-legacy": lambda: [sys.executable, HERE / "safety" / "legacy.py"],
    "js": lambda: node("genai.mjs"),
    "js-legacy": lambda: node("legacy.mjs"),
    "go": lambda: toolchain.go(HERE / "safety", "gosafety"),
}
pytestmark = pytest.mark.timeout(900)


def node(name):
    modules = toolchain.node_modules()
    shutil.copy(HERE / "safety" / name, modules / f"safety_{name}")
    return [toolchain.tool("node"), modules / f"safety_{name}"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    for name, script in (("script", SCRIPT), ("judge", JUDGE)):
        (folder / name).write_text(json.dumps(script))
    with Server("--script", folder / "script", "--guard-script", folder / "judge") as s:
        yield s


def run(make, server, cwd, **more):
    try:
        words = make()
    except toolchain.Missing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    env = {**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1", "API_KEY": "k", "GOOGLE_API_KEY": "k"}
    return subprocess.run(list(map(str, words)), env=env, cwd=cwd, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, **more)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_told_what_was_blocked(judged, tmp_path, client):
    """proves: G008 G115 G116 G121 G122 T006 T007 T021 T033 T036 S013"""
    done = run(CLIENTS[client], judged, tmp_path)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout.splitlines()[-1])
    assert got["blocked"] == "SAFETY"
    assert got["text"] == "Hello there."
    assert got["ratings"] == [["HARM_CATEGORY_HARASSMENT", "NEGLIGIBLE"], ["HARM_CATEGORY_HATE_SPEECH", "NEGLIGIBLE"]]
    assert got["finish"] == "SAFETY" and got["said"] == ""
    assert got["blockedFor"] == ["HARM_CATEGORY_HARASSMENT"]
    assert got["end"] == "SAFETY" and (SENTENCE * 3).startswith(got["streamed"]) and got["streamed"]


def curl(server, folder):
    text = (HERE / "seeds" / "samples" / "004_safety.sh").read_text()
    (folder / "sample.sh").write_text(text.replace("https://generativelanguage.googleapis.com", server.base))
    return ["bash", folder / "sample.sh"]


def test_the_curl_sample_of_the_page_when_its_answer_is_blocked(judged, tmp_path):
    """proves: X028 G123 T033"""
    done = run(lambda: curl(judged, tmp_path), judged, tmp_path)
    candidate = json.loads(done.stdout)["candidates"][0]
    assert candidate["finishReason"] == "SAFETY" and "content" not in candidate, done.stdout
    assert {r["category"]: r.get("blocked", False) for r in candidate["safetyRatings"]} == {
        "HARM_CATEGORY_HARASSMENT": True, "HARM_CATEGORY_HATE_SPEECH": False}


def page_sample():
    modules = toolchain.node_modules()
    for source in ("004_safety.mjs",):
        shutil.copy(HERE / "seeds" / "samples" / source, modules)
    shutil.copy(HERE / "seeds" / "base_url.mjs", modules)
    return [toolchain.tool("node"), "--import", modules / "base_url.mjs", modules / "004_safety.mjs"]


def test_the_javascript_sample_of_the_page_prints_the_ratings(judged, tmp_path):
    """proves: X027 T021 T036"""
    done = run(page_sample, judged, tmp_path)
    assert done.returncode == 0 and "SAFETY" in done.stderr, done.stdout + done.stderr
    assert "HARM_CATEGORY_HARASSMENT" in done.stdout and "blocked: true" in done.stdout, done.stdout
