"""What the official clients make of something that was blocked; and the pages' samples of safety
settings against a server that judges. The model is a script, and so is its judge."""

import json
import math
from pathlib import Path

import pytest

from pollux import Server
from toolchain import beside_packages, ended, go, program, told, tool

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
    "python": lambda: program(HERE / "safety" / "genai.py"),
    "python-legacy": lambda: program(HERE / "safety" / "legacy.py"),
    "js": lambda: program(HERE / "safety" / "genai.mjs"),
    "js-legacy": lambda: program(HERE / "safety" / "legacy.mjs"),
    "go": lambda: go(HERE / "safety", "gosafety"),
}
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    for name, script in (("script", SCRIPT), ("judge", JUDGE)):
        (folder / name).write_text(json.dumps(script))
    with Server("--script", folder / "script", "--guard-script", folder / "judge") as s:
        yield s


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_told_what_was_blocked(judged, tmp_path, client):
    """proves: G008 G115 G116 G121 G122 T006 T007 T021 T033 T036 S013"""
    got = told(CLIENTS[client](), judged, tmp_path)
    assert got["blocked"] == "SAFETY"
    assert got["text"] == "Hello there."
    assert got["ratings"] == [["HARM_CATEGORY_HARASSMENT", "NEGLIGIBLE"], ["HARM_CATEGORY_HATE_SPEECH", "NEGLIGIBLE"]]
    assert got["finish"] == "SAFETY" and got["said"] == ""
    assert got["blockedFor"] == ["HARM_CATEGORY_HARASSMENT"]
    assert got["end"] == "SAFETY" and (SENTENCE * 3).startswith(got["streamed"]) and got["streamed"]


def test_the_curl_sample_of_the_page_when_its_answer_is_blocked(judged, tmp_path):
    """proves: X028 G123 T033"""
    text = (HERE / "seeds" / "samples" / "004_safety.sh").read_text()
    (tmp_path / "sample.sh").write_text(text.replace("https://generativelanguage.googleapis.com", judged.base))
    done = ended(["bash", tmp_path / "sample.sh"], judged, tmp_path)
    candidate = json.loads(done.stdout)["candidates"][0]
    assert candidate["finishReason"] == "SAFETY" and "content" not in candidate, done.stdout
    assert {r["category"]: r.get("blocked", False) for r in candidate["safetyRatings"]} == {
        "HARM_CATEGORY_HARASSMENT": True, "HARM_CATEGORY_HATE_SPEECH": False}


def test_the_javascript_sample_of_the_page_prints_the_ratings(judged, tmp_path):
    """proves: X027 T021 T036"""
    sample, base_url = (beside_packages(path.name, path.read_text()) for path in (
        HERE / "seeds" / "samples" / "004_safety.mjs", HERE / "seeds" / "base_url.mjs"))
    done = ended([tool("node"), "--import", base_url, sample], judged, tmp_path)
    assert done.returncode == 0 and "SAFETY" in done.stderr, done.stdout + done.stderr
    assert "HARM_CATEGORY_HARASSMENT" in done.stdout and "blocked: true" in done.stdout, done.stdout
