"""News of an end, brought to whom a request names."""

import base64
import hmac
import http.server
import json
import subprocess
import threading
import time

import pytest

from interactions import TIDE, TIDE_ASKED, ask, get, made, refused
from pollux import BINARY, PATIENCE, SCRIPT


class Receiver:
    """Somebody's server: what came, and what it answers, one after the other (then always 200)."""

    def __init__(self, *answers, port=0):
        self.got, self.answers = [], list(answers)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, n, seconds=10):
        until = time.monotonic() + seconds * PATIENCE
        while len(self.got) < n and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.got) == n, self.got
        return self.got


SECRET = ("--webhook-secret", "s3cret", "--fetch-allow", "127.0.0.1")


def signed(headers, body, secret=b"s3cret"):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(secret, text, "sha256")).decode()


@pytest.mark.parametrize("prompt, event, status", [
    ("Say hello", "completed", "completed"), (TIDE_ASKED, "requires_action", "requires_action"),
    ("block the prompt", "failed", "failed")])
def test_a_webhook_is_signed(scripted, prompt, event, status):
    """proves: I036"""
    server = scripted(*SECRET)
    with Receiver() as receiver:
        got = made(server, prompt, tools=[TIDE], webhook_config={
            "uris": [receiver.url + "/a?b=c"], "user_metadata": {"mine": [1]}}, background=True)
        (path, headers, body), = receiver.wait(1)
    assert path == "/a?b=c" and headers["Content-Type"] == "application/json" and signed(headers, body)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    told = json.loads(body)
    assert told["type"] == f"interaction.{event}" and told["user_metadata"] == {"mine": [1]}
    assert told["data"] == {"id": got["id"], "object": "interaction", "status": status}
    assert get(server, got["id"]).json["status"] == status


def test_a_webhook_is_tried_again(scripted):
    server = scripted(*SECRET)
    with Receiver(302) as receiver:
        made(server, "Say hello", webhook_config={"uris": [receiver.url]})
        got = receiver.wait(2)
        assert len({headers["webhook-id"] for _, headers, _ in got}) == 1 and all(signed(h, b) for _, h, b in got)
        time.sleep(0.3)
        receiver.wait(2)


def test_a_webhook_survives_the_server(on_folder):
    server = on_folder(*SECRET)
    with Receiver() as receiver:
        port = receiver.server.server_port
    made(server, "Say hello", webhook_config={"uris": [f"http://127.0.0.1:{port}"]})
    server.crash()
    with Receiver(port=port) as receiver:
        on_folder(*SECRET)
        receiver.wait(1)


def test_a_webhook_does_not_reach_private_addresses(scripted):
    server = scripted(*SECRET[:2])
    with Receiver() as receiver:
        made(server, "Say hello", webhook_config={"uris": [receiver.url, receiver.url.replace("127.0.0.1", "localhost")]})
        until = time.monotonic() + 10
        while server.log.count("not on the public network") < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert server.log.count("not on the public network") >= 2 and not receiver.got
    assert refused(ask(server, "x", webhook_config={"uris": ["file:///etc/passwd"]}), 400, "invalid_request", "http")
    assert refused(ask(server, "x", store=False, webhook_config={"uris": ["http://a"]}), 400, "invalid_request", "store")


def test_webhooks_want_the_fetcher(tmp_path):
    done = subprocess.run([BINARY, "serve", "--script", SCRIPT, "--port", "0", "--data-dir", tmp_path,
                           "--webhook-secret", "x", "--fetch", "off"], capture_output=True, text=True, timeout=20 * PATIENCE)
    assert done.returncode == 2 and "--fetch off" in done.stderr
