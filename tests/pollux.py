"""A Pollux to test: starts the binary on a free port, watches it, stops it; and the two ways in
which tests speak to it, whole calls (Answer) and raw bytes (Wire)."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("POLLUX", ROOT / "build" / "pollux"))
SANITIZED = bool(re.search(r"/(asan|tsan)/", str(BINARY)))
PATIENCE = 10 if SANITIZED else 1  # how much slower things may be
SCRIPT = ROOT / "tests" / "api" / "script.json"
SMALL_MODEL = "qwen2.5-coder-0.5b-instruct"
SMALLEST_MODEL = "smollm2-135m-instruct"  # where words do not matter: four times as fast
# Beside other tests a model has one core: threads that wait for each other at every layer would wait
# for whoever else has their core.
THREADS = os.environ.get("TEST_THREADS", "")

SANITIZER_MARKS = re.compile(
    r"(ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed)"
)


class Answer:
    """One answer, read whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    @property
    def said(self):
        """The text of the first candidate, or of the stream's chunks joined."""
        chunks = self.events if self.is_sse else self.json
        chunks = chunks if isinstance(chunks, list) else [chunks]
        return "".join(text_of(chunk) for chunk in chunks)

    @property
    def is_sse(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def events(self):
        return [json.loads(e[len("data: "):]) for e in self.text.split("\r\n\r\n") if e]

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


def text_of(response, candidate=0):
    for c in response.get("candidates", []):
        if c.get("index", 0) == candidate:
            return "".join(p.get("text", "") for p in c.get("content", {}).get("parts", []))
    return ""


class Wire:
    """A raw connection: the very bytes, with a deadline on every read."""

    def __init__(self, port, timeout=10.0):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout * PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        """Whatever comes next; b"" when the server has closed."""
        try:
            return self.sock.recv(65536)
        except ConnectionResetError:
            return b""

    def until(self, mark):
        """Bytes up to and with the mark; fewer when the connection closes first."""
        while mark not in self.held:
            data = self.more()
            if not data:
                taken, self.held = self.held, b""
                return taken
            self.held += data
        end = self.held.index(mark) + len(mark)
        taken, self.held = self.held[:end], self.held[end:]
        return taken

    def exactly(self, n):
        while len(self.held) < n:
            data = self.more()
            if not data:
                break
            self.held += data
        taken, self.held = self.held[:n], self.held[n:]
        return taken

    def rest(self):
        """Everything until the server closes."""
        while data := self.more():
            self.held += data
        taken, self.held = self.held, b""
        return taken

    def head(self):
        """Status and headers (lower-case names) of the next answer; (0, {}) when it closed."""
        raw = self.until(b"\r\n\r\n").decode("latin-1")
        if not raw:
            return 0, {}
        first, *lines = raw.strip().split("\r\n")
        return int(first.split()[1]), {
            k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)
        }

    def pieces(self, headers):
        """The body as it arrives: one element for each chunk of the chunked coding, or the
        whole when its length was told."""
        if "content-length" in headers:
            yield self.exactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while True:
                line = self.until(b"\r\n")
                if not line.endswith(b"\r\n"):
                    raise ConnectionError("closed within the chunked coding")
                size = int(line, 16)
                data = self.exactly(size + 2)
                if len(data) != size + 2:
                    raise ConnectionError("closed within a chunk")
                if size == 0:
                    return
                yield data[:-2]
        else:
            yield self.rest()

    def answer(self):
        status, headers = self.head()
        return Answer(status, headers, b"".join(self.pieces(headers)) if status else b"")


def request_bytes(method, path, body=b"", headers=None, host="127.0.0.1"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Host": host, "Content-Type": "application/json", "x-goog-api-key": "test"}
    if body or method == "POST":
        lines["Content-Length"] = str(len(body))
    lines.update(headers or {})
    head = "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def until(true, what="it does not happen", seconds=20):
    """Returns as soon as true() is; fails when that takes too long."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment(**more):
    """This process's own without the tester's settings of Pollux."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("POLLUX_")}
    threads = {"POLLUX_THREADS": THREADS} if THREADS else {}
    return {**clean, **threads, **more}


class Server:
    """`pollux serve` with the arguments given. Must leave without a complaint."""

    def __init__(self, *args, env=None, start_s=20):
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.dir = tempfile.TemporaryDirectory(prefix="pollux-test-")
        self.log_path = Path(self.dir.name) / "log"
        self.command = [str(BINARY), "serve", "--host", "127.0.0.1", "--port", str(self.port),
                        "--data-dir", str(Path(self.dir.name) / "data"), *map(str, args)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment(**(env or {})))
        deadline = time.monotonic() + start_s * PATIENCE
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command} ended with {self.process.returncode}:\n{self.log}")
            try:
                if self.get("/healthz").status == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"{self.command} does not answer /healthz:\n{self.log}")
            time.sleep(0.02)

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def rss_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    @property
    def n_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def n_children(self):
        """Processes that it has started and that still are."""
        n = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                n += len((task / "children").read_text().split())
            except OSError:  # the thread has ended
                pass
        return n

    def crash(self):
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self.dir.cleanup()

    def stop(self):
        """Ends it as an owner would, and fails when it crashed, hung or a sanitizer spoke."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "no end 15 s after SIGTERM"
        log = self.log
        self.dir.cleanup()
        complaint = SANITIZER_MARKS.search(log)
        assert code == 0 and not complaint, f"{self.command} ended with {code}:\n{log[-6000:]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wire(self, timeout=10.0):
        return Wire(self.port, timeout)

    def call(self, method, path, body=None, headers=None, timeout=30.0):
        """One call on a connection of its own. A dict is sent as JSON, bytes as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        send = {"Content-Type": "application/json", "x-goog-api-key": "test", **(headers or {})}
        http_ = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout * PATIENCE)
        try:
            http_.request(method, path, data, {k: v for k, v in send.items() if v is not None})
            got = http_.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            http_.close()

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def add_document(self, name, text, uri):
        """Puts a text into what google_search searches, as `pollux index add` does."""
        head = {"X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": name, "Content-Type": "text/plain"}
        file = self.post("/upload/v1beta/files", text.encode(), headers=head).json["file"]["name"]
        made = self.post("/v1beta/fileSearchStores/local:importFile", {
            "fileName": file, "customMetadata": [{"key": "uri", "stringValue": uri}]}).json["name"]
        until = time.monotonic() + 20 * PATIENCE
        while not self.get(f"/v1beta/{made}").json.get("done"):
            assert time.monotonic() < until, "it is not indexed"
            time.sleep(0.01)

    def generate(self, prompt, config=None, model="gemini-2.0-flash", verb="generateContent",
                 version="v1beta", **more):
        """A call of a method of `model`; `prompt` is a text or the contents."""
        body = {"contents": contents(prompt)}
        if config:
            body["generationConfig"] = config
        body.update(more.pop("fields", {}))
        return self.post(f"/{version}/models/{model}:{verb}", body, **more)

    def stream(self, prompt, config=None, **more):
        return self.generate(prompt, config, verb="streamGenerateContent?alt=sse", **more)

    def count(self, prompt, **more):
        answer = self.post("/v1beta/models/gemini-2.0-flash:countTokens",
                           {"contents": contents(prompt)}, **more)
        assert answer.status == 200, answer
        return answer.json["totalTokens"]


def contents(prompt):
    if isinstance(prompt, str):
        return [{"role": "user", "parts": [{"text": prompt}]}]
    return prompt
