"""google_search and url_context: the model asks, the server searches and reads; on both dialects."""

import base64
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pollux import BINARY, ROOT, Server
from test_media import pdf

SCRIPT = ROOT / "tests" / "scripts" / "web.json"
MODEL = "gemini-3-flash-preview"
SEARCH, URLS = {"tools": [{"googleSearch": {}}]}, {"tools": [{"urlContext": {}}]}
TIDES = "The moon raises the tides of the sea. They come twice a day."
HTML = f"<html><head><title>On tides</title><script>no()</script></head><body><h1>Tides</h1><p>{TIDES}</p></body></html>"
VERBS = ["generateContent", "streamGenerateContent?alt=sse"]

SEARXNG = {"results": [
    {"url": "https://uefa.example/final", "title": "Final", "content": "Spain won <b>Euro 2024</b>, beating England 2-1 &amp; more."},
    {"url": "https://uefa.example/final", "title": "Final", "content": "Spain won <b>Euro 2024</b>, beating England 2-1 &amp; more."},
    {"url": "javascript:alert(1)", "title": "x", "content": "y"}, {"url": "https://b.example", "title": "Bread"}]}
BRAVE = {"web": {"results": [{"url": "https://c.example/", "title": "<strong>Final</strong>", "description": "Spain won 2-1."}]}}


class Web(ThreadingHTTPServer):
    """A small web: pages, and two search servers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.base, self.asked = f"http://127.0.0.1:{self.server_port}", []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Page(BaseHTTPRequestHandler):
    PAGES = {"/tides.html": ("text/html", HTML.encode()), "/tides.txt": ("text/plain", TIDES.encode()),
             "/paid": (402, b""), "/away": (404, b""), "/far": (302, b"http://10.0.0.1/")}

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        path = self.path.split("?")[0]
        if path == "/tides.pdf":
            return self.give(200, "application/pdf", pdf(TIDES))
        if path in ("/search", "/res/v1/web/search"):
            if path != "/search" and self.headers.get("X-Subscription-Token") != "secret":
                return self.give(401, "text/plain", b"")
            return self.give(200, "application/json", json.dumps(SEARXNG if path == "/search" else BRAVE).encode())
        kind, body = self.PAGES.get(path, (404, b""))
        self.give(kind if isinstance(kind, int) else 200, kind if isinstance(kind, str) else "text/plain", body)

    def give(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header("Location", body.decode())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    server = Web()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def script(web, tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / "web.json"
    path.write_text(SCRIPT.read_text().replace("@BASE@", web.base))
    return path


@pytest.fixture(scope="module")
def local(script):
    with Server("--script", script, "--fetch-allow", "127.0.0.1") as server:
        server.add_document("tides.txt", TIDES, "file:///docs/tides.txt")
        server.add_document("farbe.txt", "Grün ist die Farbe des Meeres. Blau ist der Himmel.", "file:///docs/farbe.txt")
        yield server


def joined(answer):
    """The texts of all chunks; the last chunk's candidate; its usage."""
    assert answer.status == 200, answer
    chunks = answer.events if answer.is_sse else [answer.json]
    for chunk in chunks[:-1]:
        assert not {"groundingMetadata", "urlContextMetadata"} & set(chunk["candidates"][0])
    return answer.said, chunks[-1]["candidates"][0], chunks[-1]["usageMetadata"]


def ask(server, input, tool="google_search", **fields):
    return server.post("/v1beta/interactions", {"model": MODEL, "input": input, "tools": [{"type": tool}], **fields})


def made(server, input, tool="google_search", **fields):
    answer = ask(server, input, tool, **fields)
    assert answer.status == 200, answer
    return answer.json


def events(answer):
    assert answer.status == 200, answer
    return [json.loads(line[len("data: "):]) for line in answer.text.splitlines() if line.startswith("data: {")]


def words_of(step):
    return base64.b64decode(step["signature"]).decode()


# ---- google_search over the owner's documents ----


@pytest.mark.parametrize("verb", VERBS)
def test_an_answer_is_grounded(local, verb):
    """proves: G039; and T022 T024 T037-T040 T048, what only the public service's own corpora fill, is
    never there."""
    said, candidate, usage = joined(local.generate("look up the tides", verb=verb, fields=SEARCH))
    assert said == "Let me see.Well. The moon raises the tides of the sea. That is all."
    assert candidate["finishReason"] == "STOP" and usage["toolUsePromptTokenCount"] > 10
    assert set(candidate) == {"content", "finishReason", "index", "tokenCount", "groundingMetadata"}
    grounds = candidate["groundingMetadata"]
    assert set(grounds) == {"webSearchQueries", "searchEntryPoint", "groundingChunks", "groundingSupports"}
    assert grounds["webSearchQueries"] == ["what raises the tides", "tides of the <sea>"]
    assert "tides of the &lt;sea&gt;</span>" in grounds["searchEntryPoint"]["renderedContent"]
    assert json.loads(base64.b64decode(grounds["searchEntryPoint"]["sdkBlob"]))[0][0] == "what raises the tides"
    assert grounds["groundingChunks"][0] == {"web": {"uri": "file:///docs/tides.txt", "title": "tides.txt"}}
    (support,) = grounds["groundingSupports"]
    assert support["segment"] == {"partIndex": 1, "startIndex": 6, "endIndex": 43, "text": "The moon raises the tides of the sea."}
    assert support["groundingChunkIndices"] == [0] and 0.9 < support["confidenceScores"][0] <= 1


@pytest.mark.parametrize("verb", VERBS)
def test_segments_are_bytes_on_the_borders_of_the_text(local, verb):
    _, candidate, _ = joined(local.generate("Welche Farbe?", verb=verb, fields=SEARCH))
    (support,) = candidate["groundingMetadata"]["groundingSupports"]
    segment, text = support["segment"], "Schön 🌊! Grün ist die Farbe des Meeres. Gut.".encode()
    assert text[segment["startIndex"]:segment["endIndex"]].decode() == segment["text"] == "Grün ist die Farbe des Meeres."
    assert "partIndex" not in segment


def test_steps_of_a_search(local):
    """proves: I052 I065 I066 I079"""
    answer = made(local, "look up the tides")
    assert [s["type"] for s in answer["steps"]] == ["model_output", "google_search_call", "google_search_result", "model_output"]
    _, call, result, output = answer["steps"]
    assert call["arguments"] == {"queries": ["what raises the tides", "tides of the <sea>"]}
    assert result["call_id"] == call["id"] and result["is_error"] is False
    assert "what raises" in result["result"][0]["search_suggestions"] and "moon raises" in words_of(result)
    (block,) = output["content"]
    assert block["annotations"] == [{"type": "url_citation", "url": "file:///docs/tides.txt", "title": "tides.txt",
                                     "start_index": 6, "end_index": 43}]
    assert block["text"].encode()[6:43] == b"The moon raises the tides of the sea."
    assert answer["usage"]["total_tool_use_tokens"] > 10
    assert local.get(f"/v1beta/interactions/{answer['id']}").json["steps"] == answer["steps"]


def test_events_of_a_search(local):
    """proves: I114 I116"""
    told = events(ask(local, "look up the tides", stream=True))
    deltas = [e["delta"] for e in told if e["event_type"] == "step.delta"]
    kinds = [d["type"] for d in deltas]
    assert kinds[:3] == ["text", "google_search_call", "google_search_result"] and set(kinds[3:-1]) == {"text"}
    assert deltas[-1] == {"type": "text_annotation_delta", "annotations": [
        {"type": "url_citation", "url": "file:///docs/tides.txt", "title": "tides.txt", "start_index": 6, "end_index": 43}]}
    id = told[0]["interaction"]["id"]
    again = events(local.get(f"/v1beta/interactions/{id}?stream=true"))
    assert again == told
    steps = local.get(f"/v1beta/interactions/{id}").json["steps"]
    assert steps[-1]["content"][0]["annotations"] == deltas[-1]["annotations"]
    never_streamed = events(local.get(f"/v1beta/interactions/{made(local, 'look up the tides')['id']}?stream=true"))
    (made_up,) = [e["delta"] for e in never_streamed if e.get("delta", {}).get("type") == "text_annotation_delta"]
    assert made_up == deltas[-1]
    (result,) = [e["delta"] for e in never_streamed if e.get("delta", {}).get("type") == "google_search_result"]
    assert result == deltas[2]


def test_a_history_tells_the_model_what_the_chain_does(local):
    first = made(local, "look up the tides")
    more = made(local, "and without any?", previous_interaction_id=first["id"])
    history = [{"type": "user_input", "content": "look up the tides"}, *first["steps"],
               {"type": "user_input", "content": "and without any?"}]
    alone = made(local, history, store=False)
    assert alone["usage"]["total_input_tokens"] == more["usage"]["total_input_tokens"]
    assert more["usage"]["total_input_tokens"] > first["usage"]["total_input_tokens"] + first["usage"]["total_tool_use_tokens"]


def test_what_is_not_found_is_said(local):
    said, candidate, _ = joined(local.generate("nothing", fields=SEARCH))
    assert said == "I do not know." and "groundingChunks" not in candidate["groundingMetadata"]
    steps = made(local, "no query")["steps"]
    assert steps[1]["is_error"] is True and steps[-1]["content"][0]["text"] == "I asked for nothing."


def test_without_a_search_there_are_no_grounds(local):
    _, candidate, _ = joined(local.generate("without any", fields=SEARCH))
    assert "groundingMetadata" not in candidate


@pytest.mark.parametrize("tool, words", [
    ({"googleSearch": {"timeRangeFilter": {"startTime": "2026-01-01T00:00:00Z"}}}, "range of time"),
    ({"googleSearch": {"searchTypes": {"imageSearch": {}}}}, "search_types"),
    ({"googleSearch": {"colour": 1}}, "colour"),
    ({"urlContext": {"colour": 1}}, "colour"),
])
def test_what_a_tool_cannot_do_is_refused(local, tool, words):
    answer = local.generate("hi", fields={"tools": [tool]})
    assert answer.status == 400 and words in answer.error["message"], answer


def test_forms_of_the_tool_that_are_taken(local):
    """proves: G040"""
    for tool in ({"google_search": {}}, {"googleSearch": {"searchTypes": {"webSearch": {}}}},
                 {"googleSearchRetrieval": {"dynamicRetrievalConfig": {"mode": "MODE_DYNAMIC", "dynamicThreshold": 0.6}}}):
        _, candidate, _ = joined(local.generate("look up the tides", fields={"tools": [tool]}))
        assert candidate["groundingMetadata"]["groundingSupports"], tool
    assert made(local, "hi", tools=[{"type": "google_search", "search_types": ["web_search"]}])["status"] == "completed"
    answer = ask(local, "hi", tools=[{"type": "google_search", "search_types": ["image_search"]}])
    assert answer.status == 400 and "tools[0].search_types" in answer.error["message"]


def test_an_empty_index_says_how_to_fill_it(script):
    with Server("--script", script) as server:
        for answer in (server.generate("hi", fields=SEARCH), ask(server, "hi")):
            assert answer.status == 400 and "pollux index add" in answer.error["message"], answer
            assert "tools[0]" in answer.error["message"] and "--search local" in answer.error["message"]


# ---- other providers ----


def test_searxng(script, web):
    with Server("--script", script, "--search", "searxng", "--search-url", web.base + "/") as server:
        said, candidate, _ = joined(server.generate("who won the euro?", fields=SEARCH))
    grounds = candidate["groundingMetadata"]
    assert said.startswith("Spain won") and grounds["groundingChunks"] == [{"web": {"uri": "https://uefa.example/final", "title": "Final"}}]
    assert grounds["groundingSupports"][0]["segment"]["text"] == said
    assert web.asked[-1][0] == "/search?format=json&q=who%20won%20euro%202024"


def test_a_search_api_with_a_key(script, web):
    with Server("--script", script, "--search", "brave", "--search-url", web.base, "--search-key", "secret") as server:
        step = made(server, "who won the euro?")["steps"][1]
        assert "[1] Final (https://c.example/)\nSpain won 2-1." in words_of(step)
        assert "secret" not in server.log
    with Server("--script", script, "--search", "brave", "--search-url", web.base, "--search-key", "wrong") as server:
        step = made(server, "who won the euro?")["steps"][1]
        assert step["is_error"] and words_of(step).endswith("HTTP status 401.")


def test_a_search_server_that_is_away(script):
    with Server("--script", script, "--search", "searxng", "--search-url", "http://127.0.0.1:9") as server:
        answer = made(server, "who won the euro?")
    assert answer["status"] == "completed" and answer["steps"][1]["is_error"] is True
    assert answer["steps"][-1]["content"][0]["text"] == "The search is broken."


def test_settings(script, tmp_path):
    for words, told in ((("--search", "searxng"), "--search-url"), (("--search", "brave"), "--search-key"),
                        (("--search-url", "http://a"), "--search"),
                        (("--search", "searxng", "--search-url", "ftp://a"), "http or https")):
        done = subprocess.run([BINARY, "serve", "--port", "0", "--data-dir", tmp_path, "--script", script, *words],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and told in done.stderr, done.stderr
    with Server("--script", script, "--search", "off", "--fetch", "off") as server:
        for answer, setting in ((server.generate("hi", fields=SEARCH), "--search"), (ask(server, "hi"), "--search"),
                                (server.generate("hi", fields=URLS), "--fetch"), (ask(server, "hi", "url_context"), "--fetch")):
            assert answer.status == 400 and setting in answer.error["message"] and "not supported" in answer.error["message"], answer


# ---- url_context ----


@pytest.mark.parametrize("name, title", [("tides.html", "On tides"), ("tides.txt", None), ("tides.pdf", None)])
def test_pages_that_are_named_are_read(local, web, name, title):
    """proves: G041"""
    url = f"{web.base}/{name}"
    said, candidate, usage = joined(local.generate(f"What does {url} say?", fields=URLS))
    assert said == "Well. The moon raises the tides of the sea. That is all."
    assert candidate["urlContextMetadata"] == {"urlMetadata": [
        {"retrievedUrl": url, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]}
    grounds = candidate["groundingMetadata"]
    assert grounds["groundingChunks"] == [{"web": {"uri": url, "title": title or url}}]
    assert grounds["groundingSupports"][0]["segment"]["text"] == "The moon raises the tides of the sea."
    assert "webSearchQueries" not in grounds and usage["toolUsePromptTokenCount"] > 10


@pytest.mark.parametrize("path, status, said", [
    ("/away", "error", "It could not be read."), ("/paid", "paywall", "It could not be read."),
    ("/far", "unsafe", "That is not allowed.")])
def test_pages_that_cannot_be_read(local, web, path, status, said):
    steps = made(local, f"Read {web.base}{path}.", "url_context")["steps"]
    assert [s["type"] for s in steps] == ["url_context_call", "url_context_result", "model_output"]
    assert steps[1]["result"] == [{"url": web.base + path, "status": status}] and steps[1]["is_error"] is True
    assert steps[2]["content"][0]["text"] == said


def test_steps_and_events_of_pages(local, web):
    """proves: I054 I069"""
    url, away = web.base + "/tides.html", web.base + "/away"
    told = events(ask(local, f"Read ({url}), {away}!", "url_context", stream=True))
    deltas = [e["delta"] for e in told if e["event_type"] == "step.delta"]
    assert deltas[0]["arguments"] == {"urls": [url, away]}
    assert deltas[1]["result"] == [{"url": url, "status": "success"}, {"url": away, "status": "error"}]
    assert deltas[1]["is_error"] is False
    assert deltas[-1]["annotations"] == [{"type": "url_citation", "url": url, "title": "On tides", "start_index": 6, "end_index": 43}]


def test_the_model_may_ask_for_pages(local, web):
    said, candidate, _ = joined(local.generate("read on", fields=URLS))
    assert said.startswith("Well.") and candidate["urlContextMetadata"]["urlMetadata"][0]["retrievedUrl"] == web.base + "/tides.html"


def test_an_address_in_another_turn_is_not_read_again(local, web):
    n = len(web.asked)
    local.generate([{"role": "user", "parts": [{"text": f"What is {web.base}/tides.html?"}]},
                    {"role": "model", "parts": [{"text": "A page."}]}, {"role": "user", "parts": [{"text": "And now?"}]}], fields=URLS)
    assert len(web.asked) == n


def test_streamed_pages(local, web):
    said, candidate, _ = joined(local.generate(f"Read {web.base}/tides.txt", verb=VERBS[1], fields=URLS))
    assert said.startswith("Well.") and candidate["urlContextMetadata"] and candidate["groundingMetadata"]["groundingSupports"]


def test_a_choice_of_no_tools_reads_nothing(local, web):
    n = len(web.asked)
    steps = made(local, f"Read {web.base}/tides.txt", "url_context", generation_config={"tool_choice": "none"})["steps"]
    assert [s["type"] for s in steps] == ["model_output"] and len(web.asked) == n


def test_search_pages_and_functions_in_one_answer(local, web):
    tide = {"name": "get_tide", "parameters": {"type": "OBJECT", "properties": {"harbour": {"type": "STRING"}}}}
    said, candidate, _ = joined(local.generate(f"look up the tides, and {web.base}/tides.txt", fields={
        "tools": [{"googleSearch": {}, "urlContext": {}}, {"functionDeclarations": [tide]}]}))
    assert said.startswith("Well.") and candidate["urlContextMetadata"]["urlMetadata"][0]["retrievedUrl"] == web.base + "/tides.txt"
    answer = made(local, "look up the tides", tools=[{"type": "google_search"}, {"type": "url_context"}, {"type": "code_execution"}])
    assert answer["steps"][-1]["content"][0]["annotations"]


def test_a_client_that_leaves_while_pages_are_read(local):
    with local.wire() as wire:
        body = json.dumps({"contents": [{"parts": [{"text": "Read http://127.0.0.1:9/a"}]}], **URLS}).encode()
        wire.send(b"POST /v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert local.generate("without any", fields=URLS).said == "The moon, I think."
