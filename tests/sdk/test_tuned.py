"""The official clients and tuned models, on the stand-in trainer and the scripted engine."""

from pathlib import Path

import pytest

from pollux import ROOT, SCRIPT, Server
from toolchain import program, said, told

HERE = Path(__file__).parent / "tuned"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tuner():
    with Server("--script", SCRIPT, env={"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}) as s:
        yield s


def test_the_legacy_client(tuner, tmp_path):
    """proves: U001-U003 U006 U007 U018 U021-U024 U027-U031 U039 U040 U054 U065-U068 U072-U080 X014 X015 E019"""
    got = told(program(HERE / "legacy.py"), tuner, tmp_path)
    assert got["total"] == 15 and all(0 <= s <= 15 for s in got["statuses"])
    assert got["model"] == ["tunedModels/legacy-1", "ACTIVE", "models/gemini-1.5-flash-001-tuning", 0.5, 5]
    assert [s[0] for s in got["snapshots"]] == list(range(1, 16)) and got["snapshots"][0][2] == 1.8
    assert got["hyper"] == [20, 4, 0.001]
    assert got["said"] == got["streamed"] == "Hello there." and got["get"]
    assert got["further"] == ["tunedModels/legacy-1", "models/gemini-1.5-flash-001-tuning"]
    assert {"tunedModels/legacy-1", "tunedModels/legacy-2"} <= set(got["listed"])
    assert got["updated"] == ["new words", "increment"]
    assert got["grant"] == ["READER", "USER", "friend@example.com"] and got["raised"] == "WRITER"
    assert got["permissions"] == ["OWNER", "WRITER"] and got["after"] == 1 and got["owner"] == ["other@example.com"]
    assert got["cancelled"] and got["failed"] == ["InvalidArgument", True]
    assert got["refused"] == 400 and got["gone"] == 404


def test_the_sample_of_the_page(tuner, tmp_path):
    """proves: H027 X014 X015 U083"""
    sample = (HERE / "page.py").read_text()
    (tmp_path / "sample.py").write_text(
        "import os\nimport google.generativeai as genai\n"
        "genai.configure(api_key='k', transport='rest', client_options={'api_endpoint': os.environ['BASE']})\n" + sample)
    text = said(program(tmp_path / "sample.py"), tuner, tmp_path)
    assert "III" in text and "tunedModels/increment-" in text  # the script echoes


def test_google_genai(tuner, tmp_path):
    """proves: H003 U020 U070 U071 G003 G004"""
    got = told(program(HERE / "genai.py"), tuner, tmp_path)
    assert got["tune"] == [400, True]
    assert got["job"] == ["JOB_STATE_SUCCEEDED", "tunedModels/genai-1", True, True]
    assert got["said"] == got["streamed"] == "Hello there." and got["listed"]
    assert got["updated"] == got["get"] == "n" and got["cancelled"] == "JOB_STATE_FAILED" and got["gone"] == 404
