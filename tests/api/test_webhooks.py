"""News of an end, brought to whom a request names."""

import base64
import hmac
import http.server
import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from interactions import TIDE, TIDE_ASKED, ask, get, made, refused
from pollux import BINARY, PATIENCE, SCRIPT, free_port
from test_files import upload


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


def test_a_receiver_that_is_silent_does_not_hold_a_server_up(on_folder):
    """And a try that was broken off is made again by the next."""
    server = on_folder(*SECRET)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        made(server, "Say hello", webhook_config={"uris": [f"http://127.0.0.1:{port}"]})
        silent.settimeout(10 * PATIENCE)
        held, _ = silent.accept()
        since = time.monotonic()
        for _ in range(2):  # without grace
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        server.stop()
        assert time.monotonic() - since < 4 * PATIENCE
        held.close()
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


# ---- batches ----


def batch(server, prompts, uris, **fields):
    requests = [{"request": {"contents": [{"parts": [{"text": prompt}]}]}} for prompt in prompts]
    answer = server.post("/v1beta/models/gemini-2.0-flash:batchGenerateContent", {"batch": {
        "displayName": "b", "inputConfig": {"requests": {"requests": requests}},
        "webhookConfig": {"uris": uris, "userMetadata": {"mine": [1]}}, **fields}})
    assert answer.status == 200, answer
    assert answer.json["metadata"]["webhookConfig"] == {"uris": uris, "userMetadata": {"mine": [1]}}
    return answer.json["name"]


def news_of(name, state, **more):
    return {"id": name.removeprefix("batches/"), "object": "batch", "state": f"BATCH_STATE_{state}", **more}


def test_a_batch_tells_of_its_end(scripted):
    server = scripted(*SECRET)
    with Receiver() as receiver:
        name = batch(server, ["Say hello", "fault INTERNAL"], [receiver.url + "/a", receiver.url + "/b"])
        got = receiver.wait(2)
        assert {path for path, _, _ in got} == {"/a", "/b"} and len({h["webhook-id"] for _, h, _ in got}) == 2
        for _, headers, body in got:
            assert signed(headers, body)
            told = json.loads(body)
            assert told["type"] == "batch.succeeded" and told["user_metadata"] == {"mine": [1]}
            assert told["data"] == news_of(name, "SUCCEEDED")
        assert server.get("/v1beta/" + name).json["done"] is True
        name = batch(server, ["for ever"] * 3, [receiver.url])
        server.post(f"/v1beta/{name}:cancel")
        told = json.loads(receiver.wait(3)[-1][2])
        assert told["type"] == "batch.failed" and told["data"] == news_of(name, "CANCELLED")
        refuses = server.call("PATCH", f"/v1beta/{name}:updateGenerateContentBatch", {"webhookConfig": {"uris": []}})
        assert refuses.status == 400 and "webhook" in refuses.text, refuses


def test_the_news_of_a_batch_names_its_file(scripted):
    server = scripted(*SECRET)
    lines = json.dumps({"key": "1", "request": {"contents": [{"parts": [{"text": "Say hello"}]}]}}).encode() + b"\n"
    file = upload(server, lines)
    with Receiver(500) as receiver:
        answer = server.post("/v1beta/models/gemini-2.0-flash:batchGenerateContent", {"batch": {
            "inputConfig": {"fileName": file["name"]}, "webhook_config": {"uris": [receiver.url]}}})
        assert answer.status == 200, answer
        told = json.loads(receiver.wait(2)[-1][2])
    output = server.get("/v1beta/" + answer.json["name"]).json["response"]["responsesFile"]
    assert told["data"] == news_of(answer.json["name"], "SUCCEEDED", output_file_uri=output)


def test_the_news_of_a_batch_survive_the_server(on_folder):
    server = on_folder(*SECRET)
    with Receiver() as receiver:
        port = receiver.server.server_port
    name = batch(server, ["Say hello"], [f"http://127.0.0.1:{port}"])
    gone = batch(server, ["Say hello"], [f"http://127.0.0.1:{port}"])
    until = time.monotonic() + 10 * PATIENCE
    while not all(server.get("/v1beta/" + n).json["done"] for n in (name, gone)) and time.monotonic() < until:
        time.sleep(0.02)
    assert server.call("DELETE", "/v1beta/" + gone).status == 200
    server.crash()
    with Receiver(port=port) as receiver:
        on_folder(*SECRET)
        assert json.loads(receiver.wait(1)[0][2])["data"] == news_of(name, "SUCCEEDED")
        time.sleep(0.3)
        receiver.wait(1)


def test_a_dead_receiver_is_asked_once_in_a_while(scripted):
    """Whatever else waits for it is put off, and others are not."""
    server = scripted(*SECRET)
    with Receiver() as receiver:
        dead = f"http://127.0.0.1:{free_port()}"
        made(server, "Say hello", webhook_config={"uris": [dead + "/a", dead + "/b", dead + "/c", receiver.url]})
        receiver.wait(1)
        until = time.monotonic() + 5 * PATIENCE
        while "try=1 status=0" not in server.log and time.monotonic() < until:
            time.sleep(0.02)
        assert server.log.count("try=1 status=0") == 1
