"""fileData with a URL: fetched by the guarded fetcher, read like inline data. The tests' own web servers lie
on this machine, so they are allowed by name; what they lead to is not."""

import gzip
import re
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from media_files import blob, pdf, picture
from pollux import PATIENCE, SCRIPT, Server

pytestmark = pytest.mark.timeout(120)


class Web:
    """A web server whose pages are functions of the handler."""

    def __init__(self, address="127.0.0.1"):
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                web.asked.append((self.path, dict(self.headers)))
                try:
                    web.pages[self.path.split("?")[0]](self)
                except (BrokenPipeError, ConnectionResetError):
                    web.broken.append(self.path)

            def log_message(self, *_):
                pass

        self.pages, self.asked, self.broken = {}, [], []
        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def page(self, path, body, mime=None, status=200, headers=()):
        def write(handler):
            handler.send_response(status)
            if mime:
                handler.send_header("Content-Type", mime)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        self.pages[path] = write
        return self.url + path

    def redirect(self, path, to, status=302):
        return self.page(path, b"", status=status, headers=[("Location", to)])


@pytest.fixture(scope="module")
def web():
    w = Web()
    yield w
    w.close()


@pytest.fixture(scope="module")
def hidden():
    """What must not be reached: another address of this machine."""
    w = Web("127.0.0.2")
    w.page("/", b"the secret", "text/plain")
    yield w
    assert w.asked == []
    w.close()


@pytest.fixture(scope="module")
def fetching():
    with Server("--script", SCRIPT, "--fetch-allow", "127.0.0.1", "--fetch-limit", 1 << 20, "--fetch-timeout", 2,
                "--log-level", "debug") as s:
        yield s


def file_at(url, mime=None):
    return {"fileData": {"fileUri": url, **({"mimeType": mime} if mime else {})}}


def ask(server, *parts):
    parts = [{"text": p} if isinstance(p, str) else p for p in parts]
    return server.generate([{"parts": parts}], timeout=60)


def refused(server, part, words, name="file_data"):
    answer = ask(server, "Look:", part)
    assert answer.status == 400 and answer.error["status"] == "INVALID_ARGUMENT", answer
    assert answer.error["details"][0]["fieldViolations"][0]["field"] == f"contents[0].parts[1].{name}"
    assert re.search(words, answer.error["message"]), answer
    assert server.generate("Say hello").said == "Hello there."


@pytest.mark.parametrize("mime, said", [("text/plain", None), (None, "text/plain"), ("text/plain", "text/html"),
                                        (None, None), (None, "application/octet-stream")])
def test_a_text_at_a_url_is_read(fetching, web, mime, said):
    """proves: G021"""
    url = web.page("/words", "Grüße from afar".encode(), said)
    answer = ask(fetching, "Read:", file_at(url, mime))
    assert answer.status == 200 and "Grüße from afar" in answer.said, answer
    assert "contents[0].parts[1]=text/plain" in answer.headers["x-pollux-media"]


def test_readers_get_what_was_fetched(fetching, web):
    image = web.page("/sign.png", picture("TURN LEFT 42"), "image/png")
    paper = web.page("/paper", pdf("The first verse"), "application/pdf")
    page = web.page("/page", b"<title>A page</title><script>evil()</script><p>One &amp; two", "text/html; charset=utf-8")
    answer = ask(fetching, file_at(image), file_at(paper), file_at(page), file_at(image))
    assert re.search(r"TURN LEFT 42.*The first verse.*One & two.*TURN LEFT 42", answer.said, re.S), answer
    assert "evil" not in answer.said


def test_it_asks_plainly_and_tells_nothing(fetching, web):
    ask(fetching, file_at(web.page("/plain", b"x", "text/plain") + "?a=b%20c"))
    path, headers = web.asked[-1]
    assert path == "/plain?a=b%20c"
    assert set(headers) <= {"Host", "User-Agent", "Accept", "Accept-Encoding"} and "Pollux/" in headers["User-Agent"]
    assert "a=b" not in fetching.log, "a URL may hold a secret"


def test_a_stream_and_a_count_fetch_as_well(fetching, web):
    url = web.page("/words", b"words from afar", "text/plain")
    assert "words from afar" in fetching.stream([{"parts": [file_at(url)]}]).said
    assert fetching.count([{"parts": [file_at(url)]}]) > 5


# ---- where it does not go ----

@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "127.1.1.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.2]", "2130706434"])
def test_nothing_on_this_machine_is_reached_unless_allowed(fetching, hidden, host):
    port = hidden.url.rsplit(":", 1)[1]
    refused(fetching, file_at(f"http://{host}:{port}/", "text/plain"), "not on the public network|[Cc]ould not resolve")


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/",
                                 "http://[fd00:ec2::254]/", "http://172.17.0.1:8080/", "http://100.100.100.200/",
                                 "http://224.0.0.1/", "http://[fe80::1]/", "http://[64:ff9b::7f00:1]/"])
def test_private_and_metadata_addresses_are_not_asked(fetching, url):
    since = time.monotonic()
    refused(fetching, file_at(url, "text/plain"), "not on the public network|[Cc]ould not resolve|Network is unreachable")
    assert time.monotonic() - since < 1.5 * PATIENCE, "somebody was waited for"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere_else(fetching, web, hidden, status):
    refused(fetching, file_at(web.redirect("/away", hidden.url + "/", status)), "not on the public network")


@pytest.mark.parametrize("to, words", [("file:///etc/passwd", "Cannot fetch"), ("gopher://127.0.0.1/", "only http"),
                                       ("http://u:p@127.0.0.1/", "password"), ("/loop", "more than 5 times")])
def test_redirects_of_other_kinds(fetching, web, to, words):
    refused(fetching, file_at(web.redirect("/loop", to)), words)


def test_a_redirect_to_what_is_allowed_is_followed(fetching, web):
    web.page("/there", b"found in the end", "text/plain")
    web.redirect("/then", "there")
    assert "found in the end" in ask(fetching, file_at(web.redirect("/first", web.url + "/then", 307))).said


def test_by_default_this_machine_is_out_of_reach(server, web):
    before = len(web.asked)
    refused(server, file_at(web.page("/words", b"x", "text/plain")), "not on the public network.*--fetch-allow")
    assert len(web.asked) == before


def test_the_owner_can_turn_it_off(scripted, web):
    off = scripted("--fetch", "off", "--fetch-allow", "127.0.0.1")
    refused(off, file_at(web.page("/words", b"x", "text/plain")), "--fetch off")


def test_a_host_is_allowed_by_name(scripted, web):
    named = scripted("--fetch-allow", "localhost")
    web.page("/words", b"by name", "text/plain")
    port = web.url.rsplit(":", 1)[1]
    assert "by name" in ask(named, file_at(f"http://localhost:{port}/words")).said
    refused(named, file_at(web.url + "/words"), "not on the public network")


@pytest.mark.parametrize("uri", ["gs://bucket/file", "file:///etc/passwd", "https//x", "data:text/plain,x"])
def test_what_is_no_url_is_refused(fetching, uri):
    refused(fetching, file_at(uri), "neither a file of this server")


def test_an_option_that_is_wrong_is_told_at_the_start():
    with pytest.raises(RuntimeError, match="ended with 2:(?s:.*)--fetch-allow"):
        Server("--script", SCRIPT, "--fetch-allow", "10.0.0.1/8")


def test_a_certificate_that_nobody_vouches_for(scripted, tmp_path):
    import ssl
    import subprocess
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "k", "-out",
                    tmp_path / "c", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)
    w = Web()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    w.server.socket = context.wrap_socket(w.server.socket, server_side=True)
    w.page("/", b"x", "text/plain")
    port = w.url.rsplit(":", 1)[1]
    refused(scripted("--fetch-allow", "localhost"), file_at(f"https://localhost:{port}/"), "certificate")
    assert w.asked == []
    w.close()


# ---- bodies ----

def endless(handler, piece, pause=0.0, mime="text/plain", encoding=None):
    handler.send_response(200)
    handler.send_header("Content-Type", mime)
    if encoding:
        handler.send_header("Content-Encoding", encoding)
    handler.end_headers()
    until = time.monotonic() + 20 * PATIENCE
    while time.monotonic() < until:
        handler.wfile.write(piece)
        time.sleep(pause)


def test_a_body_that_does_not_end_is_cut_off(fetching, web):
    web.pages["/endless"] = lambda h: endless(h, b"x" * 65536)
    refused(fetching, file_at(web.url + "/endless"), "longer than the 1048576 bytes")


def test_a_length_that_is_too_long_is_not_even_begun(fetching, web):
    def huge(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        time.sleep(3 * PATIENCE)
    web.pages["/huge"] = huge
    since = time.monotonic()
    refused(fetching, file_at(web.url + "/huge"), "longer than")
    assert time.monotonic() - since < 1.5 * PATIENCE


def test_all_urls_of_a_request_share_the_limit(fetching, web):
    url = web.page("/half", b"a" * 600_000, "text/plain")
    answer = ask(fetching, file_at(url), file_at(url))
    assert "parts[1].file_data: Cannot fetch" in answer.error["message"] and "longer than the 448576" in answer.error["message"]


def test_a_slow_body_is_not_waited_for(fetching, web):
    web.pages["/slow"] = lambda h: endless(h, b"x", 0.1)
    since = time.monotonic()
    refused(fetching, file_at(web.url + "/slow"), "did not arrive within the 2 s")
    assert time.monotonic() - since < 4 * PATIENCE


def test_slow_urls_hold_up_neither_readers_nor_texts(fetching, web):
    web.pages["/slow"] = lambda h: endless(h, b"x", 0.1)
    slow = [threading.Thread(target=ask, args=(fetching, file_at(web.url + "/slow"))) for _ in range(12)]
    for t in slow:
        t.start()
    time.sleep(0.2)
    since = time.monotonic()
    assert "plain words" in ask(fetching, blob(b"plain words", "text/plain")).said
    assert time.monotonic() - since < 1 * PATIENCE
    for t in slow:
        t.join()


def test_a_bomb_is_cut_off_when_it_unfolds(fetching, web):
    bomb = gzip.compress(bytes(200 << 20), 9)
    assert len(bomb) < 1 << 20
    refused(fetching, file_at(web.page("/bomb", bomb, "text/plain", headers=[("Content-Encoding", "gzip")])), "longer than")
    refused(fetching, file_at(web.page("/bomb", zlib.compress(bytes(200 << 20), 9), "text/plain",
                                       headers=[("Content-Encoding", "deflate")])), "longer than")
    assert fetching.rss_mb < 300


def test_what_is_packed_is_unpacked(fetching, web):
    url = web.page("/packed", gzip.compress(b"unpacked words"), "text/plain", headers=[("Content-Encoding", "gzip")])
    assert "unpacked words" in ask(fetching, file_at(url)).said


def test_a_cut_body_is_no_body(fetching, web):
    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"only this")
    web.pages["/cut"] = cut
    refused(fetching, file_at(web.url + "/cut"), "Cannot fetch content")


def test_types_that_lie(fetching, web):
    refused(fetching, file_at(web.page("/a", picture("x"), "text/plain")), "looks like image/png")
    refused(fetching, file_at(web.page("/b", b"<html>Not found</html>", "text/html"), "image/png"), "not image/png")
    refused(fetching, file_at(web.page("/c", b"PK\3\4" + bytes(50), "application/zip")), "type that is not read here, application/zip")
    refused(fetching, file_at(web.page("/d", b"\x7fELF" + bytes(50))), "Unsupported MIME type|no reader knows|empty")
    assert "TURN" in ask(fetching, file_at(web.page("/e", picture("TURN LEFT"), "image/jpeg"))).said


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500])
def test_a_status_that_is_not_ok(fetching, web, status):
    refused(fetching, file_at(web.page("/status", b"" if status == 204 else b"words", "text/plain", status)), f"status {status}")


def test_nobody_there(fetching):
    refused(fetching, file_at("http://127.0.0.1:9/", "text/plain"), "Cannot fetch content")


def test_a_client_that_leaves_ends_the_fetch(fetching, web):
    import http.client
    import json
    web.pages["/leaving"] = lambda h: endless(h, b"x", 0.02)
    body = json.dumps({"contents": [{"parts": [file_at(web.url + "/leaving")]}]})
    c = http.client.HTTPConnection("127.0.0.1", fetching.port)
    c.request("POST", "/v1beta/models/gemini-2.0-flash:generateContent", body)
    time.sleep(0.3)
    c.close()
    until = time.monotonic() + 1 * PATIENCE
    while "/leaving" not in web.broken and time.monotonic() < until:
        time.sleep(0.02)
    assert "/leaving" in web.broken
