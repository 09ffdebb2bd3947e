"""`pollux tune` and the job behind it, `pollux train-job`: on the smallest real model."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pollux import BINARY, PATIENCE, SMALLEST_MODEL, THREADS, environment

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pollux/models"
TINY = CACHE / f"{SMALLEST_MODEL}-q4_1.gguf"
real = pytest.mark.model

PAIRS = [("1", "2"), ("3", "4"), ("8", "9"), ("seven", "eight"), ("ninety nine", "one hundred"),
         ("-3", "-2")]


def lines(pairs=PAIRS):
    return "".join(json.dumps({"textInput": i, "output": o}) + "\n" for i, o in pairs)


def job(folder, examples=None, **more):
    folder.mkdir(exist_ok=True)
    (folder / "examples.jsonl").write_text(lines() if examples is None else examples)
    (folder / "job.json").write_text(json.dumps(
        {"base": str(TINY), "examples": "examples.jsonl", "epochCount": 2, "batchSize": 2,
         "learningRate": 0.002, "rank": 4, "seed": 3, "threads": int(THREADS or 0), **more}))
    return folder


def start(folder):
    return subprocess.Popen([str(BINARY), "train-job", str(folder)], stdout=subprocess.PIPE,
                            text=True, start_new_session=True)


def run(folder):
    """All events, and the exit status."""
    with start(folder) as child:
        events = [json.loads(line) for line in child.stdout]
    return events, child.returncode


def losses(events):
    return {e["step"]: e["meanLoss"] for e in events if e["event"] == "step"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A job that went well: its folder and its events."""
    folder = job(tmp_path_factory.mktemp("trained") / "job", epochCount=4)
    events, status = run(folder)
    assert status == 0
    return folder, events


@real
def test_a_job_tells_its_steps_and_its_losses_fall(trained):
    folder, events = trained
    assert events[0] == {"event": "start", "totalSteps": 12, "completedSteps": 0}
    assert events[-1] == {"event": "done", "adapter": "adapter.gguf"}
    steps = [e for e in events if e["event"] == "step"]
    assert [e["step"] for e in steps] == list(range(1, 13))
    assert [e["epoch"] for e in steps] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", e["computeTime"])
               for e in steps)
    assert sum(e["meanLoss"] for e in steps[-3:]) < 0.7 * sum(e["meanLoss"] for e in steps[:3])
    assert (folder / "adapter.gguf").stat().st_size > 1_000_000
    assert not (folder / "checkpoint").exists()


@real
def test_the_number_of_steps_is_examples_times_epochs_by_batch_size(tmp_path):
    events, _ = run(job(tmp_path / "job", epochCount=1, batchSize=4))
    assert events[0]["totalSteps"] == 2
    assert len(losses(events)) == 2


@real
def test_killed_and_started_again_the_adapter_is_the_same_to_the_byte(tmp_path):
    whole = job(tmp_path / "whole", checkpointSeconds=0)
    events, status = run(whole)
    assert status == 0
    cut = job(tmp_path / "cut", checkpointSeconds=0)
    with start(cut) as child:
        for line in child.stdout:
            if json.loads(line).get("step") == 3:
                os.kill(child.pid, signal.SIGKILL)
    assert (cut / "checkpoint").exists()
    again, status = run(cut)
    assert status == 0
    assert again[0]["completedSteps"] >= 3
    assert losses(again) == {s: x for s, x in losses(events).items()
                             if s > again[0]["completedSteps"]}
    assert (cut / "adapter.gguf").read_bytes() == (whole / "adapter.gguf").read_bytes()
    # Once done, it is done however often it is started.
    done, status = run(cut)
    assert status == 0 and [e["event"] for e in done] == ["start", "done"]


@real
def test_a_checkpoint_of_another_job_is_refused(tmp_path):
    folder = job(tmp_path / "job", checkpointSeconds=0)
    with start(folder) as child:
        for line in child.stdout:
            if json.loads(line).get("step") == 1:
                os.kill(child.pid, signal.SIGKILL)
    job(folder, checkpointSeconds=0, seed=4)
    events, status = run(folder)
    assert status == 1
    assert "checkpoint of another job" in events[-1]["message"]


@real
def test_sigterm_ends_a_job_within_a_second(tmp_path):
    with start(job(tmp_path / "job", epochCount=500)) as child:
        child.stdout.readline()
        began = time.monotonic()
        child.terminate()
        child.wait(5 * PATIENCE)
        assert time.monotonic() - began < 1 * PATIENCE


@real
def test_an_adapter_can_be_trained_further(tmp_path, trained):
    first, before = trained
    further = job(tmp_path / "further", adapter=str(first / "adapter.gguf"), rank=8, epochCount=1)
    after, status = run(further)
    assert status == 0
    assert losses(after)[1] < 0.7 * losses(before)[1]
    # its own rank and size, not the job's
    assert abs((further / "adapter.gguf").stat().st_size - (first / "adapter.gguf").stat().st_size) < 64


WRONG = [
    ("", {}, "there are no examples"),
    ("\n \n", {}, "there are no examples"),
    (lines([("1", "2"), ("3", "")]), {}, "examples[1].output is empty"),
    (lines([("", "2")]), {}, "examples[0].textInput is empty"),
    ('{"textInput": "1"}\n', {}, "examples[0].output is empty or not there"),
    ("not json\n", {}, "examples[0]"),
    (None, {"base": "/nonexistent.gguf"}, "cannot read the model file /nonexistent.gguf"),
    (None, {"base": "/etc/passwd"}, "not a model that can be loaded"),
    (None, {"epochCount": 0}, "epoch_count"),
    (None, {"rank": 1000}, "rank"),
    (None, {"learningRate": -1}, "learning_rate"),
    (None, {"rrank": 1}, "rrank"),
    (None, {"adapter": "/etc/passwd"}, "the adapter /etc/passwd cannot be read"),
    (lines([("1", "2"), ("word " * 3000, "3")]), {}, "examples[1] has"),
]


@real
@pytest.mark.parametrize("examples, more, words", WRONG, ids=[w[2][:30] for w in WRONG])
def test_what_is_wrong_is_said(tmp_path, examples, more, words):
    events, status = run(job(tmp_path / "job", examples, **more))
    assert status == 1
    assert [e["event"] for e in events] == ["error"]
    assert events[0]["status"] == "INVALID_ARGUMENT"
    assert words in events[0]["message"]


@real
def test_more_examples_than_can_be_trained_on_are_refused(tmp_path):
    events, status = run(job(tmp_path / "job", lines([("1", "2")]) * 100_001))
    assert status == 1
    assert "more than 100000 examples" in events[0]["message"]


@real
def test_a_full_disk_is_told(tmp_path):
    """/dev/full for a disk: what is written to it does not fit."""
    folder = job(tmp_path / "job", checkpointSeconds=0)
    (folder / "checkpoint.new").symlink_to("/dev/full")
    events, status = run(folder)
    assert status == 1
    assert events[-1]["status"] == "RESOURCE_EXHAUSTED"
    assert "no room on the disk" in events[-1]["message"]


# ---- pollux tune ----

def tune(tmp_path, *args, timeout=80):
    return subprocess.run([str(BINARY), "tune", *map(str, args)], capture_output=True, text=True,
                          cwd=tmp_path, env=environment(), timeout=timeout * PATIENCE)


@real
@pytest.mark.parametrize("name, text", [  # the other forms: src/cli/tune_data_test.c
    ("data.json", json.dumps([{"text_input": i, "output": o} for i, o in PAIRS[:4]])),
    ("data.csv", "id,output,text_input\n" + "".join(f'{i},"{o}",{i}\n' for i, o in PAIRS[:4])),
])
def test_tune_trains_on_tables_and_lines(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = tune(tmp_path, name, "--base", TINY, "--epochs", 1, "--rank", 2, "-o", "x.gguf")
    assert done.returncode == 0, done.stderr
    assert "4 examples" in done.stdout
    assert re.search(r"epoch 1: mean loss \d+\.\d\d", done.stdout)
    assert "loss, steps 1 to 1" in done.stdout and "x.gguf is trained" in done.stdout
    assert (tmp_path / "x.gguf").read_bytes()[:4] == b"GGUF"
    assert not (tmp_path / "x.gguf.work").exists()


@pytest.mark.parametrize("name, text, words", [
    ("a.csv", 'in,"out\n', "a quote is opened and never closed"),
    ("a.csv", "only\n", "line 1 has 1 columns"),
    ("a.jsonl", "", "has no examples"),
    ("a.json", '{"textInput": "1"}', "it is not a list of examples"),
    ("a.jsonl", b"\xff\n", "not UTF-8"),
])
def test_tune_says_what_is_wrong_with_the_data(tmp_path, name, text, words):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    base = tmp_path / "base.gguf"
    base.write_bytes(b"GGUF")
    done = tune(tmp_path, name, "--base", base)
    assert done.returncode == 1
    assert words in done.stderr


def test_tune_wants_one_file(tmp_path):
    done = tune(tmp_path)
    assert done.returncode == 2 and "one file of examples" in done.stderr


@real
def test_an_interrupted_tune_goes_on(tmp_path):
    (tmp_path / "data.jsonl").write_text(lines())
    args = [str(BINARY), "tune", "data.jsonl", "--base", str(TINY), "--epochs", "40", "-o", "x.gguf"]
    with subprocess.Popen(args, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True) as child:
        while "epoch 1" not in child.stdout.readline():
            pass
        os.killpg(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=20 * PATIENCE)
    assert child.returncode == 130
    assert "the same command goes on" in said
    assert (tmp_path / "x.gguf.work/job.json").exists()
