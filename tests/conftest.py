"""Fixtures of every suite: a server on the scripted engine, one on a real model."""

import json

import pytest

from pollux import BINARY, SCRIPT, SMALL_MODEL, Server


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: make build, or set POLLUX", returncode=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if {"real", "narrow"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.model)


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
    """Starts scripted servers on one data folder, one after the other."""
    started = []

    def begin(*args):
        started.append(Server("--script", SCRIPT, "--data-dir", tmp_path / "data", *args))
        return started[-1]

    yield begin
    for s in started:
        if s.process.poll() is None:
            s.stop()


@pytest.fixture(scope="session")
def real():
    """One Pollux with the small real model."""
    with Server("--model", SMALL_MODEL, "--parallel", 8, start_s=120) as s:
        yield s
