"""A server that is told to stop does, whoever keeps it waiting."""

import signal
import socket
import time

from pollux import PATIENCE


def accepted(listener):
    listener.settimeout(10 * PATIENCE)
    return listener.accept()[0]


def test_a_receiver_that_is_silent_does_not_hold_a_server_up(on_folder):
    """And a webhook whose try was broken off is brought by the next."""
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        args = "--webhook-secret", "s3cret", "--fetch-allow", "127.0.0.1"
        server = on_folder(*args)
        answer = server.post("/v1beta/interactions", {
            "model": "gemini-2.5-flash", "input": "Say hello",
            "webhook_config": {"uris": [f"http://127.0.0.1:{receiver.getsockname()[1]}"]}})
        assert answer.status == 200, answer
        with accepted(receiver):
            since = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            server.stop()  # the second: without grace
            assert time.monotonic() - since < 4 * PATIENCE
        on_folder(*args)
        with accepted(receiver) as line:
            assert answer.json["id"].encode() in line.recv(10000)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
