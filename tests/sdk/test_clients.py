"""The official clients, unmodified: only the base URL is ours."""

import json
import os
import re
import subprocess
from functools import cache

import pytest

import cases
from pollux import SMALL_MODEL
from toolchain import CLIENTS

pytestmark = pytest.mark.timeout(900)  # the first run on a machine fetches and builds


@cache
def command(client):
    return CLIENTS[client]()


@cache
def outcome(client, base, model, names):
    """All cases in one run of the client; starting it costs more than they do."""
    env = {**os.environ, "BASE": base, "MODEL": model, "NODE_NO_WARNINGS": "1"}
    try:
        done = subprocess.run([*command(client), *names], env=env, capture_output=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        said, complaints = done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        said, complaints = late.stdout or b"", (late.stderr or b"") + b"\nstill running after 120 s"
    lines = {}
    for line in said.decode().splitlines():
        lines[json.loads(line)["case"]] = json.loads(line)
    return lines, complaints.decode()


def result(client, base, model, names, name):
    lines, complaints = outcome(client, base, model, names)
    line = lines.get(name, {"broke": f"no answer; it said: {complaints[-2000:]}"})
    assert "broke" not in line, line["broke"]
    return line["got"]


def doable(client):
    return [c for c in cases.SCRIPTED if c.__name__ not in cases.LACKS.get(client, ())]


@pytest.mark.parametrize("client, case", [(client, case) for client in CLIENTS for case in doable(client)],
                         ids=lambda x: x if isinstance(x, str) else x.__name__)
def test_scripted(server, client, case):
    names = tuple(c.__name__ for c in doable(client))
    got = result(client, server.base, "gemini-2.0-flash", names, case.__name__)
    case(got)
    if error := got.get("error"):
        assert re.fullmatch(cases.ERRORS[client][error["code"]], error["type"]), error


@pytest.mark.parametrize("case", cases.REAL, ids=lambda c: c.__name__)
@pytest.mark.parametrize("client", [pytest.param(c, marks=pytest.mark.soak) if "legacy" in c else c for c in CLIENTS])
def test_real_model(real, client, case):
    """proves: H023 G015 G075"""
    case(result(client, real.base, SMALL_MODEL, tuple(c.__name__ for c in cases.REAL), case.__name__))
