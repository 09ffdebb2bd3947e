"""Fixtures of the client's tests: a fake server, the command line, and a terminal."""

import subprocess

import pytest

from client import COMPLAINT, Terminal, environment
from fake import Fake
from pollux import BINARY, PATIENCE


@pytest.fixture
def fake():
    server = Fake()
    yield server
    server.stop()


@pytest.fixture
def pollux(tmp_path):
    """Runs the binary; returns the ended process with texts of both outputs."""

    def run(*args, stdin="", env=None, timeout=30):
        done = subprocess.run([str(BINARY), *map(str, args)], input=stdin.encode(),
                              capture_output=True, timeout=timeout * PATIENCE, cwd=tmp_path,
                              env=environment(tmp_path, **(env or {})))
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        assert not COMPLAINT.search(done.err), done.err
        assert done.returncode >= 0, done
        return done

    return run


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def start(*args, env=None):
        opened.append(Terminal(environment(tmp_path, **(env or {})), *map(str, args)))
        return opened[-1]

    yield start
    for t in opened:
        t.close()
