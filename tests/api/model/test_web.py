"""google_search and url_context on the small model: what it says is its own, how it comes is ours."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pollux import SMALL_MODEL, Server

EURO = ("The final of UEFA Euro 2024 was played in Berlin on 14 July 2024. Spain won Euro 2024, beating England 2-1 in the "
        "final. It was the fourth title for Spain.")
URL = "https://uefa.example/euro2024"
CALM = {"temperature": 0, "seed": 1, "maxOutputTokens": 60}


@pytest.fixture(scope="module")
def narrow():
    with Server("--model", SMALL_MODEL, "--ctx", 3000, "--fetch-allow", "127.0.0.1", start_s=120) as server:
        server.add_document("UEFA Euro 2024", EURO, URL)
        yield server


def test_an_answer_rests_on_what_was_found(narrow):
    """proves: G039 T025 T041 T042 T043 T044 T045 T046 T047"""
    answer = narrow.generate("Who won the euro 2024?", CALM, timeout=240, fields={"tools": [{"googleSearch": {}}]})
    candidate = answer.json["candidates"][0]
    grounds, text = candidate["groundingMetadata"], candidate["content"]["parts"][-1]["text"].encode()
    assert 1 <= len(grounds["webSearchQueries"]) and all(grounds["webSearchQueries"])
    assert grounds["groundingChunks"] == [{"web": {"uri": URL, "title": "UEFA Euro 2024"}}]
    for support in grounds.get("groundingSupports", []):
        segment = support["segment"]
        assert text[segment.get("startIndex", 0):segment["endIndex"]].decode() == segment["text"]
        assert support["groundingChunkIndices"] == [0] and 0.5 <= support["confidenceScores"][0] <= 1
    assert answer.json["usageMetadata"]["toolUsePromptTokenCount"] > 20


def test_a_page_that_is_named_is_read(narrow, tmp_path):
    """proves: G041 I054 T030"""
    (tmp_path / "euro.html").write_text(f"<title>Euro</title><p>{EURO}</p>")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{web.server_port}/euro.html"
    try:
        answer = narrow.post("/v1beta/interactions", {
            "model": "gemini-3-flash-preview", "input": f"Who won? Read {url}", "tools": [{"type": "url_context"}],
            "generation_config": {"temperature": 0, "seed": 1, "max_output_tokens": 60}}, timeout=240)
    finally:
        web.shutdown()
        web.server_close()
    assert answer.status == 200, answer
    steps = answer.json["steps"]
    assert [s["type"] for s in steps[:2]] == ["url_context_call", "url_context_result"] and steps[-1]["type"] == "model_output"
    assert steps[1]["result"] == [{"url": url, "status": "success"}]
    for annotation in steps[-1]["content"][0].get("annotations", []):
        assert annotation["url"] == url and 0 <= annotation["start_index"] < annotation["end_index"]
