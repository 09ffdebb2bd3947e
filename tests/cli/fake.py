"""A tiny Gemini API server for the client's tests: it answers by what the user said last, can
misbehave on request, and keeps every request for the test to look at."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
TOO_MANY = {"error": {"code": 429, "message": "Too many requests.", "status": "RESOURCE_EXHAUSTED"}}
MODELS = [
    {"name": "models/one", "displayName": "Model One", "inputTokenLimit": 4096,
     "outputTokenLimit": 1024, "somethingNew": {"a": [1]}},
    {"name": "models/two", "displayName": "Model Two", "inputTokenLimit": 8192},
]


def chunk(text, finish=None, **more):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "one", "usageMetadata": USAGE, **more}


def thinking(thought, text):
    answer = chunk(text, "STOP")
    answer["candidates"][0]["content"]["parts"].insert(0, {"text": thought, "thought": True})
    return [answer]


# What the user says -> the chunks of the answer.
SCRIPT = {
    "cut": [chunk("Once upon a"), chunk(" time", "MAX_TOKENS")],
    "unsafe": [chunk("", "SAFETY")],
    "blocked": [{"promptFeedback": {"blockReason": "SAFETY"}}],
    "think": thinking("Hmm, let me see.", "42"),
    "escape": [chunk("a\x1b[31mb\x07c\x9bd\te", "STOP")],
    "unicode": [chunk("héllo "), chunk("wörld "), chunk("🌍", "STOP")],
    "nothing": [{"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}],
    "endless": [chunk(f"{i} ") for i in range(1000)],
    "drop": [chunk("half an"), None],
    "midway": [chunk("so far"), TOO_MANY],
    "unfinished": [chunk("no end")],
    "garbage": ["this is not JSON"],
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def note(self, body):
        self.server.requests.append((self.command, self.path, dict(self.headers), body))

    def do_GET(self):
        self.note(None)
        if self.path.startswith("/v1beta/models?"):
            second = "pageToken=p2" in self.path
            page = {"models": MODELS[1:]} if second else {"models": MODELS[:1], "nextPageToken": "p2"}
            return self.reply(200, page)
        for model in MODELS:
            if self.path in (f"/v1beta/{model['name']}", "/v1beta/models/gemini-flash-latest"):
                return self.reply(200, model)
        return self.reply(404, {"error": {"code": 404, "status": "NOT_FOUND",
                                          "message": f"{self.path} is not found."}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.note(body)
        if ":countTokens" in self.path:
            contents = body["generateContentRequest"]["contents"]
            return self.reply(200, {"totalTokens": 10 * len(contents)})
        said = body["contents"][-1]["parts"][0]["text"]
        if said == "refuse":
            return self.reply(429, TOO_MANY)
        if said == "key":
            return self.reply(403, {"error": {"code": 403, "status": "PERMISSION_DENIED",
                                              "message": "Method doesn't allow callers without a key."}})
        if said == "proxy":
            return self.reply(502, b"<html>Bad gateway</html>", "text/html")
        if said == "sleep":
            time.sleep(30)
        chunks = SCRIPT.get(said, [chunk("You said: "), chunk(said, "STOP")])
        if ":streamGenerateContent" in self.path:
            return self.stream(chunks)
        return self.whole(chunks)

    def whole(self, chunks):
        if not all(isinstance(c, dict) for c in chunks):
            self.close_connection = True
            return self.reply(200, b"{") if None not in chunks else None
        if chunks[-1] == TOO_MANY:
            return self.reply(429, TOO_MANY)
        answer = json.loads(json.dumps(chunks[-1]))
        if "candidates" in answer and "parts" in answer["candidates"][0]["content"]:
            parts = [p for c in chunks for p in c["candidates"][0]["content"]["parts"]]
            thoughts = [p for p in parts if p.get("thought")]
            text = "".join(p["text"] for p in parts if not p.get("thought"))
            answer["candidates"][0]["content"]["parts"] = thoughts + [{"text": text}]
        return self.reply(200, answer)

    def stream(self, chunks):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pause = 0.02 if len(chunks) > 100 else 0
        try:
            for c in chunks:
                if c is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                data = f"data: {c if isinstance(c, str) else json.dumps(c)}\r\n\r\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
                time.sleep(pause)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.server.hung_up.set()
            self.close_connection = True


class Fake(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.hung_up = threading.Event()
        self.base = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that leaves is part of the tests

    @property
    def bodies(self):
        return [body for *_, body in self.requests if body is not None]

    def stop(self):
        self.shutdown()
        self.server_close()
