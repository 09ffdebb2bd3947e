"""Clients that call functions and go on with the results, on the default model: what they were told in the
end. Not part of `make test`, which has the smaller models only."""

import json
import os
import subprocess
import sys

import pytest

from pollux import ROOT

sys.path.insert(0, str(ROOT / "tests/sdk"))
from toolchain import js, python  # noqa: E402

PARIS, OSLO = ["get_weather", "Paris"], ["get_weather", "Oslo"]
APPLE = ["get_share_price", "AAPL"]
# What is asked, what must be called for it, what the last words must hold.
PYTHON = [
    ("temperature in Paris", [PARIS], ["17"]),
    ("Compare", [PARIS, OSLO], ["Paris", "Oslo"]),
    ("light in the kitchen", [["set_light", "kitchen", True]], ["on"]),
    ("capital of Italy", [], ["Rome"]),
    ("Apple share", [APPLE], ["231.5"]),
    ("two times that", [], ["463"]),
    ("weather in Paris", [PARIS], ["17"]),
    ("in Oslo", [OSLO], ["4"]),
]
JAVASCRIPT = [
    ("Apple share", [APPLE], ["231.5"]),
    ("two times that", [], ["463"]),
    ("capital of Italy", [], ["Rome"]),
]


def check(command, server, wanted):
    done = subprocess.run(command, env={**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1"},
                          capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert len(got) == len(wanted)
    wrong = [g for g, (asked, called, words) in zip(got, wanted)
             if asked not in g["asked"] or g["called"] != called or not all(w in (g["said"] or "") for w in words)]
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.model
@pytest.mark.timeout(600)
def test_automatic_function_calling_in_python(server):
    check(python("loops"), server, PYTHON)


@pytest.mark.model
@pytest.mark.timeout(600)
def test_a_chat_in_javascript(server):
    check(js("loops"), server, JAVASCRIPT)
