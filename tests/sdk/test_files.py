"""The official clients upload, wait, ask, list, download and delete; and the page's curl sample."""

from pathlib import Path

import pytest

from toolchain import program, said, told

HERE = Path(__file__).parent / "files"
CLIENTS = {"python": "genai.py", "python-legacy": "legacy.py", "js": "genai.mjs", "js-legacy": "legacy.mjs"}
pytestmark = pytest.mark.timeout(900)



@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_and_its_files(server, tmp_path, client):
    """proves: F001-F023 F025 F031 A005 H006 J026 J037"""
    got = told(program(HERE / CLIENTS[client]), server, tmp_path)
    assert got["state"] == "ACTIVE" and got["name"] == "my note" and got["mime"] == "text/plain", got
    assert got["size"] == 9_000_000 and got["text"] == "Hello there." and got["listed"] and got["gone"] == 404, got
    if client == "python":
        assert got["named"] and got["taken"] == 409 and not got["empty"], got
    if client == "js":
        assert got["got"] == "hello", got


def test_the_curl_sample_of_the_page(server, tmp_path):
    """proves: F001 F002 F003 F004 F005 F006 F017 F018 F025 F030 A006 H011"""
    (tmp_path / "a11.txt").write_text("Say hello")
    text = said(["bash", HERE / "sample.sh"], server, tmp_path, BASE_URL=server.base, TEXT_PATH="a11.txt")
    assert 'state="ACTIVE"' in text and "Hello there." in text, text
