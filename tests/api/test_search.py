"""File search stores: create, fill, search, filter, delete; operations; crashes. Vectors count words here."""

import json
import os
import re
import sqlite3
import time

import pytest

from media_files import pdf
from pollux import PATIENCE, SCRIPT, Server
from test_files import START, piece, refused, upload, url_path

V = "/v1beta"


def create(server, name="My books", **more):
    answer = server.post(f"{V}/fileSearchStores", {"displayName": name, **more})
    assert answer.status == 200, answer
    return answer.json


def begin(server, store, size=None, mime="text/plain", version="v1beta", **wish):
    headers = {**START, "X-Goog-Upload-Header-Content-Type": mime}
    if size is not None:
        headers["X-Goog-Upload-Header-Content-Length"] = str(size)
    answer = server.post(f"/upload/{version}/{store}:uploadToFileSearchStore", wish, headers=headers)
    assert answer.status == 200, answer
    return url_path(answer)


def send(server, store, text, **wish):
    data = text if isinstance(text, bytes) else text.encode()
    answer = piece(server, begin(server, store, len(data), **wish), data)
    assert answer.status == 200 and answer.headers["x-goog-upload-status"] == "final", answer
    return answer.json


def done(server, operation):
    deadline = time.monotonic() + 20 * PATIENCE
    while not operation.get("done"):
        assert time.monotonic() < deadline, operation
        time.sleep(0.02)
        operation = server.get(f"{V}/{operation['name']}").json
    return operation


def put(server, store, text, **wish):
    operation = done(server, send(server, store, text, **wish))
    assert "error" not in operation, operation
    return operation["response"]["documentName"]


def query(server, store, words, **more):
    answer = server.post(f"{V}/{store}:query", {"query": words, **more})
    assert answer.status == 200, answer
    return answer.json.get("passages", [])


def titles(passages):
    return [p["title"] for p in passages]


# ---- stores ----


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_store(server, version):
    """proves: B011"""
    made = server.post(f"/{version}/fileSearchStores", {"displayName": "My Books!"}).json
    assert re.fullmatch(r"fileSearchStores/my-books-[a-z0-9]{12}", made["name"]), made
    assert made["displayName"] == "My Books!" and made["sizeBytes"] == "0" and made["activeDocumentsCount"] == "0"
    assert made["embeddingModel"].startswith("models/") and made["createTime"].endswith("Z")
    assert server.get(f"/{version}/{made['name']}").json == made
    assert made["name"] in [s["name"] for s in all_pages(server, f"/{version}/fileSearchStores", "fileSearchStores")]
    gone = server.call("DELETE", f"/{version}/{made['name']}")
    assert gone.status == 200 and gone.json == {}
    assert refused(server.get(f"/{version}/{made['name']}"), 404, "NOT_FOUND")
    assert refused(server.call("DELETE", f"/{version}/{made['name']}"), 404, "NOT_FOUND")


def all_pages(server, path, key, size=7):
    found, token = [], ""
    while True:
        page = server.get(f"{path}?pageSize={size}&pageToken={token}").json
        found += page.get(key, [])
        assert len(page.get(key, [])) <= size
        token = page.get("nextPageToken")
        if not token:
            return found


def test_a_store_without_a_name(server):
    assert re.fullmatch(r"fileSearchStores/[a-z0-9]{12}", server.post(f"{V}/fileSearchStores", {}).json["name"])
    assert server.post(f"{V}/fileSearchStores", b"").status == 200
    assert refused(server.post(f"{V}/fileSearchStores", {"displayName": "x" * 513}), 400, "INVALID_ARGUMENT", "512")
    assert refused(server.post(f"{V}/fileSearchStores", {"colour": 1}), 400, "INVALID_ARGUMENT", "colour")


def test_the_embedding_model(server):
    own = create(server)["embeddingModel"]
    assert create(server, embeddingModel=own)["embeddingModel"] == own
    assert create(server, embedding_model="models/gemini-embedding-001")["embeddingModel"] == own
    answer = server.post(f"{V}/fileSearchStores", {"embeddingModel": "models/gemini-2.0-flash"})
    assert refused(answer, 400, "INVALID_ARGUMENT", own)


def test_pages(server):
    store = create(server)["name"]
    names = {put(server, store, f"page {i}", displayName=f"p{i}") for i in range(5)}
    listed = [d["name"] for d in all_pages(server, f"{V}/{store}/documents", "documents", 2)]
    assert len(listed) == 5 and set(listed) == names
    assert refused(server.get(f"{V}/{store}/documents?pageToken=x"), 400, "INVALID_ARGUMENT", "pageToken")
    assert refused(server.get(f"{V}/{store}/documents?pageSize=-1"), 400, "INVALID_ARGUMENT", "pageSize")
    assert refused(server.get(f"{V}/fileSearchStores/none/documents"), 404, "NOT_FOUND")


# ---- documents ----


def test_upload_import_and_search(server):
    """proves: B012"""
    store = create(server)["name"]
    operation = send(server, store, "The moon raises the tides.", displayName="tides.txt")
    assert re.fullmatch(store + r"/upload/operations/[a-z0-9-]+", operation["name"]), operation
    operation = done(server, operation)
    tides = operation["response"]["documentName"]
    assert operation["response"]["@type"].endswith("UploadToFileSearchStoreResponse")
    assert re.fullmatch(store + r"/documents/tides-txt-[a-z0-9]{12}", tides)

    file = upload(server, b"Bread needs flour, water and salt.", displayName="bread")
    answer = server.post(f"{V}/{store}:importFile", {"fileName": file["name"]})
    assert answer.status == 200 and re.fullmatch(store + r"/operations/[a-z0-9-]+", answer.json["name"]), answer
    bread = done(server, answer.json)["response"]
    assert bread["parent"] == store and bread["@type"].endswith("ImportFileResponse")
    assert server.call("DELETE", f"{V}/{file['name']}").status == 200  # the document stays

    found = query(server, store, "what raises the tides?")
    assert titles(found)[0] == "tides.txt" and found[0]["document"] == tides
    assert found[0]["text"] == "The moon raises the tides." and 0 < found[0]["similarity"] <= 1
    assert titles(query(server, store, "flours"))[0] == "bread"
    document = server.get(f"{V}/{tides}").json
    assert document["state"] == "STATE_ACTIVE" and document["sizeBytes"] == "26"
    assert document["displayName"] == "tides.txt" and document["mimeType"] == "text/plain"
    now = server.get(f"{V}/{store}").json
    assert now["activeDocumentsCount"] == "2" and now["sizeBytes"] == str(26 + 34) and now["pendingDocumentsCount"] == "0"

    assert refused(server.call("DELETE", f"{V}/{tides}"), 400, "FAILED_PRECONDITION", "force")
    assert server.call("DELETE", f"{V}/{tides}?force=True").json == {}
    assert titles(query(server, store, "tides moon")) == []
    assert refused(server.get(f"{V}/{operation['name']}"), 404, "NOT_FOUND", "deleted")
    assert refused(server.call("DELETE", f"{V}/{store}"), 400, "FAILED_PRECONDITION", "force")
    assert server.call("DELETE", f"{V}/{store}?force=true").json == {}
    assert refused(server.post(f"{V}/{store}:query", {"query": "x"}), 404, "NOT_FOUND")


def test_what_a_filter_lets_through(server):
    store = create(server)["name"]
    for name, year, tags in (("a", 1999, ["x", "y"]), ("b", 2005, ["y"]), ("c", 2020, ["z"])):
        put(server, store, f"same words in {name}", displayName=name, customMetadata=[
            {"key": "year", "numericValue": year}, {"key": "name", "string_value": name},
            {"key": "tags", "stringListValue": {"values": tags}}])
    put(server, store, "same words without", displayName="d")

    def found(text):
        return sorted(titles(query(server, store, "same words", metadataFilter=text)))

    assert found("year >= 2005") == ["b", "c"]
    assert found('tags : "y" AND year < 2000') == ["a"]
    assert found('name = "a" OR name = "c"') == ["a", "c"]
    assert found("NOT year > 1") == ["d"]
    assert sorted(titles(query(server, store, "same words"))) == ["a", "b", "c", "d"]
    answer = server.post(f"{V}/{store}:query", {"query": "x", "metadataFilter": "year >"})
    assert refused(answer, 400, "INVALID_ARGUMENT", "metadataFilter")
    document = server.get(f"{V}/{store}/documents").json["documents"][0]
    assert document["customMetadata"] == [{"key": "year", "numericValue": 1999}, {"key": "name", "stringValue": "a"},
                                          {"key": "tags", "stringListValue": {"values": ["x", "y"]}}]


def test_chunks(server):
    store = create(server)["name"]
    words = " ".join(f"word{i}" for i in range(100))
    put(server, store, words, chunkingConfig={"whiteSpaceConfig": {"maxTokensPerChunk": 20, "maxOverlapTokens": 5}})
    found = query(server, store, "word17", topK=10)
    with_it = [p["text"].split() for p in found if "word17" in p["text"].split()]
    assert len(with_it) == 2 and all(len(p) == 20 for p in with_it)
    assert len(query(server, store, " ".join(words.split()[::7]), topK=3)) == 3


@pytest.mark.parametrize("wish, words", [
    ({"chunkingConfig": {"whiteSpaceConfig": {"maxTokensPerChunk": 10, "maxOverlapTokens": 10}}}, "maxOverlapTokens"),
    ({"chunkingConfig": {"whiteSpaceConfig": {"maxTokensPerChunk": 513}}}, "max_tokens_per_chunk"),
    ({"customMetadata": [{"key": "a"}]}, "custom_metadata[0]"),
    ({"customMetadata": [{"key": "a", "stringValue": "x", "numericValue": 1}]}, "custom_metadata[0]"),
    ({"customMetadata": [{"key": "a", "stringValue": "x"}] * 2}, "custom_metadata[1]"),
    ({"customMetadata": [{"key": f"k{i}", "stringValue": "x"} for i in range(21)]}, "custom_metadata"),
    ({"colour": "red"}, "colour"),
    ({"displayName": "x" * 513}, "512"),
])
def test_what_is_refused_of_a_document(server, wish, words):
    store = create(server)["name"]
    answer = server.post(f"/upload{V}/{store}:uploadToFileSearchStore", wish, headers=START)
    assert answer.status == 400 and words in answer.text, answer
    if "displayName" not in wish:
        file = upload(server, b"x")
        answer = server.post(f"{V}/{store}:importFile", {"fileName": file["name"], **wish})
        assert answer.status == 400 and words in answer.text, answer


def test_what_is_not_there(server):
    store = create(server)["name"]
    assert refused(server.post(f"{V}/{store}:importFile", {"fileName": "files/none"}), 404, "NOT_FOUND", "files/none")
    assert refused(server.post(f"{V}/{store}:importFile", {}), 400, "INVALID_ARGUMENT", "file_name")
    file = upload(server, b"x")["name"]
    assert refused(server.post(f"{V}/fileSearchStores/none:importFile", {"fileName": file}), 404, "NOT_FOUND")
    answer = server.post(f"/upload{V}/fileSearchStores/none:uploadToFileSearchStore", {}, headers=START)
    assert refused(answer, 404, "NOT_FOUND", "fileSearchStores/none")
    assert refused(server.get(f"{V}/{store}/documents/none"), 404, "NOT_FOUND")
    assert refused(server.get(f"{V}/{store}/operations/none"), 404, "NOT_FOUND")
    assert server.call("PATCH", f"{V}/{store}", {}).status == 405
    # A session that was begun for files is none of a store's.
    answer = server.post("/upload/v1beta/files", {}, headers=START)
    path = url_path(answer).replace("/files?", f"/{store}:uploadToFileSearchStore?")
    assert refused(piece(server, path, b"x"), 404, "NOT_FOUND", "begun")


def test_the_last_piece_again(server):
    store = create(server)["name"]
    url = begin(server, store, 5, displayName="n")
    first = piece(server, url, b"hello").json
    again = piece(server, url, b"hello").json
    assert first["name"] == again["name"]
    done(server, first)
    assert len(server.get(f"{V}/{store}/documents").json["documents"]) == 1


def test_one_request_is_enough(server):
    store = create(server)["name"]
    answer = server.post(f"/upload{V}/{store}:uploadToFileSearchStore", b"raw words here", headers={
        "X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": "r.txt", "Content-Type": "text/plain"})
    assert answer.status == 200, answer
    done(server, answer.json)
    assert titles(query(server, store, "raw words")) == ["r.txt"]


def test_what_cannot_be_read_failed(server):
    store = create(server)["name"]
    operation = done(server, send(server, store, b"\x89PNG\r\n\x1a\n\0\0", mime="image/png"))
    assert operation["error"]["code"] == 3 and operation["error"]["message"] and "response" not in operation
    document = server.get(f"{V}/{store}/documents").json["documents"][0]
    assert document["state"] == "STATE_FAILED"
    assert server.get(f"{V}/{store}").json["failedDocumentsCount"] == "1"
    empty = done(server, send(server, store, b" \n"))
    assert "no text" in empty["error"]["message"]


def test_keys():
    with Server("--script", SCRIPT, "--api-key", "k") as server:
        assert server.get(f"{V}/fileSearchStores").status == 400  # 'test' is no key of it
        key = {"x-goog-api-key": "k"}
        store = server.post(f"{V}/fileSearchStores", {}, headers=key).json["name"]
        answer = server.post(f"/upload{V}/{store}:uploadToFileSearchStore", {}, headers={**START, "x-goog-api-key": None})
        assert answer.status == 403, answer
        answer = server.post(f"/upload{V}/{store}:uploadToFileSearchStore", {}, headers={**START, **key})
        assert piece(server, url_path(answer), b"words").status == 200  # the URL is the key


# ---- crashes ----


def test_kill_between_acknowledging_and_indexing(on_folder, tmp_path):
    """What was acknowledged is there, and is indexed after the restart."""
    script = tmp_path / "slow.json"
    script.write_text(json.dumps({"embeddings": {"dimensions": 64, "delay_ms": 3000}, "default": {"echo": True}}))
    slow = Server("--script", script, "--data-dir", tmp_path / "data")
    store = create(slow)["name"]
    operation = send(slow, store, "plums are blue", displayName="plums")
    assert "done" not in operation
    unfinished = begin(slow, store, 12, displayName="pears")
    piece(slow, unfinished, b"pears ", command="upload")
    slow.crash()
    server = on_folder()
    operation = done(server, server.get(f"{V}/{operation['name']}").json)
    assert titles(query(server, store, "blue plums")) == ["plums"]
    done(server, piece(server, unfinished, b"yellow", 6).json)
    assert titles(query(server, store, "yellow pears"))[0] == "pears"


def test_all_of_it_survives_and_all_of_it_goes(on_folder, tmp_path):
    server = on_folder()
    store = create(server)["name"]
    put(server, store, "figs are ripe", displayName="figs", customMetadata=[{"key": "n", "numericValue": 1}])
    server.crash()
    server = on_folder()
    assert titles(query(server, store, "ripe figs", metadataFilter="n = 1")) == ["figs"]
    assert server.call("DELETE", f"{V}/{store}?force=true").status == 200
    server.stop()
    with sqlite3.connect(tmp_path / "data" / "pollux.db") as db:
        for table in ("stores", "documents", "passages", "words_docsize", "uploads"):
            assert db.execute(f"SELECT COUNT(*) FROM search_{table}").fetchone() == (0,), table
    assert os.listdir(tmp_path / "data" / "parts") == []


def test_room(scripted):
    server = scripted("--files-total", 3000)
    store = create(server)["name"]
    put(server, store, "x " * 700)
    answer = piece(server, begin(server, store, 1400), b"y " * 700)
    done(server, answer.json)
    file = server.get(f"{V}/files").json["files"][0]
    assert refused(server.post(f"{V}/{store}:importFile", {"fileName": file["name"]}), 429, "RESOURCE_EXHAUSTED", "--files-total")


def test_a_pdf(server):
    store = create(server)["name"]
    operation = done(server, send(server, store, pdf("Harbour tides"), mime="application/pdf", displayName="p.pdf"))
    if "error" in operation:
        pytest.skip(operation["error"]["message"])
    assert titles(query(server, store, "harbour tides")) == ["p.pdf"]
