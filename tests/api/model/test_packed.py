"""Weights that lie packed on the disk for the next start (src/kernel/kept.h): the same answers from them, and whatever
is wrong with the file."""

import os
from pathlib import Path

import pytest

from pollux import SMALLEST_MODEL, Server, until

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]
SEEDED = {"seed": 5, "temperature": 1, "maxOutputTokens": 12}


def test_the_next_start_finds_them(tmp_path):
    folder = tmp_path / "packed"

    def start(packed, answer=None):
        """What is said; waits for the file."""
        with Server("--model", SMALLEST_MODEL, "--parallel", 1, "--ctx", 512, "--packed-dir", folder, start_s=60) as s:
            if "kernels=panels" not in s.log:
                pytest.skip("this CPU has no products of ours")
            assert f"packed={packed}" in s.log
            said = s.generate("Tell me about the sea.", SEEDED).said
            until(lambda: list(folder.glob("*.panels")), "nothing was written", 60)
            assert said and answer in (None, said)
            return said

    said = start("no")
    [file] = folder.glob("*.panels")
    assert file.name.startswith(SMALLEST_MODEL) and file.stat().st_mode & 0o777 == 0o600
    whole = file.read_bytes()
    start("kept", said)
    assert file.read_bytes() == whole

    with file.open("r+b") as f:  # of another layout
        f.write(bytes(100))
    start("no", said)
    assert file.read_bytes() == whole

    file.write_bytes(whole[:-4096])  # cut short
    start("no", said)
    assert file.read_bytes() == whole


def test_off_is_off(tmp_path):
    models = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pollux/models"
    with Server("--model", SMALLEST_MODEL, "--models-dir", models, "--parallel", 1, "--ctx", 512, "--packed-dir", "off",
                start_s=60, env={"XDG_CACHE_HOME": str(tmp_path)}) as s:
        assert "packed=no" in s.log and s.generate("Hi", {"maxOutputTokens": 1}).status == 200
    assert not list(tmp_path.rglob("*.panels"))
