"""Fixtures of every suite: a server on the scripted engine, servers on real models."""

import json
import os
from pathlib import Path

import pytest

from pollux import BINARY, SCRIPT, SMALL_MODEL, SMALLEST_MODEL, Server

HERE = Path(__file__).parent
LONG = {"api/test_media.py", "api/test_speech.py", "api/test_tuned.py"}  # besides those that need a model


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: make build, or set POLLUX", returncode=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """The files that took longest the last time come first: no worker ends long after the others."""
    for item in items:
        if {"real", "smallest", "narrow"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.model)
    if not os.environ.get("POLLUX_SOAK"):
        config.hook.pytest_deselected(items=[i for i in items if i.get_closest_marker("soak")])
        items[:] = [i for i in items if not i.get_closest_marker("soak")]
    try:
        took = json.loads(Path(os.environ["TEST_TIMES"]).read_text())
    except (KeyError, OSError, ValueError):
        took = {}
    files = {item: str(item.path.relative_to(HERE)) for item in items}
    long = LONG | {file for item, file in files.items() if item.get_closest_marker("model")}
    items.sort(key=lambda item: -took.get(files[item], 60 if files[item] in long else 10))


@pytest.fixture(scope="session")
def server():
    """One scripted Pollux for all tests of a session; it must outlive them unharmed."""
    with Server("--script", SCRIPT, "--idle-timeout", 30) as s:
        yield s


@pytest.fixture
def scripted(tmp_path):
    """Starts further scripted servers: with options of the test's own, or other facts in the
    script (slots, queue, context, model)."""
    started = []

    def start(*args, **facts):
        path = tmp_path / f"script-{len(started)}.json"
        path.write_text(json.dumps({**json.loads(SCRIPT.read_text()), **facts}))
        started.append(Server("--script", path, *args))
        return started[-1]

    yield start
    for s in started:
        s.stop()


@pytest.fixture
def on_folder(tmp_path):
    """Starts servers on one data folder, one after the other: each ended by stop() or crash()."""
    started = []

    def start(*args, source=("--script", SCRIPT), env=None):
        started.append(Server(*source, "--data-dir", tmp_path / "data", *args, env=env,
                              start_s=20 if source[0] == "--script" else 120))
        return started[-1]

    yield start
    for s in started:
        if s.process.poll() is None:
            s.stop()


@pytest.fixture(scope="session")
def real():
    """One Pollux with a small real model: where its words are asked for."""
    with Server("--model", SMALL_MODEL, "--parallel", 8, "--fetch-allow", "127.0.0.1", start_s=120) as s:
        yield s


@pytest.fixture(scope="session")
def smallest():
    """One with the smallest real model: where tokens are wanted, and no words of sense."""
    with Server("--model", SMALLEST_MODEL, "--parallel", 8, start_s=120) as s:
        yield s
