"""The official clients ask for speech and name a file by its URL; and so does curl."""

import base64
import threading
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pollux import SCRIPT, Server
from toolchain import program, said, told

HERE = Path(__file__).parent / "speech"
pytestmark = pytest.mark.timeout(600)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"words from afar")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page():
    web = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}/words.txt"
    web.shutdown()
    web.server_close()


@pytest.fixture(scope="module")
def fetching():
    with Server("--script", SCRIPT, "--fetch-allow", "127.0.0.1") as s:
        yield s


def speak(server, text, speech=None, model="gemini-2.5-flash"):
    answer = server.generate(text, {"responseModalities": ["AUDIO"], **({"speechConfig": speech} if speech else {})}, model=model)
    return base64.b64decode(answer.json["candidates"][0]["content"]["parts"][0]["inlineData"]["data"])


def check(got, server):
    kore = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert got["mime"] == "audio/L16;codec=pcm;rate=24000" and got["modality"] == "AUDIO"
    assert got["one"] == len(speak(server, "Have a wonderful day!", kore)) and got["tokens"] == -(-got["one"] // 1920)
    assert got["two"] > got["one"] and got["streamed"] == len(speak(server, "Say hello"))
    assert "words from afar" in got["read"]


def test_python(fetching, tmp_path, page):
    """proves: G021 G069 G081 G088 J012"""
    got = told(program(HERE / "genai.py"), fetching, tmp_path, PAGE=page)
    check(got, fetching)
    with wave.open(str(tmp_path / "out.wav")) as kept:
        assert kept.getnframes() * 2 == got["one"]


def test_javascript(fetching, tmp_path, page):
    """proves: G021 G069 G081 G088"""
    check(told(program(HERE / "genai.mjs"), fetching, tmp_path, PAGE=page), fetching)


def test_curl_as_the_documentation_has_it(fetching, tmp_path):
    script = """
curl -s "$BASE/v1beta/models/gemini-2.5-flash-preview-tts:generateContent" -H "x-goog-api-key: k" -X POST \\
  -H "Content-Type: application/json" -d '{
    "contents": [{"parts":[{"text": "Say cheerfully: Have a wonderful day!"}]}],
    "generationConfig": {"responseModalities": ["AUDIO"],
      "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}},
    "model": "gemini-2.5-flash-preview-tts"}' |
  jq -r '.candidates[0].content.parts[0].inlineData.data' | base64 --decode > out.pcm
ffmpeg -v error -f s16le -ar 24000 -ac 1 -i out.pcm out.wav
"""
    said(["bash", "-c", script], fetching, tmp_path)
    pcm = (tmp_path / "out.pcm").read_bytes()
    assert len(pcm) > 24000 and (tmp_path / "out.wav").stat().st_size > len(pcm)
