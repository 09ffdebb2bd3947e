"""Page 002's snippets for the older Python client, on text.

The page in ../shared/seeds has lost lines of them (closing brackets, some arguments, the prints):
restored/002_TOPIC.py has those put back, from what the older client wants. Every line that the page
has is there, in its order; test_nothing_of_the_page_is_missing compares them.
"""

from pathlib import Path

import pytest

from sdk.seeds.test_pages import DOGS, PAGES, media
from toolchain import program, said

HERE = Path(__file__).parent
SAMPLES = sorted((HERE / "restored").iterdir())
LINES = {"text": 197, "chat": 633, "json": 813, "functions": 1076, "config": 1390, "safety": 1499, "system": 1614, "cache": 770, "code": 1011}
SAYS = {"text": "magic backpack", "chat": DOGS, "json": "Snickerdoodle", "functions": "2508", "config": "agic backpack",
        "safety": "Soccer Club", "system": "Meow.", "cache": "Please summarize this transcript", "code": "5117"}


def topic(path):
    return path.stem.removeprefix("002_")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_sample(server, tmp_path, path):
    """proves: X017 X018 X019 X020"""
    for name, data in media(path.stem).items():
        (tmp_path / name).write_bytes(data)
    text = said([*program(HERE / "legacy_python.py"), path], server, tmp_path, MEDIA=str(tmp_path))
    assert SAYS[topic(path)] in text, text


@pytest.mark.skipif(not PAGES.is_dir(), reason="the pages are not on this machine")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_nothing_of_the_page_is_missing(path):
    page = next(PAGES.glob("002_*")).read_text().splitlines()[LINES[topic(path)] - 1:]
    ours = iter([line.strip() for line in path.read_text().splitlines() if line.strip()])
    known, blank = 0, 0
    for line in page:  # two empty lines end a snippet
        blank = 0 if line.strip() else blank + 1
        if blank == 2:
            break
        if line.strip():
            assert line.strip() in ours, line
            known += 1
    assert known >= 2
