import subprocess

import pytest

import pollux

DEFAULT_MODEL = "qwen2.5-coder-1.5b-instruct"


@pytest.fixture(scope="session")
def server():
    """The default model, for all that is asked of it."""
    pull = subprocess.run([pollux.BINARY, "pull", DEFAULT_MODEL], capture_output=True, text=True, check=False)
    assert pull.returncode == 0, pull.stderr
    with pollux.Server("--model", DEFAULT_MODEL, "--log-level", "warn", start_s=120) as running:
        yield running
