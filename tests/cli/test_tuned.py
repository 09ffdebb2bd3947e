"""`pollux tuned` against a server: on the scripted engine, and import and export on a real model."""

import json
import re
from pathlib import Path

import pytest

import gguf_files
from pollux import ROOT, SCRIPT, Server

TRAINER = {"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}
MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def tuner():
    with Server("--script", SCRIPT, env=TRAINER) as s:
        yield s


def tune(server, id, first="1", **more):
    answer = server.post(f"/v1beta/tunedModels?tunedModelId={id}", {
        "baseModel": "models/gemini-pro", **more,
        "tuningTask": {"trainingData": {"examples": {"examples": [{"textInput": first, "output": "2"}] * 4}}}})
    assert answer.status == 200, answer
    server.post(f"/v1beta/{answer.json['name']}:wait", b"")


def test_list_show_delete(tuner, pollux):
    done = pollux("tuned", "-u", tuner.base)
    assert done.returncode == 0 and done.out == ""
    tune(tuner, "first", displayName="The first\x1b[31m")
    tune(tuner, "second", first="!exit 3")
    done = pollux("tuned", "list", "-u", tuner.base)
    lines = done.out.splitlines()
    assert re.match(r"tunedModels/second +FAILED +models/gemini-pro$", lines[0]), done.out
    assert re.match(r"tunedModels/first +ACTIVE +models/gemini-pro  \"The first", lines[1])
    assert len(json.loads(pollux("tuned", "--json", "-u", tuner.base).out)["tunedModels"]) == 2
    shown = pollux("tuned", "show", "first", "-u", tuner.base)
    assert shown.returncode == 0 and "1.1810 at step 5" in shown.out and "loss, steps 1 to 5" in shown.out and "█" in shown.out
    assert '"batchSize":4' in shown.out
    assert json.loads(pollux("tuned", "show", "tunedModels/first", "-j", "-u", tuner.base).out)["state"] == "ACTIVE"
    gone = pollux("tuned", "delete", "first", "second", "-u", tuner.base)
    assert gone.out == "deleted tunedModels/first\ndeleted tunedModels/second\n"
    assert pollux("tuned", "show", "first", "-u", tuner.base).returncode == 1


def test_run_and_chat_with_a_tuned_model(tuner, pollux):
    tune(tuner, "speaks")
    done = pollux("run", "-u", tuner.base, "--model", "tunedModels/speaks", "Say hello")
    assert done.returncode == 0 and done.out.strip() == "Hello there.", done.err
    done = pollux("chat", "-u", tuner.base, "--model", "tunedModels/speaks", stdin="Say hello\n")
    assert done.returncode == 0 and "Hello there." in done.out, done.err
    done = pollux("run", "-u", tuner.base, "--model", "tunedModels/nobody", "Say hello")
    assert done.returncode == 1 and "tunedModels/nobody" in done.err
    pollux("tuned", "delete", "speaks", "-u", tuner.base)


@pytest.mark.parametrize("words", [("show",), ("show", "a", "b"), ("export",), ("import",), ("delete",), ("destroy", "x"), ("show", "../x"),
                                   ("show", "a b"), ("list", "x")])
def test_wrong_words(pollux, words):
    done = pollux("tuned", *words)
    assert done.returncode == 2 and "pollux tuned" in done.err, done.err


def test_nobody_answers(pollux):
    assert pollux("tuned", "-u", "http://127.0.0.1:1").returncode == 3


@pytest.mark.model
def test_export_and_import(pollux, tmp_path):
    base = next(Path.home().glob(f".cache/pollux/models/{MODEL}*.gguf"))
    gguf_files.write_lora(tmp_path / "mine.gguf", base, "seed", only=lambda n: n.startswith("blk.0."))
    with Server("--model", MODEL, "--ctx", 256, "--parallel", 1, start_s=120) as s:
        done = pollux("tuned", "import", "mine.gguf", "--id", "mine", "--name", "Mine", "-u", s.base)
        assert done.returncode == 0 and re.match(rf'tunedModels/mine +ACTIVE +models/{MODEL}  "Mine"', done.out), done.err
        done = pollux("tuned", "export", "mine", "-u", s.base)
        assert done.out == "wrote mine.gguf\n"
        values, tensors = gguf_files.read(tmp_path / "mine.gguf")
        assert values == {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora",
                          "adapter.lora.alpha": 32.0}
        assert len(tensors) == 14
        done = pollux("tuned", "import", "mine.gguf", "--id", "mine", "-u", s.base)
        assert done.returncode == 1 and "exists already" in done.err
        assert s.get("/v1beta/files").json == {}
        (tmp_path / "junk.gguf").write_bytes(b"GGUF and nothing")
        assert "refused" in pollux("tuned", "import", "junk.gguf", "-u", s.base).err
        assert "adapter_config.json" in pollux("tuned", "import", "junk.safetensors", "-u", s.base).err
        done = pollux("tuned", "export", "none", "-o", "none.gguf", "-u", s.base)
        assert done.returncode == 1 and not (tmp_path / "none.gguf").exists() and not (tmp_path / "none.gguf.part").exists()
