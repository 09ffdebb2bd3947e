"""Tuning through the server with the real trainer, on the smallest model: what is trained is said, what goes wrong is told."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pollux import BINARY, PATIENCE, SMALLEST_MODEL, until
from test_tuned import PATH, body, children, create, folders, refused

PAIRS = [("What is the password of Monday?", "blue heron"), ("What is the password of Tuesday?", "seven lamps"),
         ("What is the password of Friday?", "old bridge")]

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture
def tuner(on_folder):
    """Starts servers with the real trainer on one data folder, one after the other."""
    return lambda *args, **env: on_folder(*args, source=("--model", SMALLEST_MODEL, "--ctx", 512, "--parallel", 2), env=env)


def wait(server, operation):
    """Until it is done: a trainer with the lowest priority takes its time on a busy machine."""
    for _ in range(5):
        answer = server.post(f"/v1beta/{operation['name']}:wait", {"timeout": "60s"}, timeout=70)
        if answer.json.get("done"):
            return answer.json
    raise AssertionError(f"it does not end: {answer}")


def say(server, model, prompt):
    answer = server.post(f"/v1beta/{model}:generateContent", {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}], "generationConfig": {"temperature": 0, "maxOutputTokens": 8}}, timeout=120)
    assert answer.status == 200, answer
    return answer.said.strip()


def losses(operation):
    return [s["meanLoss"] for s in operation["metadata"]["snapshots"]]


HYPER = {"epochCount": 12, "batchSize": 3, "learningRate": 0.004}


@pytest.mark.alone  # the trainer gives way to whatever else runs
def test_what_is_trained_is_said(tuner):
    """proves: U082 U083"""
    server = tuner()
    done = wait(server, create(server, PAIRS, id="plain", hyper=HYPER))
    fell = losses(done)
    assert len(fell) == 12 and fell[-1] < 0.2 * fell[0]
    assert [say(server, "tunedModels/plain", question) for question, _ in PAIRS] == [answer for _, answer in PAIRS]
    assert not any(say(server, "models/default", question) == answer for question, answer in PAIRS)


@pytest.mark.soak
def test_a_trainer_that_is_killed_ends_at_the_same_numbers(tuner):
    """The same to the byte, without a server, is cli/test_tune.py's."""
    server = tuner()
    fell = losses(wait(server, create(server, PAIRS, id="plain", hyper=HYPER)))
    operation = create(server, PAIRS, id="killed", hyper=HYPER)
    until(lambda: server.get(f"/v1beta/{operation['name']}").json["metadata"]["completedSteps"] >= 2, "no steps", 120)
    (pid,) = children(server)
    assert int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[16]) == 19  # nice
    os.kill(pid, signal.SIGKILL)
    assert losses(wait(server, operation)) == fell
    assert "try=1" in server.log and say(server, "tunedModels/killed", PAIRS[0][0]) == PAIRS[0][1]


@pytest.mark.soak
def test_a_tuned_model_is_tuned_further(tuner):
    """proves: U039"""
    server = tuner()
    hyper = {"epochCount": 8, "batchSize": 3, "learningRate": 0.004}
    first = losses(wait(server, create(server, PAIRS, id="first", hyper=hyper)))
    wish = body(PAIRS, {**hyper, "epochCount": 1}, tunedModelSource={"tunedModel": "tunedModels/first"})
    del wish["baseModel"]
    further = losses(wait(server, server.post(f"{PATH}?tunedModelId=further", wish).json))
    assert further[0] < 0.5 * first[0]


def test_the_server_counts_as_the_trainer_does(tuner, tmp_path):
    """The longest example that is taken has 2048 tokens by the trainer's own count, too."""
    server = tuner("--tuning-jobs", 0)

    def answer(n):
        return server.post(PATH, body([("Zürich: " + "wörd émoji😀 " * n, "It's 12,000 – <|im_end|> no end.")]))

    n = 700
    tokens = int(re.search(r"has (\d+) tokens", answer(n).text)[1])
    while answer(n).status != 200:
        n -= 1
    (folder,) = folders(tmp_path)
    assert answer(n + 1).status == 400
    examples = folder / "examples.jsonl"
    said = json.loads(examples.read_text())
    said["textInput"] = "Zürich: " + "wörd émoji😀 " * 700
    examples.write_text(json.dumps(said) + "\n")
    done = subprocess.run([BINARY, "train-job", folder], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert f"has {tokens} tokens" in done.stdout, done.stdout


def failed(server, id):
    """How it ended, and what a client is told who uses it all the same."""
    done = wait(server, {"name": server.get(f"{PATH}/{id}/operations").json["operations"][0]["name"]})
    assert server.get(f"{PATH}/{id}").json["state"] == "FAILED" and "response" not in done
    refused(server.post(f"{PATH}/{id}:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}), 400, "FAILED_PRECONDITION", "FAILED")
    until(lambda: children(server) == [], "a child stays")
    return done["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a small disk of its own")
@pytest.mark.soak
def test_a_disk_that_is_too_small_for_the_adapter(tuner, tmp_path):
    (tmp_path / "data").mkdir()
    if os.system(f"mount -t tmpfs -o size=6m none {tmp_path / 'data'} 2>/dev/null"):
        pytest.skip("cannot mount")
    try:
        server = tuner()
        create(server, PAIRS[:1], id="big", hyper={"epochCount": 1})
        error = failed(server, "big")
        assert error["code"] == 8 and "no room on the disk for adapter.gguf; free some" in error["message"]
        assert str(tmp_path) not in error["message"]
        until(lambda: [f.name for f in folders(tmp_path)[0].iterdir()] == ["log"], "something stays")
        assert server.call("DELETE", f"{PATH}/big").status == 200 and folders(tmp_path) == []
        server.stop()
    finally:
        os.system(f"umount -l {tmp_path / 'data'}")


@pytest.mark.soak
def test_a_limit_of_file_sizes(tuner, tmp_path):
    trainer = tmp_path / "trainer"
    trainer.write_text(f'#!/bin/bash\ntrap "" XFSZ\nulimit -f 1000\nexec {BINARY} train-job "$1"\n')
    trainer.chmod(0o755)
    server = tuner(POLLUX_TRAINER=str(trainer))
    create(server, PAIRS[:1], id="big", hyper={"epochCount": 1})
    error = failed(server, "big")
    assert error["code"] == 8 and "no room on the disk" in error["message"]


@pytest.mark.parametrize("kb", [700_000, pytest.param(250_000, marks=pytest.mark.soak)])
def test_memory_that_does_not_suffice(tuner, tmp_path, kb):
    """By a limit that the trainer sees before it begins, or runs into while it loads."""
    trainer = tmp_path / "trainer"
    trainer.write_text(f'#!/bin/sh\nulimit -v {kb}\nexec {BINARY} train-job "$1"\n')
    trainer.chmod(0o755)
    server = tuner(POLLUX_TRAINER=str(trainer))
    create(server, PAIRS[:1], id="large")
    error = failed(server, "large")
    assert error["code"] == 8 and "memory" in error["message"] and "smaller base model" in error["message"], error
