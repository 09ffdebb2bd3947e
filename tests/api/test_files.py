"""The Files API: every way to upload, cut and broken uploads, names, expiry, limits, crashes."""

import base64
import hashlib
import os
import random
import re
import sqlite3
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from media_files import pdf, picture, sound
from pollux import PATIENCE, SCRIPT, request_bytes, until

UPLOAD = "/upload/v1beta/files"
START = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}


def start(server, size=None, mime="text/plain", body=b"{}", path=UPLOAD, **headers):
    """Begins a resumable upload; the path of its URL."""
    send = {**START, "X-Goog-Upload-Header-Content-Type": mime, **headers}
    if size is not None:
        send["X-Goog-Upload-Header-Content-Length"] = str(size)
    answer = server.post(path, body, headers=send)
    assert answer.status == 200, answer
    return url_path(answer)


def url_path(answer):
    return re.sub(r"^https?://[^/]+", "", answer.headers["x-goog-upload-url"])


def piece(server, url, data, offset=0, command="upload, finalize", **headers):
    """No key goes with it. proves: A005 H011"""
    return server.post(url, data, timeout=120, headers={
        "X-Goog-Upload-Offset": str(offset), "X-Goog-Upload-Command": command, "x-goog-api-key": None,
        "Content-Type": "application/x-www-form-urlencoded", **headers})


def query(server, url):
    answer = piece(server, url, b"", command="query")
    assert answer.status == 200, answer
    return int(answer.headers["x-goog-upload-size-received"])


def upload(server, data, mime="text/plain", **file):
    answer = piece(server, start(server, len(data), mime, {"file": file}), data)
    assert answer.status == 200, answer
    return answer.json["file"]


def download(server, name, **headers):
    return server.get(f"/v1beta/{name}:download?alt=media", headers=headers)


def is_whole(server, file, data):
    assert file["state"] == "ACTIVE" and file["sizeBytes"] == str(len(data)), file
    assert base64.b64decode(file["sha256Hash"]) == hashlib.sha256(data).digest()
    got = download(server, file["name"])
    assert got.status == 200 and got.body == data
    return True


def refused(answer, status, name, words=""):
    assert answer.status == status and answer.error["status"] == name, answer
    assert words in answer.error["message"], answer
    return True


def database(tmp_path):
    return sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)


def on_disk(tmp_path):
    return sorted(p.name for kind in ("blobs", "parts") for p in (tmp_path / "data" / kind).rglob("*") if p.is_file())


# ---- the resumable protocol ----


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_start_and_data(server, version):
    """proves: F001-F007 F017 F023 F031 H004 J006 J026 J030; the samples' single quotes."""
    answer = server.post(f"/upload/{version}/files?key=k", b"{'file': {'display_name': 'AUDIO'}}", headers={
        **START, "X-Goog-Upload-Header-Content-Length": "11", "X-Goog-Upload-Header-Content-Type": "audio/mpeg"})
    assert answer.status == 200 and answer.headers["x-goog-upload-status"] == "active"
    answer = piece(server, url_path(answer), b"hello audio")
    assert answer.status == 200 and answer.headers["x-goog-upload-status"] == "final"
    file = answer.json["file"]
    assert file["displayName"] == "AUDIO" and file["mimeType"] == "audio/mpeg" and file["source"] == "UPLOADED"
    assert re.fullmatch(r"files/[a-z0-9-]{1,40}", file["name"])
    assert file["uri"] == f"{server.base}/v1beta/{file['name']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", file["createTime"])
    assert server.get(f"/{version}/{file['name']}").json == file
    assert is_whole(server, file, b"hello audio")


def test_one_space_after_the_colon(server):
    """proves: F002; as `grep -i "x-goog-upload-url: " | cut -d" " -f2` reads it."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", UPLOAD, b"{}", START))
        line = re.search(rb"(?im)^x-goog-upload-url: (.*)\r$", wire.until(b"\r\n\r\n"))
        assert line and b" " not in line[1] and line[1].startswith(b"http://")


def test_pieces(server):
    """proves: F008 F009"""
    data = os.urandom(9_000_000)
    url = start(server, len(data))
    first = piece(server, url, data[:8 << 20], 0, "upload")
    assert first.status == 200 and first.headers["x-goog-upload-status"] == "active" and first.body == b""
    assert first.headers["x-goog-upload-size-received"] == str(8 << 20)
    assert is_whole(server, piece(server, url, data[8 << 20:], 8 << 20).json["file"], data)


def test_an_empty_file(server):
    """proves: F010"""
    assert is_whole(server, piece(server, start(server, 0), b"").json["file"], b"")
    assert is_whole(server, piece(server, start(server), b"", command="finalize").json["file"], b"")


def test_what_the_metadata_says(server):
    """proves: F011 F012 F032 J026 J037"""
    name = f"files/note-{random.randrange(10**9)}"
    url = start(server, None, body={"file": {
        "name": name, "mime_type": "text/csv", "sizeBytes": "3", "displayName": "x" * 512, "state": "FAILED",
        "createTime": "2020-01-01T00:00:00+00:00", "sha256Hash": "AAAA", "uri": "http://elsewhere/"}},
        **{"X-Goog-Upload-Header-Content-Type": None})
    file = piece(server, url, b"a,b").json["file"]
    assert file["name"] == name and file["mimeType"] == "text/csv" and len(file["displayName"]) == 512
    assert file["state"] == "ACTIVE" and not file["createTime"].startswith("2020") and "elsewhere" not in file["uri"]
    again = server.post(UPLOAD, {"file": {"name": name}}, headers=START)
    assert refused(again, 409, "ALREADY_EXISTS", name)
    url = start(server, 1, **{"X-Goog-Upload-File-Name": "note.txt"})
    assert piece(server, url, b"a").json["file"]["displayName"] == "note.txt"


@pytest.mark.parametrize("file, words", [
    ({"name": "files/" + "a" * 41}, "at most 40"), ({"name": "files/-a"}, "dashes"), ({"name": "files/a-"}, "dashes"),
    ({"name": "files/A"}, "lower-case"), ({"name": "files/a/b"}, "lower-case"), ({"name": "files/../x"}, "lower-case"),
    ({"name": "files/"}, "lower-case"), ({"displayName": "é" * 513}, "at most 512"), ({"mimeType": "text"}, "MIME"),
    ({"mimeType": "text/plain\r\nX: y"}, "MIME"), ({"sizeBytes": -1}, "size"), ({"colour": 1}, "colour"),
    ({"sizeBytes": 7}, "sizeBytes is 7"),
])
def test_bad_metadata(server, file, words):
    """proves: F032"""
    headers = {**START, "X-Goog-Upload-Header-Content-Length": "5"}
    assert refused(server.post(UPLOAD, {"file": file}, headers=headers), 400, "INVALID_ARGUMENT", words)


def test_broken_json_at_the_start(server):
    assert refused(server.post(UPLOAD, b'{"file":', headers=START), 400, "INVALID_ARGUMENT", "Invalid JSON")
    assert refused(server.post(UPLOAD, b"[" * 300_000, headers=START), 400, "INVALID_ARGUMENT", "at most")


def test_repeated_pieces_are_taken_once(server):
    """A client that got no answer sends the same again; also after the last."""
    data = os.urandom(300_000)
    url = start(server, len(data))
    for _ in range(3):
        assert piece(server, url, data[:100_000], 0, "upload").headers["x-goog-upload-size-received"] == "100000"
    over = piece(server, url, data[50_000:200_000], 50_000, "upload")  # half of it is there
    assert over.headers["x-goog-upload-size-received"] == "200000"
    files = [piece(server, url, data[200_000:], 200_000).json["file"] for _ in range(3)]
    assert files[0] == files[1] == files[2] and is_whole(server, files[0], data)
    final = piece(server, url, b"", command="query")
    assert final.headers["x-goog-upload-status"] == "final" and final.json["file"] == files[0]
    assert server.call("DELETE", f"/v1beta/{files[0]['name']}").json == {}
    assert refused(piece(server, url, data[200_000:], 200_000), 404, "NOT_FOUND")


def test_a_wrong_offset(server):
    """400, and where to go on."""
    url = start(server, 10)
    piece(server, url, b"01234", 0, "upload")
    answer = piece(server, url, b"789", 7, "upload")
    assert refused(answer, 400, "INVALID_ARGUMENT", "byte 7")
    assert answer.headers["x-goog-upload-size-received"] == "5" and answer.headers["x-goog-upload-status"] == "active"
    assert is_whole(server, piece(server, url, b"56789", 5).json["file"], b"0123456789")


def test_finalize_alone_and_cancel(server):
    url = start(server, 3)
    piece(server, url, b"abc", 0, "upload")
    assert is_whole(server, piece(server, url, b"", 3, "finalize").json["file"], b"abc")
    assert refused(piece(server, url, b"", command="cancel"), 400, "FAILED_PRECONDITION", "complete")
    url = start(server, 3)
    piece(server, url, b"a", 0, "upload")
    answer = piece(server, url, b"", command="cancel")
    assert answer.status == 200 and answer.json == {}  # H006
    assert refused(piece(server, url, b"bc", 1), 404, "NOT_FOUND")


def test_lengths_that_are_not_true(server):
    """proves: F003"""
    url = start(server, 10)
    assert refused(piece(server, url, b"short"), 400, "INVALID_ARGUMENT", "cannot be finalized")
    assert query(server, url) == 5
    assert refused(piece(server, url, b"much too long", 5), 400, "INVALID_ARGUMENT", "start told 10")
    assert is_whole(server, piece(server, url, b"again", 5).json["file"], b"shortagain")
    with server.wire() as wire:  # chunks, so that only the bytes tell
        wire.send(f"POST {start(server, 4)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                  "X-Goog-Upload-Offset: 0\r\nX-Goog-Upload-Command: upload, finalize\r\n\r\n"
                  "8\r\n12345678\r\n0\r\n\r\n")
        assert refused(wire.answer(), 400, "INVALID_ARGUMENT", "More bytes")


@pytest.mark.parametrize("headers, words", [
    ({}, "Say how"), ({"X-Goog-Upload-Protocol": "carrier pigeon"}, "Say how"),
    ({"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "upload"}, "start"),
    ({"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "dance"}, "dance"),
    ({**START, "X-Goog-Upload-Header-Content-Length": "many"}, "number of bytes"),
    ({**START, "X-Goog-Upload-Header-Content-Type": "nonsense"}, "MIME"),
    ({"X-Goog-Upload-Protocol": "multipart", "Content-Type": "text/plain"}, "multipart"),
    ({"X-Goog-Upload-Protocol": "multipart", "Content-Type": "multipart/related"}, "boundary"),
])
def test_bad_headers(server, headers, words):
    assert refused(server.post(UPLOAD, b"{}", headers=headers), 400, "INVALID_ARGUMENT", words)


@pytest.mark.parametrize("headers, words", [
    ({"X-Goog-Upload-Command": "upload"}, "Offset is missing"), ({"X-Goog-Upload-Command": "start"}, "begun"),
    ({"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "-1"}, "number"),
    ({"X-Goog-Upload-Command": "upload,query", "X-Goog-Upload-Offset": "0"}, "begun"),
    ({"Content-Range": "bytes 5-1/9"}, "Content-Range"), ({"Content-Range": "bytes 0-9/5"}, "Content-Range"),
    ({"Content-Range": "lines 0-1/2"}, "Content-Range"), ({"Content-Range": "bytes 0-99/100"}, "Content-Length"),
])
def test_bad_headers_of_a_piece(server, headers, words):
    assert refused(server.call("PUT", start(server, 3), b"abc", headers), 400, "INVALID_ARGUMENT", words)


@pytest.mark.parametrize("id", ["", "x", "a" * 40, "..%2f..%2fetc", "%00"])
def test_no_such_upload(server, id):
    answer = piece(server, f"{UPLOAD}?upload_id={id}", b"abc")
    assert answer.status in (400, 404), answer


# ---- the other protocols ----


def multipart(json, data, boundary="993715", end="\r\n", part=""):
    lines = [f"--{boundary}", "Content-Type: application/json; charset=utf-8", "", json, f"--{boundary}",
             "Content-Type: text/plain", *([part] if part else []), ""]
    return (end.join(lines) + end).encode() + data + f"{end}--{boundary}--".encode()


@pytest.mark.parametrize("data", [b"hello world", b"", b"\n--99371", b"x--993715\r\n\r\n--9937156", os.urandom(700_000),
                                  bytes(random.Random(1).choices(b"\rx", k=3_000_000)) + b"."],  # a return may begin a boundary
                         ids=["plain", "empty", "nearly", "looks-like", "large", "returns"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_multipart(server, data, end):
    """proves: F013"""
    body = multipart('{"file":{"mimeType":"text/csv","displayName":"n"}}', data, end=end)
    answer = server.post(UPLOAD, body, headers={"X-Goog-Upload-Protocol": "multipart",
                                                "Content-Type": "multipart/related; boundary=993715"})
    assert answer.status == 200, answer
    file = answer.json["file"]
    assert file["mimeType"] == "text/csv" and file["displayName"] == "n" and is_whole(server, file, data)


def test_multipart_with_a_quoted_boundary(server):
    """proves: F014"""
    boundary = "===============0732749826453178546=="
    body = multipart('{"file": {"displayName": "n"}}', b"hello", boundary, "\n",
                     "MIME-Version: 1.0\nContent-Transfer-Encoding: binary")
    answer = server.post(f"{UPLOAD}?key=K&alt=json&uploadType=multipart", body, headers={
        "Content-Type": f'multipart/related; boundary="{boundary}"'})
    assert is_whole(server, answer.json["file"], b"hello") and answer.json["file"]["mimeType"] == "text/plain"


@pytest.mark.parametrize("body, words", [
    (b"--993715\r\n", "before its last boundary"), (b"", "before its last boundary"),
    (b"--993715--", "two parts"), (b'--993715\r\n\r\n{"file":{}}\r\n--993715--', "two parts"),
    (multipart('{"file":{}}', b"data")[:-3], "before its last boundary"),
    (multipart('{"file":', b"data"), "Invalid JSON"), (multipart('{"file":{"a":1}}', b"data"), "'file'"),
    (multipart("{}", b"data", part="Content-Transfer-Encoding: base64"), "base64"),
    (multipart("{}", b"a\r\n--993715\r\n\r\nthird"), "two parts"),
    (b"--993715\r\n" + b"X: " + b"y" * 10000, "longer than"),
    (multipart("{" + " " * 300_000 + "}", b"data"), "at most"),
])
def test_broken_multipart(server, body, words):
    answer = server.post(UPLOAD, body, headers={"X-Goog-Upload-Protocol": "multipart",
                                                "Content-Type": "multipart/related; boundary=993715"})
    assert refused(answer, 400, "INVALID_ARGUMENT", words)


@pytest.mark.parametrize("path, headers", [
    (UPLOAD, {"X-Goog-Upload-Protocol": "raw"}), (f"{UPLOAD}?uploadType=media", {}),
])
def test_simple(server, path, headers):
    data = os.urandom(1000)
    answer = server.post(path, data, headers={"Content-Type": "image/png", **headers})
    assert answer.json["file"]["mimeType"] == "image/png" and is_whole(server, answer.json["file"], data)


def media_start(server, size=None):
    headers = {"x-upload-content-type": "text/plain"}
    if size is not None:
        headers["x-upload-content-length"] = str(size)
    answer = server.post("/resumable/upload/v1beta/files?uploadType=resumable&alt=json",
                         {"file": {"displayName": "n"}}, headers=headers)
    assert answer.status == 200, answer
    return answer.headers["location"].removeprefix(server.base)


def put(server, url, data, content_range):
    return server.call("PUT", url, data, {"content-range": content_range, "x-goog-api-key": None})


def test_media_resumable(server):
    """proves: F015; the older protocol, in one piece and in several."""
    answer = put(server, media_start(server, 11), b"hello world", "bytes 0-10/11")
    assert is_whole(server, answer.json["file"], b"hello world") and answer.json["file"]["mimeType"] == "text/plain"
    url = media_start(server)
    assert "range" not in put(server, url, b"", "bytes */*").headers
    for at in (0, 4, 0, 4):
        answer = put(server, url, b"hello world"[at:at + 4], f"bytes {at}-{at + 3}/*")
        assert answer.status == 308, answer
    assert answer.headers["range"] == "bytes=0-7"
    assert put(server, url, b"", "bytes */11").headers["range"] == "bytes=0-7"
    assert refused(put(server, url, b"d", "bytes 10-10/11"), 400, "INVALID_ARGUMENT", "byte 10")
    answer = put(server, url, b"rld", "bytes 8-10/11")
    assert answer.status == 200 and is_whole(server, answer.json["file"], b"hello world")
    assert put(server, url, b"", "bytes */11").json["file"] == answer.json["file"]
    assert put(server, media_start(server), b"", "bytes */0").json["file"]["sizeBytes"] == "0"


def test_discovery(server):
    """proves: F016"""
    found = server.get("/$discovery/rest?version=v1beta&key=K", headers={"x-goog-api-key": None}).json
    upload = found["resources"]["media"]["methods"]["upload"]
    assert found["rootUrl"] == server.base + "/" and found["servicePath"] == "" and upload["supportsMediaUpload"]
    assert set(upload["mediaUpload"]["protocols"]) == {"simple", "resumable"}


# ---- get, list, delete, download ----


@pytest.mark.parametrize("path", ['/v1beta/files/"files/{}"', "/v1beta/files/files/{}", '/v1beta/files/"{}"',
                                  "/v1beta/files/%22files/{}%22"])
def test_the_samples_quoted_name(server, path):
    """proves: F018"""
    name = upload(server, b"a")["name"]
    with server.wire() as wire:
        wire.send(f"GET {path.format(name[6:])} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().json["name"] == name


def test_pages(scripted):
    """proves: F019; newest first, ten on a page, a hundred at most, and a page stays true when
    files come and go."""
    server = scripted()
    assert server.get("/v1beta/files").json == {}
    names = [upload(server, b"%d" % i)["name"] for i in range(23)][::-1]
    first = server.get("/v1beta/files").json
    assert [f["name"] for f in first["files"]] == names[:10]
    server.call("DELETE", f"/v1beta/{names[9]}")
    upload(server, b"new")
    second = server.get(f"/v1beta/files?pageSize=12&pageToken={first['nextPageToken']}").json
    assert [f["name"] for f in second["files"]] == names[10:22]
    third = server.get(f"/v1beta/files?pageToken={second['nextPageToken']}").json
    assert [f["name"] for f in third["files"]] == names[22:] and "nextPageToken" not in third
    assert len(server.get("/v1beta/files?pageSize=1000").json["files"]) == 23
    for bad in ("pageSize=-1", "pageSize=x", "pageToken=x", "pageToken=1-A", "pageToken=%27"):
        assert refused(server.get(f"/v1beta/files?{bad}"), 400, "INVALID_ARGUMENT", "page")


def test_delete(server):
    """proves: F020 H006"""
    one, two = upload(server, b"the same bytes"), upload(server, b"the same bytes")
    answer = server.call("DELETE", f"/v1beta/{one['name']}")
    assert answer.status == 200 and answer.json == {}
    assert refused(server.get(f"/v1beta/{one['name']}"), 404, "NOT_FOUND", one["name"])
    assert refused(server.call("DELETE", f"/v1beta/{one['name']}"), 404, "NOT_FOUND")
    assert refused(download(server, one["name"]), 404, "NOT_FOUND")
    assert is_whole(server, two, b"the same bytes")


def test_download(server):
    """proves: F021; whole, in ranges, and by a client that reads slowly or leaves."""
    data = os.urandom(3_000_000)
    name = upload(server, data, "image/png")["name"]
    got = download(server, name)
    assert got.body == data and got.headers["content-type"] == "image/png"
    assert got.headers["content-length"] == str(len(data)) and got.headers["x-content-type-options"] == "nosniff"
    for asked, want in (("0-9", data[:10]), ("2999990-", data[-10:]), ("-5", data[-5:]), ("5-99999999", data[5:])):
        part = download(server, name, Range=f"bytes={asked}")
        assert part.status == 206 and part.body == want
    assert part.headers["content-range"] == "bytes 5-2999999/3000000"
    assert download(server, name, Range="bytes=3000000-").status == 416
    assert download(server, name, Range="bytes=a-b").status == 200
    assert refused(server.get(f"/v1beta/{name}:download"), 400, "INVALID_ARGUMENT", "alt=media")
    for _ in range(10):
        with server.wire() as wire:
            wire.send(request_bytes("GET", f"/v1beta/{name}:download?alt=media"))
            wire.exactly(1000)
    with server.wire() as wire:
        wire.send(request_bytes("GET", f"/v1beta/{name}:download?alt=media"))
        time.sleep(0.3)
        assert wire.answer().body == data


def test_register(server):
    assert refused(server.post("/v1beta/files:register", {"uris": ["gs://a/b"]}), 501, "UNIMPLEMENTED", "storage")


def test_methods(server):
    answer = server.call("PATCH", UPLOAD, b"{}")
    assert answer.status == 405 and "POST" in answer.headers["allow"]
    assert server.call("OPTIONS", UPLOAD).status == 200
    assert server.post("/upload/v7/files", b"{}", headers=START).status == 404


# ---- keys and addresses ----


def test_keys(scripted):
    """proves: A005 A006"""
    server, lax = scripted("--api-key", "sesame"), scripted("--api-key", "sesame", "--open-files")
    key = {"x-goog-api-key": "sesame"}
    for s in (server, lax):
        assert s.post(UPLOAD, b"{}", headers={**START, "x-goog-api-key": None}).status == 403
        assert s.post(UPLOAD, b"a" * 3_000_000, headers={"X-Goog-Upload-Protocol": "raw",
                                                         "x-goog-api-key": "wrong"}).status == 400
        url = start(s, 1, **key)
        name = piece(s, url, b"a").json["file"]["name"]
        for path in ("/v1beta/files", f"/v1beta/{name}:download?alt=media"):
            assert s.get(path, headers={"x-goog-api-key": None}).status == 403
        assert s.call("DELETE", f"/v1beta/{name}", headers={"x-goog-api-key": None}).status == 403
    got = {s: s.get(f'/v1beta/files/"{s.get("/v1beta/files", headers=key).json["files"][0]["name"]}"',
                    headers={"x-goog-api-key": None}).status for s in (server, lax)}
    assert got == {server: 403, lax: 200}


@pytest.mark.parametrize("headers, base", [
    ({"Host": "pollux.example:99"}, "http://pollux.example:99"), ({"Host": "[::1]:80"}, "http://[::1]:80"),
    ({"Host": "x", "X-Forwarded-Host": "public.example, inner", "X-Forwarded-Proto": "https"}, "https://public.example"),
    ({"Host": "x", "X-Forwarded-Host": "p", "X-Forwarded-Prefix": "/gemini/"}, "http://p/gemini"),
    ({"Host": "x", "X-Forwarded-Host": "p q\"", "X-Forwarded-Proto": "gopher", "X-Forwarded-Prefix": "//<x>"}, "http://x"),
])
def test_addresses(server, headers, base):
    """proves: F033"""
    answer = server.post("/upload/v1/files", b"{}", headers={**START, **headers})
    assert answer.headers["x-goog-upload-url"].startswith(f"{base}/upload/v1/files?upload_id="), answer.headers
    url = answer.headers["x-goog-upload-url"][len(base):]
    assert piece(server, url, b"a", **headers).json["file"]["uri"].startswith(f"{base}/v1beta/files/")


# ---- files in prompts ----


def ask_with(server, uri, mime="text/plain"):
    return server.generate([{"parts": [{"fileData": {"fileUri": uri, "mimeType": mime}}]}])


@pytest.mark.parametrize("host", ["", "http://else.where/v1beta/", "https://generativelanguage.googleapis.com/v1/"])
def test_a_text_file_in_a_prompt(server, host):
    """proves: F025 F030; whatever host its uri names."""
    file = upload(server, b"Say hello")
    assert ask_with(server, host + file["name"]).said == "Hello there."
    assert ask_with(server, file["uri"]).said == "Hello there."
    got = server.generate([{"parts": {"file_data": {"file_uri": file["uri"]}}}])
    assert got.said == "Hello there."
    counted = server.post("/v1beta/models/gemini-2.0-flash:countTokens", {"contents": [
        {"parts": [{"fileData": {"fileUri": file["uri"]}}]}]}).json
    framed = "\n\n[Attached text. It says:]\nSay hello\n[End of the attached text.]\n\n"
    assert counted["totalTokens"] == server.count(framed)


@pytest.mark.parametrize("data, mime", [
    ("Say hello".encode("utf-16"), "text/plain"), (b"\xef\xbb\xbfSay hello", "text/plain"),
    ("Say hello".encode("utf-16-be"), "text/plain; charset=utf-16be"), (b"Say hello", "text/html; charset=\"latin1\""),
    (b"Say hello", "application/json"),
])
def test_charsets(server, data, mime):
    answer = ask_with(server, upload(server, data, mime)["uri"], None)
    assert answer.said == "Hello there.", answer


def test_files_that_a_prompt_cannot_have(server):
    image = upload(server, b"\x89PNG", "image/png")["uri"]
    assert refused(ask_with(server, image, "image/png"), 400, "INVALID_ARGUMENT", "image/png")
    archive = upload(server, b"PK\x03\x04", "application/zip")["uri"]
    assert refused(ask_with(server, archive, None), 400, "INVALID_ARGUMENT", "application/zip")
    assert refused(ask_with(server, "files/none"), 404, "NOT_FOUND")
    assert refused(ask_with(server, "gs://bucket/object"), 400, "INVALID_ARGUMENT", "nor something to fetch")
    bad = upload(server, b"\xff\xfe\xff", "text/plain; charset=utf-8")["uri"]
    assert refused(ask_with(server, bad, None), 400, "INVALID_ARGUMENT", "contents[0].parts[0].file_data")


@pytest.mark.timeout(200)
def test_the_type_of_a_file_is_its_own(server):
    """proves: G026; a part need not say it."""
    file = upload(server, b"It was a dark night.", "text/plain")
    answer = server.generate([{"parts": [{"text": "Read."}, {"fileData": {"fileUri": file["uri"]}}]}])
    assert answer.status == 200 and "It was a dark night." in answer.said, answer


@pytest.mark.parametrize("make, mime, words", [
    (lambda: picture("TURN LEFT 42"), "image/png", "TURN LEFT 42"),
    (lambda: pdf("It was a dark night.", "The end."), "application/pdf", "dark night"),
    pytest.param(lambda: sound("mp3"), "audio/mpeg", "What is the capital", marks=pytest.mark.soak),
])
def test_media_in_files(server, make, mime, words):
    """proves: F027 F029; read like inline media, wherever the file lies."""
    file = upload(server, make(), mime)
    answer = server.generate([{"parts": [{"text": "Read."}, {"fileData": {"fileUri": file["uri"], "mimeType": mime}}]}],
                             timeout=150)
    assert answer.status == 200 and words in answer.said, answer
    assert f"contents[0].parts[1]={mime}" in answer.headers["x-pollux-media"]


# ---- states, expiry, limits ----


def test_states_and_expiry(on_folder, tmp_path):
    """proves: F022 F023 F024"""
    server = on_folder()
    names = [upload(server, b"file %d" % i)["name"] for i in range(3)]
    db = database(tmp_path)
    db.execute("UPDATE files SET state = 1 WHERE id = ?", [names[0][6:]])
    db.execute("UPDATE files SET state = 10, error = 'broken' WHERE id = ?", [names[1][6:]])
    db.execute("UPDATE files SET expires = ? WHERE id = ?", [time.time_ns() - 1, names[2][6:]])
    assert server.get(f"/v1beta/{names[0]}").json["state"] == "PROCESSING"
    failed = server.get(f"/v1beta/{names[1]}").json
    assert failed["state"] == "FAILED" and failed["error"]["message"] == "broken"
    assert refused(ask_with(server, names[0]), 400, "FAILED_PRECONDITION", "PROCESSING")
    assert refused(ask_with(server, names[1]), 400, "FAILED_PRECONDITION", "broken")
    assert refused(server.get(f"/v1beta/{names[2]}"), 404, "NOT_FOUND", "expired")
    assert refused(download(server, names[2]), 404, "NOT_FOUND")
    assert refused(ask_with(server, names[2]), 404, "NOT_FOUND")
    assert len(server.get("/v1beta/files").json["files"]) == 2 and len(on_disk(tmp_path)) == 3
    server.stop()
    server = on_folder()  # sweeps
    assert len(on_disk(tmp_path)) == 2
    server.stop()
    for path in (tmp_path / "data" / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    db.execute("UPDATE files SET state = 2")
    server = on_folder()
    lost = server.get(f"/v1beta/{names[0]}").json
    assert lost["state"] == "FAILED" and "gone" in lost["error"]["message"]


def test_limits(scripted):
    server = scripted("--file-limit", 1000, "--files-total", 2500)
    assert refused(server.post(UPLOAD, b"{}", headers={**START, "X-Goog-Upload-Header-Content-Length": "1001"}),
                   400, "INVALID_ARGUMENT", "--file-limit")
    url = start(server)  # of a length that is not told
    assert refused(piece(server, url, b"a" * 1001), 400, "INVALID_ARGUMENT", "--file-limit")
    assert piece(server, url, b"", command="cancel").status == 200
    raw = {"X-Goog-Upload-Protocol": "raw", "Content-Type": "text/plain"}
    assert refused(server.post(UPLOAD, b"a" * 1001, headers=raw), 400, "INVALID_ARGUMENT", "--file-limit")
    files = [upload(server, b"a" * 1000) for _ in range(2)]
    assert refused(server.post(UPLOAD, b"{}", headers={**START, "X-Goog-Upload-Header-Content-Length": "501"}),
                   429, "RESOURCE_EXHAUSTED", "--files-total")
    assert refused(server.post(UPLOAD, b"a" * 501, headers=raw), 429, "RESOURCE_EXHAUSTED", "--files-total")
    assert server.post(UPLOAD, b"a" * 500, headers=raw).status == 200
    server.call("DELETE", f"/v1beta/{files[0]['name']}")
    assert server.post(UPLOAD, b"a" * 1000, headers=raw).status == 200


def test_a_large_body_that_is_refused(scripted):
    """The answer arrives though the client is still sending, asked to or not."""
    server = scripted("--file-limit", 1000)
    size = 40 << 20
    for expect in ("", "Expect: 100-continue\r\n"):
        with server.wire() as wire:
            type = "image/png" if expect else "nonsense"
            wire.send(f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n{expect}"
                      f"X-Goog-Upload-Protocol: {'dove' if expect else 'raw'}\r\nContent-Type: {type}\r\n\r\n")
            if not expect:
                try:
                    for _ in range(size >> 16):
                        wire.send(b"a" * 65536)
                except ConnectionError:
                    pass
            assert refused(wire.answer(), 400, "INVALID_ARGUMENT", "Say how" if expect else "MIME")


# ---- cut lines ----


def send_some(server, url, data, offset, n, total, command="upload, finalize", reset=False):
    """Promises total - offset bytes, sends n, and is gone."""
    with server.wire() as wire:
        wire.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {total - offset}\r\n"
                  f"X-Goog-Upload-Offset: {offset}\r\nX-Goog-Upload-Command: {command}\r\n\r\n")
        wire.send(data[offset:offset + n])
        if reset:
            wire.sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER


@pytest.mark.parametrize("seed", range(6))
def test_cut_at_random_offsets(server, seed):
    dice = random.Random(seed)
    data = dice.randbytes(dice.choice([1, 1000, 128 * 1024, 2_000_000]) + dice.randrange(100))
    url = start(server, len(data))
    at = 0
    for _ in range(dice.randrange(1, 6)):
        n = dice.randrange(len(data) - at) if at < len(data) else 0
        send_some(server, url, data, at, n, len(data), reset=dice.random() < 0.3)
        got = query(server, url)
        assert at <= got <= at + n
        at = got
    assert is_whole(server, piece(server, url, data[at:], at).json["file"], data)


def test_a_client_that_lost_its_line_takes_over(server):
    """The first request still hangs there, from the server's view; the second goes on."""
    data = os.urandom(500_000)
    url = start(server, len(data))
    with server.wire() as wire:
        wire.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n"
                  "X-Goog-Upload-Offset: 0\r\nX-Goog-Upload-Command: upload, finalize\r\n\r\n")
        wire.send(data[:200_000])
        time.sleep(0.2)
        at = query(server, url)
        assert at == 200_000
        assert is_whole(server, piece(server, url, data[at:], at).json["file"], data)
        assert wire.more() == b""


def test_direct_uploads_that_are_cut_leave_nothing(on_folder, tmp_path):
    server = on_folder()
    for protocol, type in (("raw", "text/plain"), ("multipart", "multipart/related; boundary=993715")):
        with server.wire() as wire:
            wire.send(f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\nContent-Type: {type}\r\n"
                      f"X-Goog-Upload-Protocol: {protocol}\r\n\r\n")
            wire.send(multipart("{}", os.urandom(1_000_000))[:-20])
            until(lambda: on_disk(tmp_path), "nothing of it is written")
        until(lambda: not on_disk(tmp_path), "a part of it stays")
    assert "files" not in server.get("/v1beta/files").json


# ---- crashes ----


def test_kill_during_an_upload(on_folder, tmp_path):
    """What was acknowledged is there; what was not is not served; the session goes on."""
    data = os.urandom(3_000_000)
    server = on_folder()
    done = upload(server, b"acknowledged")
    url = start(server, len(data))
    piece(server, url, data[:1_000_000], 0, "upload")
    with server.wire() as wire, server.wire() as other:
        wire.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
                  "X-Goog-Upload-Offset: 1000000\r\nX-Goog-Upload-Command: upload, finalize\r\n\r\n")
        wire.send(data[1_000_000:2_500_000])
        other.send(f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nX-Goog-Upload-Protocol: raw\r\n\r\n")
        other.send(data[:1_000_000])
        time.sleep(0.2)
        server.crash()
    server = on_folder()
    assert len(on_disk(tmp_path)) == 2  # the file, and the session's part
    assert [f["name"] for f in server.get("/v1beta/files").json["files"]] == [done["name"]]
    assert is_whole(server, done, b"acknowledged")
    at = query(server, url)
    assert 1_000_000 <= at <= 2_500_000
    assert is_whole(server, piece(server, url, data[at:], at).json["file"], data)


@pytest.mark.parametrize("seed", range(4))
def test_kill_at_any_time(on_folder, tmp_path, seed):
    """Clients upload as fast as they can; whatever they were told survives."""
    dice = random.Random(seed)
    told = {}
    server = on_folder()

    def client(i):
        for k in range(1000):
            data = b"%d %d " % (i, k) * dice.randrange(1, 3000)
            try:
                told[upload(server, data)["name"]] = data
            except Exception:  # the server is gone
                return

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, i) for i in range(4)]
        time.sleep(dice.uniform(0.3, 1.0) * PATIENCE)
        server.crash()
        for c in clients:
            c.result()
    server = on_folder()
    listed, token = [], ""
    while token is not None:
        page = server.get(f"/v1beta/files?pageSize=100&pageToken={token}").json
        listed += page.get("files", [])
        token = page.get("nextPageToken")
    assert told and told.keys() <= {f["name"] for f in listed}
    for file in listed:
        body = download(server, file["name"]).body
        assert hashlib.sha256(body).digest() == base64.b64decode(file["sha256Hash"])
        assert told.get(file["name"], body) == body
    rows = {h.hex() for (h,) in database(tmp_path).execute("SELECT hash FROM blobs")}
    assert rows == {n for n in on_disk(tmp_path) if len(n) == 64}


def test_a_restart_in_the_middle(on_folder):
    data = os.urandom(400_000)
    server = on_folder()
    url = start(server, len(data), body={"file": {"displayName": "kept"}})
    piece(server, url, data[:150_000], 0, "upload")
    server.stop()
    server = on_folder()
    assert query(server, url) == 150_000
    file = piece(server, url, data[150_000:], 150_000).json["file"]
    assert file["displayName"] == "kept" and is_whole(server, file, data)
    server.stop()
    server = on_folder()
    assert piece(server, url, b"", command="query").json["file"]["name"] == file["name"]
    assert is_whole(server, file, data)


def test_a_second_server_is_refused(on_folder, tmp_path):
    import subprocess

    from pollux import BINARY
    server = on_folder()
    second = subprocess.run([BINARY, "serve", "--script", SCRIPT, "--port", "0", "--data-dir", tmp_path / "data"],
                            capture_output=True, text=True, timeout=20 * PATIENCE)
    assert second.returncode == 1 and "another Pollux is using the data folder" in second.stderr
    assert server.get("/v1beta/files").status == 200


# ---- many, large ----


def test_memory_stays_flat(scripted):
    """50 uploads of 4 MB at once, and one of 200 MB (make soak has more)."""
    server = scripted()
    block = os.urandom(1 << 20)
    upload(server, block)
    before = server.rss_mb

    def one(n_blocks):
        url = start(server, n_blocks << 20)
        with server.wire(60) as wire:
            wire.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {n_blocks << 20}\r\n"
                      "X-Goog-Upload-Offset: 0\r\nX-Goog-Upload-Command: upload, finalize\r\n\r\n")
            for _ in range(n_blocks):
                wire.send(block)
            answer = wire.answer()
        assert answer.status == 200, answer
        return answer.json["file"]

    with ThreadPoolExecutor(50) as pool:
        files = list(pool.map(one, [4] * 50))
    digest = hashlib.sha256(block * 4).digest()
    assert all(base64.b64decode(f["sha256Hash"]) == digest for f in files)
    assert len({f["name"] for f in files}) == 50
    one(200)
    if PATIENCE == 1:
        assert server.rss_mb - before < 20, (before, server.rss_mb)
