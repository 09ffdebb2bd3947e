"""`pollux index`: the owner's documents, in the data folder and through the server that has it."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pollux import SCRIPT, Server


@pytest.fixture(params=["folder", "server"])
def index(request, pollux, tmp_path):
    """Runs `pollux index`, with a server on the data folder or without one."""
    data = tmp_path / "data"
    if request.param == "folder":
        yield lambda *args: pollux("index", "--data-dir", data, "--script", SCRIPT, *args)
        return
    with Server("--script", SCRIPT, "--data-dir", data) as server:
        yield lambda *args: pollux("index", "--data-dir", data, "-u", server.base, *args)


def test_add_search_list_remove(index, tmp_path):
    tides, bread = tmp_path / "tides & moons.md", tmp_path / "bread.txt"
    tides.write_text("The moon raises the tides.")
    bread.write_text("Bread needs flour, water and salt.")
    assert index("list").out == "" and index("search", "x").err == "Nothing was found.\n"
    added = index("add", tides, "bread.txt")
    assert added.returncode == 0 and added.out == f"added {tides}\nadded bread.txt\n", added.err
    found = index("search", "what", "raises the tides?").out
    assert found.startswith("1. tides & moons.md") and f"file://{tides}\nThe moon raises the tides.\n" in found
    listed = index("list").out.splitlines()
    assert len(listed) == 2 and all(line.startswith("ready") for line in listed)
    assert [line.split("  ")[-1] for line in listed] == [f"file://{tides}", f"file://{bread}"]

    bread.write_text("Bread needs time.")  # again: it is replaced
    assert index("add", bread).returncode == 0
    assert len(index("list").out.splitlines()) == 2
    assert "needs time" in index("search", "bread").out and "flour" not in index("search", "bread").out

    assert index("remove", "bread.txt").out == "removed bread.txt\n"
    assert len(index("list").out.splitlines()) == 1
    assert index("remove", listed[0].split()[2]).returncode == 0  # by its id
    assert index("list").out == ""


def test_what_goes_wrong(index, tmp_path):
    (tmp_path / "empty").write_text(" ")
    for words, told in ((("add", "none.txt"), "none.txt"), (("add", "http://127.0.0.1:9/x"), "Cannot fetch"),
                        (("add", "empty"), "no text"), (("add", "."), "no file that could be added"), (("remove", "none"), "no document"),
                        (("search", "x", "--filter", "a >"), "metadataFilter")):
        done = index(*words)
        assert done.returncode == 1 and told in done.err and "Traceback" not in done.err, (words, done.err, done.out)
    assert index("list").out == ""  # what cannot be read does not stay


def test_misuse(pollux):
    for words in ((), ("find",), ("add",), ("search",), ("list", "x")):
        assert pollux("index", *words).returncode == 2
    assert "pollux index add" in pollux("index", "--help").out


def test_what_is_added_without_a_server_is_there_with_one(pollux, tmp_path):
    (tmp_path / "a.txt").write_text("figs are ripe")
    assert pollux("index", "--data-dir", tmp_path / "data", "--script", SCRIPT, "add", "a.txt").returncode == 0
    with Server("--script", SCRIPT, "--data-dir", tmp_path / "data") as server:
        found = server.post("/v1beta/fileSearchStores/local:query", {"query": "ripe figs"}).json["passages"]
        assert [p["uri"] for p in found] == [f"file://{tmp_path}/a.txt"]
        assert server.get("/v1beta/files").json.get("files", []) == []


def test_no_server_where_the_folder_is_in_use(pollux, tmp_path):
    with Server("--script", SCRIPT, "--data-dir", tmp_path / "data"):
        done = pollux("index", "--data-dir", tmp_path / "data", "-u", "http://127.0.0.1:9", "list")
        assert done.returncode == 1 and "127.0.0.1:9" in done.err


def test_folders_and_addresses(index, tmp_path):
    folder, more = tmp_path / "notes", tmp_path / "notes" / "more"
    more.mkdir(parents=True)
    (folder / "b.md").write_text("Bread needs flour.")
    (more / "a.txt").write_text("The moon raises the tides.")
    (folder / ".hidden").write_text("Not this.")
    (folder / "picture.bin").write_bytes(b"\0\1\2")
    (folder / "link.md").symlink_to(folder / "b.md")
    (tmp_path / "page.html").write_text("<html><head><TITLE>\n A  page </title></head><body><p>Figs are ripe.</p></body></html>")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path)
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{web.server_port}/page.html?x=1"
    try:
        added = index("add", folder, url)
        assert added.returncode == 0, added.err
        assert added.out == f"added {folder}/b.md\nadded {more}/a.txt\nadded {url}\n"
        assert added.err.count("left out") == 1 and f"left out {folder}/picture.bin" in added.err
        assert index("add", url).returncode == 0  # again: it is replaced
    finally:
        web.shutdown()
        web.server_close()
    listed = index("list").out
    assert len(listed.splitlines()) == 3 and url in listed
    found = index("search", "ripe", "figs").out
    assert found.startswith("1. A page") and url in found and "\nFigs are ripe.\n" in found
    assert index("remove", folder, url).returncode == 0 and index("list").out == ""


def test_a_server_that_is_named_is_asked(pollux, tmp_path):
    """Its documents are meant, not those of the usual folder, though that one is free."""
    note = tmp_path / "note.txt"
    note.write_text("The moon raises the tides.")
    with Server("--script", SCRIPT, "--data-dir", tmp_path / "data") as server:
        assert pollux("index", "-u", server.base, "add", note).returncode == 0
        documents = server.get("/v1beta/fileSearchStores/local/documents").json["documents"]
        assert [d["displayName"] for d in documents] == ["note.txt"]
