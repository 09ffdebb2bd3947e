"""The samples of the documentation's pages, run as they stand: only the base URL is ours.

samples/PAGE_TOPIC.LANGUAGE is the text of a page (000: text generation; 001: the same with the Interactions
API; 003: its quickstart; 004: generating content; (c) Google, Apache License 2.0) without a change, lines joined where the page had broken them.
README.md lists them.
"""

import json
import os
import re
import sys
import tempfile
import urllib.request
from functools import cache
from pathlib import Path

import pytest

import toolchain
from media_files import CURRENT, film, pdf, picture, sound
from pollux import SMALLEST_MODEL, Server

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
PAGES = Path(os.environ.get("COVERAGE_DATA", HERE.parents[3] / "shared" / "data")).parent / "seeds"
HOST = "https://generativelanguage.googleapis.com"

pytestmark = pytest.mark.timeout(600)

# What must be in the output: the script echoes, so the prompt; the system samples ask a cat.
DOGS = "house?"
SAYS = {
    "000_text": "AI work", "000_system": "Meow.", "000_config": "AI works",
    "000_stream": "AI works", "000_chat": DOGS, "000_chat_stream": DOGS,
    "004_text": "magic backpack", "004_system": "Meow.", "004_config": "agic backpack",
    "004_stream": "magic backpack", "004_chat": DOGS, "004_chat_stream": DOGS, "004_safety": "Soccer Club",
    "000_image": "SCHOENSTEIN", "004_image": "SCHOENSTEIN", "004_audio": "What is the capital",
    "004_video": "FIRST SIGN", "004_pdf": "The first verse", "002_audio": "What is the capital",
    "002_video": "FIRST SIGN", "002_pdf": "The first verse",
    "004_cache": "Please summarize this transcript.",
    "004_json": "Snickerdoodle", "004_functions": "dim and warm",
    "001_text": "How does AI work?", "001_thinking": "How does AI work?", "001_system": "Meow.",
    "001_config": "AI works", "001_image": "SCHOENSTEIN", "001_stream": "AI works", "001_chat": DOGS,
    "001_chat_stream": DOGS, "001_stateless": DOGS, "003_text": "in a few words", "003_stream": "in detail",
    "003_chat": DOGS, "003_functions": "15C and cloudy",
}
OTHERS = {
    "003_functions.sh": '"location": "London"',
    "004_safety.mjs": "", "004_functions.sh": "What can you do?", "000_config.go": "swallow",
    "000_stream.go": "magic backpack", "000_text.go": "AI works", "000_text.gs": "How AI does work?",
    "004_config.go": "swallow", "004_json.go": "[Snickerdoodles Gingerbread]",
}


# What page 002's snippets for the older Python client take for granted, and what they say.
SNIPPET = """import os
from pathlib import Path
import google.generativeai as genai
from google.generativeai import client as inside
inside.GENAI_API_DISCOVERY_URL = os.environ["BASE"] + "/$discovery/rest"  # a constant of the client's
genai.configure(api_key="k", transport="rest", client_options={{"api_endpoint": os.environ["BASE"]}})
media = Path(os.environ["MEDIA"])
{}
print(response.text)
"""


def python_sample(path, folder):
    text = path.read_text().replace("/path/to/", "")
    if path.stem.startswith("002"):
        text = SNIPPET.format(text)
    (folder / "sample.py").write_text(text)
    if "from PIL" not in text:
        return [sys.executable, folder / "sample.py"]
    for part in (CURRENT / "venv" / "lib").glob("python3*/site-packages/[Pp]*[Ll]*"):
        if part.name in ("PIL", "pillow.libs"):  # the readers' own; nothing else of theirs
            (folder / part.name).symlink_to(part)
    return ["env", sys.executable, folder / "sample.py"]  # no fork: the client looks for it when it is imported


# Page 003 shows a client once; its later samples take it for granted.
CLIENTS = {".py": "from google import genai\nclient = genai.Client()\n",
           ".mjs": 'import { GoogleGenAI } from "@google/genai";\nconst ai = new GoogleGenAI({});\n'}


def framed(path, folder):
    """The sample, with a client in front where it has none."""
    text = path.read_text()
    if path.suffix not in CLIENTS or "GenAI(" in text or "genai.Client" in text or not path.stem.startswith("003"):
        return path
    whole = folder / path.name
    whole.write_text(CLIENTS[path.suffix] + text)
    return whole


def file_uri(base, path):
    """What the page says to do first, by hand: the URI of an uploaded file."""
    request = urllib.request.Request(f"{base}/upload/v1beta/files?uploadType=media", path.read_bytes(), {
        "Content-Type": "image/jpeg", "x-goog-api-key": "k"})
    return json.load(urllib.request.urlopen(request))["file"]["uri"]


def command(path, base, folder):
    path = framed(path, folder)
    if path.suffix == ".py":
        return python_sample(path, folder)
    if path.suffix == ".go":
        return [toolchain.go_samples(path.stem[:3]) / path.stem]
    if path.suffix == ".gs":
        return [toolchain.tool("node"), HERE / "apps_script.mjs", path]
    if path.suffix == ".mjs":
        sample = toolchain.beside_packages(path.name, path.read_text().replace("/path/to/", ""))
        hook = ["--import", toolchain.beside_packages("base_url.mjs", (HERE / "base_url.mjs").read_text())]
        return [toolchain.tool("node"), *(hook if path.stem.startswith("004") else []), sample]
    text = path.read_text().replace(HOST, base)
    # Two pages forgot to quote a URL with a `&`; no shell could run that.
    text = re.sub(r"^curl (http\S+&\S+)", r'curl "\1"', text)
    # One writes its functions to a file and then forgot to read it.
    text = text.replace('$(source "$tools")', "$(cat tools.json)")
    # One quotes its jq program once too often.
    text = text.replace("""\"'"'"'$first""", "'$first").replace("""$second_input'"'"'")""", "$second_input')")
    if "YOUR_FILE_URI" in text:
        text = text.replace("YOUR_FILE_URI", file_uri(base, folder / "organ.jpg"))
    (folder / "sample.sh").write_text(text)
    return ["bash", folder / "sample.sh"]


def media(stem):
    """The files that the samples with images and sound send."""
    if stem.endswith("_cache"):
        return {"a11.txt": b"GOOD MORNING EAGLE. WE ARE GO. " * 100}
    if stem.endswith("_audio"):
        return dict.fromkeys(("samplesmall.mp3", "sample.mp3"), sound("mp3"))
    if stem.endswith("_video"):
        return dict.fromkeys(("Big_Buck_Bunny.mp4", "earth.mp4"), film("mp4", studio()))
    if stem.endswith("_pdf"):
        return {"test.pdf": pdf("The first verse")}
    if stem.endswith("_image"):
        return {**dict.fromkeys(("organ.jpg", "jetpack.jpg", "path/to/organ.jpg"), picture("SCHOENSTEIN", "JPEG")),
                "organ.png": picture("SCHOENSTEIN")}
    return {}


@cache
def studio():
    return tempfile.mkdtemp(prefix="pollux-film-")


def run(path, server, folder):
    for name, data in media(path.stem).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return toolchain.ended(
        command(path, server.base, folder), server, folder, MEDIA=str(folder), IMG_PATH=str(folder / "organ.jpg"),
        B64FLAGS="-w0", GOOGLE_GEMINI_BASE_URL=server.base, BASE_URL=server.base, AUDIO_PATH="sample.mp3",
        VIDEO_PATH="earth.mp4", PDF_PATH="test.pdf", tmp_header_file="upload-header.tmp", GEMINI_API_KEY="k")


def output(path, server, folder):
    done = run(path, server, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in done.stdout.lower()
    return done.stdout


# They read the array of a stream as one answer.
BROKEN = ["000_stream.gs", "000_chat_stream.gs"]


# They search, so there must be something to find.
TOOLS = ["003_search.py", "003_search.mjs", "003_search.sh"]


@pytest.mark.parametrize("path", sorted(p for p in SAMPLES.iterdir() if p.name not in BROKEN + TOOLS), ids=lambda p: p.name)
def test_sample(server, tmp_path, path):
    """proves: I001 I002 I004 I013-I016 I020-I024 I048 I049 I051 I062 I075 I077 I078 I083 I097 I098 I105 I110 X013 G001 G002 G005 G006 G007 G009 G010 G015 G048 G049 G056 G066 G068 A001 H001 H022 H023 H026
    F027 G021 X016 X026 X027 J004 J014-J018 S001 S014 S015 X001-X004 X005-X007 X008-X012 X021 X023 F028 X024 X025 X029 C001 C006 F030"""
    said = output(path, server, tmp_path)
    assert OTHERS.get(path.name, SAYS[path.stem]) in said, said


@pytest.mark.parametrize("name", BROKEN)
def test_broken_sample(server, tmp_path, name):
    """proves: S001"""
    done = run(SAMPLES / name, server, tmp_path)
    assert done.returncode and "TypeError: Cannot read properties of undefined (reading '0')" in done.stderr
    whole = tmp_path / name  # the same, read as the array that it is
    whole.write_text((SAMPLES / name).read_text().replace("data[", "data[0]["))
    assert output(whole, server, tmp_path).strip()


EURO = "Spain won Euro 2024, beating England 2-1 in the final in Berlin."
SEARCHES = {"replies": [
    {"match": {"result": "beating England"}, "text": "Spain won Euro 2024, beating England 2-1 in the final."},
    {"match": {"prompt": "euro 2024"}, "calls": [{"name": "google_search", "args": {"queries": ["euro 2024 winner"]}}]}]}


@pytest.fixture(scope="module")
def searching(tmp_path_factory):
    path = tmp_path_factory.mktemp("search") / "script.json"
    path.write_text(json.dumps(SEARCHES))
    with Server("--script", path) as s:
        s.add_document("UEFA Euro 2024", EURO, "https://uefa.example/euro2024")
        yield s


@pytest.mark.parametrize("name", TOOLS)
def test_sample_that_searches(searching, tmp_path, name):
    """proves: I052 I079 X022"""
    done = run(SAMPLES / name, searching, tmp_path)
    said = done.stdout
    assert done.returncode == 0, done
    assert "Spain won Euro 2024, beating England 2-1 in the final." in said
    if name.endswith(".sh"):
        (annotation,) = json.loads(said)["steps"][-1]["content"][0]["annotations"]
        assert annotation["title"] == "UEFA Euro 2024" and annotation["url"] == "https://uefa.example/euro2024"
    else:
        assert "Citations:\n  - [UEFA Euro 2024](https://uefa.example/euro2024)" in said


def squeezed(text):
    return re.sub(r"\s+", "", text)


@pytest.mark.skipif(not PAGES.is_dir(), reason="the pages are not on this machine")
@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda p: p.name)
def test_the_samples_are_the_pages(path):
    line = int(re.search(rf"(\d+) `{re.escape(path.name)}`", (HERE / "README.md").read_text())[1])
    page = next(PAGES.glob(path.name[:3] + "_*")).read_text().splitlines()
    assert squeezed("\n".join(page[line - 1:])).startswith(squeezed(path.read_text()))


# What must be in a real model's output, as a regular expression. No chats: a first answer that fills
# the context leaves no room for it to come back.
REAL = {
    "000_config.go": r"^\s*[\[{\"\d]", "004_config.go": r"^\s*[\[{\"\d]", "000_system.py": r"\w",
    "004_json.mjs": r"^\s*\[\s*\{\s*\"recipeName\"", "004_json.sh": r"recipe_name",
    "004_functions.sh": r'"text"', "003_text.py": r"\w",
    "003_functions.py": r"get_current_temperature with args|^$",
}


@pytest.fixture(scope="module")
def narrow():
    """The samples set no limit, and a small model may list recipes without end: its context is one."""
    with Server("--model", SMALLEST_MODEL, "--ctx", 512, start_s=120) as s:
        yield s


# One of each kind in `make test`: with no limit set, a small model talks to the end of its context.
FEW = ("000_config.go", "001_chat_stream.py", "001_stateless.sh")


@pytest.mark.parametrize("name", [n if n in FEW else pytest.param(n, marks=pytest.mark.soak) for n in REAL])
def test_sample_on_a_model(narrow, tmp_path, name):
    """proves: G048 G056 G060 G066 G068 G112"""
    said = output(SAMPLES / name, narrow, tmp_path)
    assert re.search(REAL[name], said), said


@pytest.mark.model
@pytest.mark.soak
def test_a_sample_that_reads_a_call(tmp_path):
    """proves: G056. A model as small as the others' may not make one: this is the default one."""
    with Server("--model", "qwen2.5-coder-1.5b-instruct", start_s=120) as s:
        assert re.search(r"\w", output(SAMPLES / "004_functions.mjs", s, tmp_path))
