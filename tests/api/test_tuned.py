"""Tuned models: the resource, its trainings, operations and permissions, on a stand-in trainer
(tests/trainer.py) and the scripted engine."""

import json
import os
import re
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pollux import PATIENCE, ROOT, SCRIPT, Server, until

TRAINER = {"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}
PATH = "/v1beta/tunedModels"
PAIRS = [("1", "2"), ("2", "3"), ("seven", "eight")]
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture
def tuner(on_folder):
    """Starts servers with the stand-in on one data folder, one after the other."""
    return lambda *args: on_folder(*args, env=TRAINER)


@pytest.fixture(scope="module")
def server():
    with Server("--script", SCRIPT, env=TRAINER) as s:
        yield s


def body(pairs=PAIRS, hyper=None, **more):
    return {"baseModel": "models/gemini-1.5-flash-001-tuning", "tuningTask": {
        "trainingData": {"examples": {"examples": [{"textInput": i, "output": o} for i, o in pairs]}},
        "hyperparameters": hyper or {}}, **more}


def create(server, pairs=PAIRS, id=None, hyper=None, headers=None, **more):
    answer = server.post(PATH + (f"?tunedModelId={id}" if id else ""), body(pairs, hyper, **more), headers=headers)
    assert answer.status == 200, answer
    return answer.json


def wait(server, operation, headers=None):
    """Until the operation is done."""
    answer = server.post(f"/v1beta/{operation['name']}:wait", {"timeout": "60s"}, timeout=70, headers=headers)
    assert answer.status == 200 and answer.json["done"] is True, answer
    return answer.json


def made(server, **more):
    """A model that is ACTIVE."""
    return wait(server, create(server, **more), more.get("headers"))["response"]


def refused(answer, status, name, *words):
    assert answer.status == status and answer.error["status"] == name, answer
    for word in words:
        assert word in answer.text, answer
    return True


def folders(tmp_path):
    return sorted((tmp_path / "data" / "tuned").iterdir())


# ---- from the first call to the model ----


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_from_create_to_answer(server, version):
    """proves: U001 U002 U006 U023 U024 U025 U026 U027 U030 U032-U051 U054 U055 U065 U066 U083 H002 G003"""
    id = f"increment-{version}"
    answer = server.post(f"/{version}/tunedModels?tunedModelId={id}", body(
        hyper={"epochCount": 4, "batchSize": 2, "learningRate": 0.002}, displayName="Increment", description="Adds one",
        temperature=0.5, topP=0.9, topK=5))
    assert answer.status == 200
    operation = answer.json
    assert re.fullmatch(rf"tunedModels/{id}/operations/[a-z0-9]+", operation["name"])
    assert "done" not in operation and "error" not in operation and "response" not in operation
    metadata = operation["metadata"]
    assert metadata["@type"] == "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata"
    assert metadata["tunedModel"] == f"tunedModels/{id}" and metadata["totalSteps"] == 6
    assert metadata["completedSteps"] == 0 and metadata["completedPercent"] == 0
    done = wait(server, operation)
    assert server.get(f"/{version}/{operation['name']}").json == done and "error" not in done
    assert done["metadata"]["completedSteps"] == 6 and done["metadata"]["completedPercent"] == 100
    assert [s["step"] for s in done["metadata"]["snapshots"]] == [1, 2, 3, 4, 5, 6]
    response = done["response"]
    assert response.pop("@type") == "type.googleapis.com/google.ai.generativelanguage.v1beta.TunedModel"
    model = server.get(f"/{version}/tunedModels/{id}").json
    assert model == response
    task = model["tuningTask"]
    assert model["state"] == "ACTIVE" and model["displayName"] == "Increment" and model["description"] == "Adds one"
    assert model["baseModel"] == "models/gemini-1.5-flash-001-tuning" and "tunedModelSource" not in model
    assert (model["temperature"], model["topP"], model["topK"]) == (0.5, 0.9, 5)
    assert task["hyperparameters"] == {"learningRate": 0.002, "epochCount": 4, "batchSize": 2}
    assert "trainingData" not in task
    times = [model["createTime"], task["startTime"], task["completeTime"], model["updateTime"]]
    assert all(map(TIME.match, times)) and model["createTime"] <= task["startTime"] <= task["completeTime"]
    losses = [s["meanLoss"] for s in task["snapshots"]]
    assert losses == sorted(losses, reverse=True) and losses[0] == pytest.approx(1.8)
    assert [s["epoch"] for s in task["snapshots"]] == [1, 2, 2, 3, 4, 4]
    assert all(TIME.match(s["computeTime"]) for s in task["snapshots"])
    said = server.post(f"/{version}/tunedModels/{id}:generateContent", {"contents": [{"parts": [{"text": "Say hello"}]}]})
    assert said.status == 200 and said.said == "Hello there."
    assert said.json["modelVersion"] == f"tunedModels/{id}"


def test_stream_count_and_colons(server):
    """proves: G004"""
    made(server, id="streamed")
    ask = {"contents": [{"parts": [{"text": "Say hello"}]}], "model": "tunedModels/streamed"}
    for colon in (":", "%3A"):
        assert server.post(f"{PATH}/streamed{colon}streamGenerateContent?alt=sse", ask).said == "Hello there."
        assert server.post(f"{PATH}/streamed{colon}streamGenerateContent", ask).said == "Hello there."
        assert server.post(f"{PATH}/streamed{colon}countTokens", {"contents": ask["contents"]}).json["totalTokens"] > 0
    refused(server.post(f"{PATH}/streamed:generateContent", {**ask, "model": "tunedModels/other"}), 400,
            "INVALID_ARGUMENT", "tunedModels/other", "tunedModels/streamed")
    refused(server.post(f"{PATH}/streamed:streamGenerateContent?alt=xml", ask), 400, "INVALID_ARGUMENT")


def test_everything_that_works_on_a_base_model_works(server):
    made(server, id="able")
    tools = [{"functionDeclarations": [{"name": "get_tide", "parameters": {
        "type": "OBJECT", "properties": {"harbour": {"type": "STRING"}}}}]}]
    ask = {"contents": [{"parts": [{"text": "How high is the tide in Bergen at 9?"}]}], "tools": tools}
    parts = server.post(f"{PATH}/able:generateContent", ask).json["candidates"][0]["content"]["parts"]
    assert parts[0]["functionCall"]["name"] == "get_tide"
    ask = {"contents": [{"parts": [{"text": "List popular cookie recipes"}]}],
           "generationConfig": {"responseMimeType": "application/json", "candidateCount": 2}}
    assert json.loads(server.post(f"{PATH}/able:generateContent", ask).said)[0]["recipeName"] == "Snickerdoodle"
    ask = {"contents": [{"parts": [{"text": "hi"}]}], "systemInstruction": {"parts": [{"text": "Your name is Neko"}]}}
    assert server.post(f"{PATH}/able:generateContent", ask).said == "Meow."


def test_a_script_can_tell_tuned_models_apart(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": [{"match": {"model": "tunedModels/mine"}, "text": "tuned"}],
                                  "default": {"text": "base"}}))
    with Server("--script", script, env=TRAINER) as s:
        made(s, id="mine")
        ask = {"contents": [{"parts": [{"text": "hi"}]}]}
        assert s.post(f"{PATH}/mine:generateContent", ask).said == "tuned"
        assert s.generate("hi").said == "base"


# ---- names ----


def test_ids(server):
    """proves: U002 U003 U004 U005"""
    operation = create(server, displayName="Sentence Translator!")
    assert re.match(r"tunedModels/sentence-translator-[a-z][a-z0-9]{4}/operations/", operation["name"])
    operation = create(server, displayName="3 Körper")
    assert re.match(r"tunedModels/k-rper-[a-z0-9]{5}/operations/", operation["name"])
    assert re.match(r"tunedModels/[a-z][a-z0-9]{10}/operations/", create(server)["name"])
    name = create(server, displayName="x" * 40)["name"].split("/")[1]
    assert len(name) == 40
    for id in ("a", "a" * 40, "a-1", "x9"):
        create(server, id=id)
    refused(server.post(f"{PATH}?tunedModelId=a", body()), 409, "ALREADY_EXISTS", "tunedModels/a")
    for id in ("A", "1a", "a-", "-a", "a" * 41, "a_b", "a.b", "%C3%A4"):
        refused(server.post(f"{PATH}?tunedModelId={id}", body()), 400, "INVALID_ARGUMENT", "tuned_model_id")


# ---- what is refused ----

BAD = {
    "no-source": ({"baseModel": None}, "base_model"),
    "both-sources": ({"tunedModelSource": {"tunedModel": "tunedModels/x"}}, "union"),
    "unknown-base": ({"baseModel": "models/nobody"}, "models/nobody"),
    "no-task": ({"tuningTask": None}, "tuning_task"),
    "no-data": ({"tuningTask": {}}, "training_data"),
    "google-genai-leaves-them-out": ({"tuningTask": {"hyperparameters": {"epochCount": 1}}}, "google-genai"),
    "no-examples": ({"tuningTask": {"trainingData": {"examples": {"examples": []}}}}, "training_data"),
    "long-name": ({"displayName": "x" * 41}, "display_name"),
    "hot": ({"temperature": 1.5}, "temperature"),
    "top-p": ({"topP": -0.1}, "top_p"),
    "top-k": ({"topK": 0}, "top_k"),
    "unknown-field": ({"colour": "red"}, "colour"),
    "source-name": ({"baseModel": None, "tunedModelSource": {"tunedModel": "files/x"}}, "tuned_model_source"),
    "pairs-of-talk": ({"tuningTask": {"trainingData": {"examples": {"multiturnExamples": [{"examples": []}]}}}}, "not supported"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_models(server, name):
    """proves: U033 U042 U052 U056 U063 U064 U071"""
    change, word = BAD[name]
    wish = {k: v for k, v in {**body(), **change}.items() if v is not None}
    answer = server.post(PATH, wish)
    assert answer.status in (400, 404) and word in answer.text, answer


def with_examples(examples):
    return {**body(), "tuningTask": {"trainingData": {"examples": {"examples": examples}}}}


@pytest.mark.parametrize("example,field", [
    ({"textInput": "", "output": "b"}, "text_input"), ({"textInput": "a", "output": " \n"}, "output"),
    ({"textInput": "a"}, "output"), ({"output": "a"}, "text_input"), ({}, "text_input"),
    ({"textInput": 1, "output": "b"}, "text_input"), ({"textInput": "a", "output": "b" * 5001}, "output"),
    ({"textInput": "a" * 40001, "output": "b"}, "text_input"), ({"text": "a", "output": "b"}, "text")])
def test_bad_examples_are_named(server, example, field):
    """proves: U056 U057"""
    answer = server.post(PATH, with_examples([{"textInput": "a", "output": "b"}, example]))
    assert answer.status == 400 and "[1]" in answer.text and field in answer.text, answer


def test_examples_in_snake_case(server):
    """proves: U073"""
    answer = server.post(PATH, {"base_model": "models/gemini-pro", "tuning_task": {"training_data": {"examples": {
        "examples": [{"text_input": "1", "output": "2"}]}}}})
    assert answer.status == 200
    assert wait(server, answer.json)["response"]["baseModel"] == "models/gemini-pro"


def test_examples_that_are_too_long_for_the_trainer(server):
    """proves: U056; at once, and not as a training that fails"""
    def answer(n):
        return server.post(PATH, with_examples([{"textInput": "short", "output": "b"}, {"textInput": "word " * n, "output": "b c d"}]))

    refused(answer(3000), 400, "INVALID_ARGUMENT", "examples[1]", "Example 2", "2048")
    tokens = int(re.search(r"has (\d+) tokens", answer(3000).text)[1])
    fits = 3000 - (tokens - 2048)
    assert answer(fits).status == 200
    refused(answer(fits + 1), 400, "INVALID_ARGUMENT", "has 2049 tokens")
    refused(server.post(PATH, with_examples([{"textInput": "a", "output": "x " * 2400}])), 400, "INVALID_ARGUMENT", "examples[0]", "Example 1")


def test_a_hundred_thousand_examples(server):
    answer = server.post(PATH, with_examples([{"textInput": "a", "output": "b"}] * 100_000), timeout=60)
    refused(answer, 400, "INVALID_ARGUMENT", "100000", "20000")


@pytest.mark.parametrize("hyper,word", [
    ({"learningRate": 0.1, "learningRateMultiplier": 1}, "learning_rate_multiplier"), ({"learningRate": 0}, "learning_rate"),
    ({"learningRate": -1}, "learning_rate"), ({"learningRate": 2}, "learning_rate"), ({"epochCount": 0}, "epoch_count"),
    ({"epochCount": 1.5}, "epoch_count"), ({"batchSize": 0}, "batch_size"), ({"batchSize": "many"}, "batch_size"),
    ({"learningRateMultiplier": -1}, "learning_rate"), ({"rank": 8}, "rank")])
def test_bad_hyperparameters(server, hyper, word):
    """proves: U060"""
    answer = server.post(PATH, body(hyper=hyper))
    assert answer.status == 400 and word in answer.text, answer


def test_default_hyperparameters(server):
    """proves: U043 U044 U058 U059 U061 U062"""
    few = made(server)
    assert few["tuningTask"]["hyperparameters"] == {"learningRate": 0.001, "epochCount": 5, "batchSize": 4}
    base = server.get("/v1beta/models/default").json
    assert (few["topP"], few["topK"]) == (base["topP"], base["topK"])
    many = made(server, pairs=[("a", "b")] * 1000, hyper={"epochCount": 1})
    assert many["tuningTask"]["hyperparameters"] == {"learningRate": 0.0002, "epochCount": 1, "batchSize": 16}
    half = made(server, hyper={"learningRateMultiplier": 0.5})
    assert half["tuningTask"]["hyperparameters"] == {"learningRateMultiplier": 0.5, "epochCount": 5, "batchSize": 4}


def test_what_is_not_there(server):
    for path in ("", "/operations", "/operations/x", "/permissions", "/permissions/x"):
        refused(server.get(f"{PATH}/none{path}"), 404, "NOT_FOUND")
    for verb in (":generateContent", ":streamGenerateContent", ":countTokens"):
        refused(server.post(f"{PATH}/none{verb}", {"contents": [{"parts": [{"text": "a"}]}]}), 404, "NOT_FOUND")
    for verb in (":cancel", "/operations/x:cancel", "/operations/x:wait"):
        refused(server.post(f"{PATH}/none{verb}", b""), 404, "NOT_FOUND")
    refused(server.call("PATCH", f"{PATH}/none", {"description": "x"}), 404, "NOT_FOUND")
    refused(server.call("DELETE", f"{PATH}/none"), 404, "NOT_FOUND")
    refused(server.post(f"{PATH}/none:transferOwnership", {"emailAddress": "a@b.c"}), 404, "NOT_FOUND")
    refused(server.call("PUT", f"{PATH}/none"), 405, "UNIMPLEMENTED")


# ---- list ----


def names(answer):
    assert answer.status == 200, answer
    return [m["name"].split("/")[1] for m in answer.json.get("tunedModels", [])]


def test_lists(tuner):
    """proves: U007 U008 U009 U010 U011 U012 U013 U014 U015 U016 U017 U076"""
    server = tuner("--tuning-jobs", 0)
    assert server.get(PATH).json == {}
    for i in range(12):
        create(server, id=f"m{i}", displayName=f"Translator {i}" if i % 2 else f"Poet {i}",
               description="writes French" if i < 3 else None)
    newest = [f"m{i}" for i in reversed(range(12))]
    first = server.get(PATH)
    assert names(first) == newest[:10]
    rest = server.get(f"{PATH}?pageToken={first.json['nextPageToken']}")
    assert names(rest) == newest[10:] and "nextPageToken" not in rest.json
    assert names(server.get(f"{PATH}?pageSize=2000")) == newest
    assert names(server.get(f"{PATH}?pageSize=12")) == newest
    assert "nextPageToken" not in server.get(f"{PATH}?pageSize=12").json
    assert names(server.get(f"{PATH}?filter=poet&pageSize=50")) == [m for m in newest if int(m[1:]) % 2 == 0]
    assert names(server.get(f"{PATH}?filter=french%20poet")) == ["m2", "m0"]
    assert names(server.get(f"{PATH}?filter=%22writes%20French%22")) == ["m2", "m1", "m0"]
    for role in ("owner:me", "writers:me", "readers:me", "owner:%20me"):
        assert names(server.get(f"{PATH}?filter={role}&pageSize=50")) == newest
    assert names(server.get(f"{PATH}?filter=readers:everyone")) == []
    answer = server.post(f"{PATH}/m5/permissions", {"granteeType": "EVERYONE", "role": "READER"})
    assert answer.status == 200
    assert names(server.get(f"{PATH}?filter=readers:everyone")) == ["m5"]
    assert names(server.get(f"{PATH}?pageSize=50")) == [m for m in newest if m != "m5"]
    assert names(server.get(f"{PATH}?filter=owner:me&pageSize=50")) == newest
    token = server.get(f"{PATH}?pageSize=1&filter=owner:me").json["nextPageToken"]
    refused(server.get(f"{PATH}?pageToken={token}"), 400, "INVALID_ARGUMENT", "page_token")
    for query in ("pageSize=-1", "pageSize=x", "pageToken=x", "pageToken=9-9-9", "filter=owner:you", "filter=writers:"):
        refused(server.get(f"{PATH}?{query}"), 400, "INVALID_ARGUMENT")


def test_lists_tell_of_losses(tuner):
    """proves: U007 U051 U083"""
    server = tuner()
    model = made(server, id="short")
    made(server, id="long", pairs=[("a", "b")] * 2, hyper={"epochCount": 700, "batchSize": 1})
    listed = {m["name"]: m for m in server.get(PATH).json["tunedModels"]}
    assert listed["tunedModels/short"] == server.get(f"{PATH}/short").json == {k: v for k, v in model.items() if k != "@type"}
    steps = [s["step"] for s in listed["tunedModels/long"]["tuningTask"]["snapshots"]]
    assert len(steps) == 700 and steps[-1] == 1400 and len(set(b - a for a, b in zip(steps, steps[1:]))) == 1
    # A long page has fewer of each, with the last one among them.
    for i in range(40):
        create(server, id=f"more-{i}", hyper={"epochCount": 1})
    listed = {m["name"]: m for m in server.get(f"{PATH}?pageSize=1000").json["tunedModels"]}
    fewer = [s["step"] for s in listed["tunedModels/long"]["tuningTask"]["snapshots"]]
    assert 100 < len(fewer) < 700 and fewer[-1] == 1400 and set(fewer) < set(steps)
    operations = server.get(f"{PATH}/short/operations").json["operations"]
    assert operations == [server.get(f"/v1beta/{operations[0]['name']}").json] and operations[0]["response"]["state"] == "ACTIVE"
    refused(server.get(f"{PATH}/short/operations?pageToken=x"), 400, "INVALID_ARGUMENT", "page_token")


# ---- patch and delete ----


def test_patches(server):
    """proves: U018 U019 U020 U021 U041 U053 U081 J033"""
    before = made(server, id="patched", displayName="a", description="b", temperature=0.4)
    path = f"{PATH}/patched"
    after = server.call("PATCH", f"{path}?updateMask=displayName,top_k", {"displayName": "c", "topK": 7, "description": "no"})
    assert after.status == 200
    assert (after.json["displayName"], after.json["description"], after.json["topK"]) == ("c", "b", 7)
    assert after.json["updateTime"] > before["updateTime"] and after.json["createTime"] == before["createTime"]
    whole = {**after.json, "state": 2, "description": "new", "displayName": "not this"}
    del whole["name"]
    after = server.call("PATCH", f"{path}?updateMask=description", whole).json
    assert (after["displayName"], after["description"]) == ("c", "new")
    after = server.call("PATCH", path, {"displayName": "n", "temperature": 0.1}).json
    assert (after["displayName"], after["description"], after["temperature"]) == ("n", "new", 0.1)
    after = server.call("PATCH", f"{path}?updateMask=*", {"description": "all", "readerProjectNumbers": ["12", 34]}).json
    assert "displayName" not in after and after["description"] == "all" and after["readerProjectNumbers"] == ["12", "34"]
    assert server.get(path).json == after
    for mask in ("baseModel", "tuningTask", "name", "state", "tuning_task.hyperparameters", "x", "description,,"):
        refused(server.call("PATCH", f"{path}?updateMask={mask}", {"description": "x"}), 400, "INVALID_ARGUMENT", "update_mask")
    refused(server.call("PATCH", path, {"temperature": 3}), 400, "INVALID_ARGUMENT", "temperature")


def test_two_patches_at_once_both_count(server):
    made(server, id="twice")
    for i in range(15):
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda change: server.call("PATCH", f"{PATH}/twice", change),
                                 ({"displayName": f"name {i}"}, {"topK": i + 1})))
        assert [a.status for a in done] == [200, 200]
        model = server.get(f"{PATH}/twice").json
        assert (model["displayName"], model["topK"]) == (f"name {i}", i + 1)


def test_delete(tuner, tmp_path):
    """proves: U022"""
    server = tuner()
    operation = create(server, id="gone")
    wait(server, operation)
    assert server.call("DELETE", f"{PATH}/gone").json == {}
    refused(server.get(f"{PATH}/gone"), 404, "NOT_FOUND")
    refused(server.get(f"/v1beta/{operation['name']}"), 404, "NOT_FOUND")
    refused(server.post(f"{PATH}/gone:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}), 404, "NOT_FOUND")
    assert folders(tmp_path) == []
    made(server, id="gone")


def trainer_pid(tmp_path):
    found = [f / "checkpoint.json" for f in folders(tmp_path)]
    found = [json.loads(f.read_text())["pid"] for f in found if f.exists()]
    return found[0] if found else None


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("first", ["!ms 50", "!stubborn"])
def test_delete_while_training_cancels(tuner, tmp_path, first):
    """proves: U022"""
    server = tuner()
    operation = create(server, id="doomed", pairs=[(first, "x"), ("!ms 50", "y")], hyper={"epochCount": 500})
    until(lambda: trainer_pid(tmp_path), "no checkpoint")
    pid = trainer_pid(tmp_path)
    assert server.call("DELETE", f"{PATH}/doomed").status == 200
    done = server.get(f"/v1beta/{operation['name']}").json
    assert done["done"] and done["error"]["code"] == 1 and "response" not in done
    until(lambda: not is_alive(pid), "the trainer lives on")
    until(lambda: folders(tmp_path) == [], "its folder stays")
    made(server, id="doomed")


# ---- operations ----


def test_cancel(tuner, tmp_path):
    """proves: U028 U029 U031 U068 U069 U070 E019"""
    server = tuner()
    pairs = [("!ms 30", "x")]
    running = create(server, id="runs", pairs=pairs, hyper={"epochCount": 900, "batchSize": 1})
    queued = create(server, id="waits", pairs=pairs)
    until(lambda: server.get(f"/v1beta/{running['name']}").json["metadata"]["completedSteps"] > 0, "it does not begin")
    now = server.get(f"/v1beta/{running['name']}").json
    assert "done" not in now and 0 < now["metadata"]["completedPercent"] < 100
    assert server.get(f"{PATH}/runs").json["state"] == "CREATING"
    assert server.get(f"{PATH}/waits").json["state"] == "CREATING"
    refused(server.post(f"{PATH}/runs:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}), 400,
            "FAILED_PRECONDITION", "CREATING")
    assert server.post(f"/v1beta/{queued['name']}:cancel", b"").json == {}
    assert server.post("/v1/tunedModels/runs:cancel", b"").json == {}
    for operation in (running, queued):
        done = wait(server, operation)
        assert done["error"] == {"code": 1, "message": "The tuning was cancelled."} and "response" not in done
        assert server.post(f"/v1beta/{operation['name']}:cancel", b"").json == {}  # again: nothing happens
    assert server.get(f"{PATH}/runs").json["state"] == "FAILED"
    listed = server.get(f"{PATH}/runs/operations").json["operations"]
    assert [o["name"] for o in listed] == [running["name"]] and listed[0]["done"]
    until(lambda: all(not (f / "examples.jsonl").exists() for f in folders(tmp_path)), "training data stays")
    made(server, id="next")


def test_wait_has_a_timeout(tuner):
    server = tuner("--tuning-jobs", 0)
    operation = create(server)
    began = time.monotonic()
    answer = server.post(f"/v1beta/{operation['name']}:wait", {"timeout": "0.3s"})
    assert answer.status == 200 and "done" not in answer.json and 0.25 < time.monotonic() - began < 5 * PATIENCE


def test_one_at_a_time(tuner):
    server = tuner()
    operations = [create(server, pairs=[("!ms 20", "x")], hyper={"epochCount": 10, "batchSize": 1}) for _ in range(3)]
    models = [wait(server, o)["response"]["tuningTask"] for o in operations]
    assert models[0]["completeTime"] <= models[1]["startTime"] and models[1]["completeTime"] <= models[2]["startTime"]


def test_two_at_a_time(tuner):
    server = tuner("--tuning-jobs", 2)
    operations = [create(server, pairs=[("!ms 50", "x")], hyper={"epochCount": 20, "batchSize": 1}) for _ in range(2)]
    models = [wait(server, o)["response"]["tuningTask"] for o in operations]
    assert models[1]["startTime"] < models[0]["completeTime"]


def test_training_has_the_lowest_priority(tuner, tmp_path):
    server = tuner()
    made(server)
    assert json.loads((folders(tmp_path)[0] / "adapter.gguf").read_text())["nice"] == 19
    until(lambda: sorted(f.name for f in folders(tmp_path)[0].iterdir()) == ["adapter.gguf", "log"], "more stays")


# ---- when things go wrong ----


def test_the_trainer_is_killed_and_goes_on(tuner):
    """proves: U054"""
    server = tuner()
    done = wait(server, create(server, pairs=[("!die 3", "x"), ("a", "b")], hyper={"batchSize": 1, "epochCount": 3}))
    assert [s["step"] for s in done["metadata"]["snapshots"]] == [1, 2, 3, 4, 5, 6]
    assert done["response"]["state"] == "ACTIVE"
    assert "step=2 try=1" in server.log


@pytest.mark.parametrize("first,code,words", [
    pytest.param("!die-always 2", 8, "too little memory", marks=pytest.mark.soak), ("!oom", 8, "too little memory"), ("!exit 7", 13, "it would not go"),
    ("!error RESOURCE_EXHAUSTED The disk is full: make room.", 8, "make room"),
    ("!error INVALID_ARGUMENT Example 7 has 5000 tokens.", 3, "Example 7"), ("!error STRANGE", 13, "said nothing")])
def test_a_training_fails(tuner, tmp_path, first, code, words):
    """proves: U048 U031"""
    server = tuner()
    operation = create(server, id="bad", pairs=[(first, "x")])
    done = wait(server, operation)
    assert done["error"]["code"] == code and words in done["error"]["message"], done
    assert server.get(f"{PATH}/bad").json["state"] == "FAILED"
    refused(server.post(f"{PATH}/bad:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}), 400,
            "FAILED_PRECONDITION", "FAILED", words)
    until(lambda: all(f.name == "log" for folder in folders(tmp_path) for f in folder.iterdir()), "something stays")
    made(server)  # the next one is not held up


def children(server):
    return [int(p) for task in Path(f"/proc/{server.process.pid}/task").iterdir() for p in (task / "children").read_text().split()]


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_nothing_leaks(tuner, tmp_path):
    """Whatever becomes of trainings: no process, no descriptor, no folder stays."""
    server = tuner()
    made(server, id="first")
    server.call("DELETE", f"{PATH}/first")
    before = server.n_fds
    for i, first in enumerate(("!exit 7", "!oom", "!die-always 1", "!error INTERNAL x", "!ms 40", "!stubborn", "fine")):
        operation = create(server, id=f"m{i}", pairs=[(first, "x"), ("!ms 5", "y")], hyper={"epochCount": 500 if "m" in first else 2, "batchSize": 1})
        if first == "!ms 40":
            until(lambda: server.get(f"/v1beta/{operation['name']}").json["metadata"]["completedSteps"] > 0, "no steps")
            server.post(f"/v1beta/{operation['name']}:cancel", b"")
        elif first == "!stubborn":
            until(lambda: trainer_pid(tmp_path), "no checkpoint")
        else:
            wait(server, operation)
        assert server.call("DELETE", f"{PATH}/m{i}").json == {}
    for bad in ({}, with_examples([{"textInput": "a", "output": ""}])):
        assert server.post(PATH, bad).status == 400
    until(lambda: children(server) == [], f"children: {children(server)}")
    until(lambda: folders(tmp_path) == [], f"folders: {folders(tmp_path)}")
    until(lambda: server.n_fds <= before, f"{server.n_fds} descriptors, {before} before")
    assert server.get(PATH).json == {}


def test_lines_that_are_no_events(tuner):
    server = tuner()
    made(server, pairs=[("!noise", "x")])
    assert "nothing of importance" in server.log


def test_the_server_is_killed_and_the_training_goes_on(tuner, tmp_path):
    server = tuner()
    operation = create(server, id="long", pairs=[("!ms 40", "x")], hyper={"epochCount": 60, "batchSize": 1})
    waiting = create(server, id="waiting")
    until(lambda: server.get(f"/v1beta/{operation['name']}").json["metadata"]["completedSteps"] >= 5, "no steps")
    pid = trainer_pid(tmp_path)
    server.crash()
    server = tuner()
    model = server.get(f"{PATH}/long").json
    assert model["state"] == "CREATING" and len(model["tuningTask"]["snapshots"]) >= 5
    done = wait(server, operation)
    assert done["response"]["state"] == "ACTIVE" and trainer_pid(tmp_path) != pid and not is_alive(pid)
    steps = [s["step"] for s in done["metadata"]["snapshots"]]
    # One that was told and not written yet when the server died may be behind the checkpoint.
    assert steps == sorted(set(steps)) and steps[-1] == 60 and len(steps) >= 58, steps
    assert wait(server, waiting)["response"]["state"] == "ACTIVE"


def test_the_server_is_stopped_and_the_training_goes_on(tuner):
    server = tuner()
    operation = create(server, pairs=[("!ms 40", "x")], hyper={"epochCount": 40, "batchSize": 1})
    until(lambda: server.get(f"/v1beta/{operation['name']}").json["metadata"]["completedSteps"] >= 3, "no steps")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5 * PATIENCE
    server = tuner()
    assert len(wait(server, operation)["metadata"]["snapshots"]) == 40


def test_what_was_acknowledged_survives_a_kill(tuner):
    server = tuner("--tuning-jobs", 0)
    operation = create(server, id="kept", displayName="Kept")
    grant = server.post(f"{PATH}/kept/permissions", {"granteeType": "USER", "emailAddress": "a@b.c", "role": "READER"}).json
    server.call("PATCH", f"{PATH}/kept", {"description": "changed"})
    server.crash()
    server = tuner()
    model = wait(server, operation)["response"]
    assert model["displayName"] == "Kept" and model["description"] == "changed" and model["state"] == "ACTIVE"
    assert server.get(f"/v1beta/{grant['name']}").json == grant


def test_folders_without_a_row_are_swept(tuner, tmp_path):
    server = tuner()
    made(server, id="stays")
    server.stop()
    left = tmp_path / "data" / "tuned" / "left"
    (left / "more").mkdir(parents=True)
    (left / "more" / "job.json").write_text("{}")
    server = tuner()
    assert len(folders(tmp_path)) == 1 and server.get(f"{PATH}/stays").json["state"] == "ACTIVE"


def test_a_lost_adapter(tuner, tmp_path):
    server = tuner()
    made(server, id="lost")
    (folders(tmp_path)[0] / "adapter.gguf").unlink()
    refused(server.post(f"{PATH}/lost:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}), 400,
            "FAILED_PRECONDITION", "adapter")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a small disk of its own")
def test_a_full_disk(tuner, tmp_path):
    (tmp_path / "data").mkdir()
    if os.system(f"mount -t tmpfs -o size=2m none {tmp_path / 'data'} 2>/dev/null"):
        pytest.skip("cannot mount")
    try:
        server = tuner("--tuning-jobs", 0)
        answer = server.post(PATH, body([("word " * 1500, "b")] * 400), timeout=60)
        refused(answer, 429, "RESOURCE_EXHAUSTED", "disk is full")
        assert names(server.get(PATH)) == []
        server.stop()
    finally:
        os.system(f"umount -l {tmp_path / 'data'}")


def test_a_script_alone_cannot_be_tuned():
    with Server("--script", SCRIPT) as s:
        refused(s.post(PATH, body()), 400, "FAILED_PRECONDITION", "script")


# ---- further ----


def test_a_tuned_model_is_tuned_further(tuner, tmp_path):
    """proves: U039 U040 U072"""
    server = tuner()
    made(server, id="first")
    wish = body(tunedModelSource={"tunedModel": "tunedModels/first", "baseModel": "models/whatever"})
    del wish["baseModel"]
    answer = server.post(f"{PATH}?tunedModelId=second", wish)
    assert answer.status == 200, answer
    model = wait(server, answer.json)["response"]
    assert model["tunedModelSource"] == {
        "tunedModel": "tunedModels/first", "baseModel": "models/gemini-1.5-flash-001-tuning"}
    assert "baseModel" not in model
    seen = [json.loads((f / "adapter.gguf").read_text())["from"] for f in folders(tmp_path)]
    assert sorted(bool(s) for s in seen) == [False, True] and next(filter(None, seen)).endswith("/from.gguf")
    server.call("DELETE", f"{PATH}/first")
    assert server.get(f"{PATH}/second").json["tunedModelSource"]["tunedModel"] == "tunedModels/first"
    refused(server.post(PATH, wish), 404, "NOT_FOUND", "tunedModels/first")
    create(server, id="slow", pairs=[("!ms 1000", "x")])
    wish["tunedModelSource"] = {"tunedModel": "tunedModels/slow"}
    refused(server.post(PATH, wish), 400, "FAILED_PRECONDITION", "not ACTIVE")


# ---- caches ----


def test_a_cache_of_a_tuned_model(tuner, tmp_path):
    """proves: C001 C005; a cache is of the tuned model, or of the base, never of both"""
    server = tuner()
    made(server, id="mine")
    made(server, id="other")
    text = "The transcript goes on and on, as transcripts do. " * 30

    def cache(model, **more):
        return server.post("/v1beta/cachedContents", {"model": model, "contents": [{"role": "user", "parts": [{"text": text}]}]}, **more)

    def use(cache, model, verb="generateContent"):
        return server.post(f"/v1beta/{model}:{verb}", {
            "contents": [{"role": "user", "parts": [{"text": "Say hello"}]}], "cachedContent": cache["name"]})

    made_of = {name: cache(name).json for name in ("tunedModels/mine", "tunedModels/other", "models/gemini-pro")}
    for name, one in made_of.items():
        assert one["model"] == name and one["usageMetadata"]["totalTokenCount"] > 250
        assert server.get(f"/v1beta/{one['name']}").json["model"] == name
        said = use(one, name)
        assert said.said == "Hello there." and said.json["usageMetadata"]["cachedContentTokenCount"] == one["usageMetadata"]["totalTokenCount"]
        assert use(one, name, "streamGenerateContent?alt=sse").said == "Hello there."
        assert use(one, name, "countTokens").status in (200, 400)
        for wrong in made_of:
            if wrong != name:
                refused(use(one, wrong), 400, "INVALID_ARGUMENT", name, wrong)
    refused(cache("tunedModels/none"), 404, "NOT_FOUND", "tunedModels/none")
    create(server, id="slow", pairs=[("!ms 1000", "x")])
    refused(cache("tunedModels/slow"), 400, "FAILED_PRECONDITION", "CREATING")
    # Made again, the model of that name is another one: its rows are computed anew, once.
    server.call("DELETE", f"{PATH}/mine")
    refused(use(made_of["tunedModels/mine"], "tunedModels/mine"), 404, "NOT_FOUND")
    server.post("/v1beta/tunedModels/slow:cancel", b"")
    made(server, id="mine")
    assert use(made_of["tunedModels/mine"], "tunedModels/mine").said == "Hello there."
    id = made_of["tunedModels/mine"]["name"].split("/")[1]
    until(lambda: server.log.count(f"id={id} rows=made") == 1, "its rows are not made")
    assert use(made_of["tunedModels/mine"], "tunedModels/mine").said == "Hello there."
    assert server.log.count(f"id={id} rows=made") == 1


def test_caches_obey_roles(tuner):
    server = tuner("--api-key", "alice", "--api-key", "bob")
    alice, bob = ({"x-goog-api-key": k} for k in ("alice", "bob"))
    made(server, id="hers", headers=alice)
    wish = {"model": "tunedModels/hers", "systemInstruction": {"parts": [{"text": "Be brief."}]}}
    refused(server.post("/v1beta/cachedContents", wish, headers=bob), 403, "PERMISSION_DENIED", "tunedModels/hers")
    assert server.post("/v1beta/cachedContents", wish, headers=alice).status == 200


# ---- permissions ----


def test_permissions(server):
    """proves: U074-U080"""
    made(server, id="shared")
    path = f"{PATH}/shared/permissions"
    owner = server.get(path).json["permissions"]
    assert len(owner) == 1 and owner[0]["role"] == "OWNER" and owner[0]["emailAddress"] == "owner@localhost"
    grant = server.post(path, {"granteeType": 1, "emailAddress": "a@example.com", "role": 3})
    assert grant.status == 200
    assert {k: v for k, v in grant.json.items() if k != "name"} == {
        "granteeType": "USER", "emailAddress": "a@example.com", "role": "READER"}
    assert server.get(f"/v1beta/{grant.json['name']}").json == grant.json
    refused(server.post(path, {"granteeType": "USER", "emailAddress": "a@example.com", "role": "WRITER"}), 409, "ALREADY_EXISTS")
    changed = server.call("PATCH", f"/v1beta/{grant.json['name']}?updateMask=role", {"role": "WRITER"})
    assert changed.json == {**grant.json, "role": "WRITER"}
    everyone = server.post(path, {"granteeType": "EVERYONE", "role": "READER"}).json
    assert "emailAddress" not in everyone
    group = server.post(path, {"granteeType": "GROUP", "emailAddress": "g@example.com", "role": "READER"}).json
    first = server.get(f"{path}?pageSize=3").json
    rest = server.get(f"{path}?pageSize=3&pageToken={first['nextPageToken']}").json
    assert first["permissions"] + rest["permissions"] == [group, everyone, changed.json, owner[0]]
    assert "nextPageToken" not in rest
    assert server.call("DELETE", f"/v1beta/{everyone['name']}").json == {}
    refused(server.get(f"/v1beta/{everyone['name']}"), 404, "NOT_FOUND")
    for bad in ({"role": "READER"}, {"granteeType": "USER", "role": "READER"}, {"granteeType": "USER", "emailAddress": "x", "role": "READER"},
                {"granteeType": "EVERYONE", "role": "WRITER"}, {"granteeType": "EVERYONE", "emailAddress": "a@b.c", "role": "READER"},
                {"granteeType": "GROUP", "emailAddress": "a@b.c", "role": "OWNER"}, {"granteeType": "GROUP", "emailAddress": "a@b.c"}):
        refused(server.post(path, bad), 400, "INVALID_ARGUMENT", "permission.")
    refused(server.call("PATCH", f"/v1beta/{group['name']}?updateMask=emailAddress", {"role": "WRITER"}), 400, "INVALID_ARGUMENT")
    refused(server.call("PATCH", f"/v1beta/{owner[0]['name']}?updateMask=role", {"role": "READER"}), 400, "FAILED_PRECONDITION")
    refused(server.call("DELETE", f"/v1beta/{owner[0]['name']}"), 400, "FAILED_PRECONDITION")
    assert server.post(f"{PATH}/shared:transferOwnership", {"emailAddress": "new@example.com"}).json == {}
    roles = {p["emailAddress"]: p["role"] for p in server.get(path).json["permissions"]}
    assert roles == {"owner@localhost": "WRITER", "new@example.com": "OWNER", "a@example.com": "WRITER", "g@example.com": "READER"}
    refused(server.post(f"{PATH}/shared:transferOwnership", {}), 400, "INVALID_ARGUMENT")


def test_each_key_is_an_owner(tuner):
    """proves: U013-U017 U074 U080"""
    server = tuner("--api-key", "alice", "--api-key", "bob", "--api-key", "carol")
    alice, bob, carol = ({"x-goog-api-key": k} for k in ("alice", "bob", "carol"))
    made(server, id="hers", headers=alice)
    made(server, id="his", headers=bob)
    ask = {"contents": [{"parts": [{"text": "Say hello"}]}]}
    assert names(server.get(PATH, headers=alice)) == ["hers"] and names(server.get(PATH, headers=carol)) == []
    for method, path, data in (("GET", "", None), ("PATCH", "", {"description": "x"}), ("DELETE", "", None),
                               ("POST", ":generateContent", ask), ("POST", ":cancel", b""), ("GET", "/permissions", None),
                               ("GET", "/operations", None)):
        refused(server.call(method, f"{PATH}/hers{path}", data, headers=bob), 403, "PERMISSION_DENIED", "tunedModels/hers")
    address = server.get(f"{PATH}/his/permissions", headers=bob).json["permissions"][0]["emailAddress"]
    assert re.fullmatch(r"[0-9a-f]{16}@keys\.pollux", address)
    path = f"{PATH}/hers/permissions"
    reader = server.post(path, {"granteeType": "USER", "emailAddress": address, "role": "READER"}, headers=alice).json
    assert server.post(f"{PATH}/hers:generateContent", ask, headers=bob).said == "Hello there."
    refused(server.call("PATCH", f"{PATH}/hers", {"description": "x"}, headers=bob), 403, "PERMISSION_DENIED", "WRITER", "READER")
    assert names(server.get(PATH, headers=bob)) == ["his", "hers"]
    assert names(server.get(f"{PATH}?filter=owner:me", headers=bob)) == ["his"]
    assert names(server.get(f"{PATH}?filter=writers:me", headers=bob)) == ["his"]
    assert names(server.get(f"{PATH}?filter=readers:me", headers=bob)) == ["his", "hers"]
    server.call("PATCH", f"/v1beta/{reader['name']}?updateMask=role", {"role": "WRITER"}, headers=alice)
    assert server.call("PATCH", f"{PATH}/hers", {"description": "x"}, headers=bob).status == 200
    refused(server.call("DELETE", f"{PATH}/hers", headers=bob), 403, "PERMISSION_DENIED", "OWNER")
    server.post(path, {"granteeType": "EVERYONE", "role": "READER"}, headers=alice)
    assert server.post(f"{PATH}/hers:generateContent", ask, headers=carol).said == "Hello there."
    assert names(server.get(PATH, headers=carol)) == []
    assert names(server.get(f"{PATH}?filter=readers:everyone", headers=carol)) == ["hers"]
    refused(server.post(f"{PATH}/hers:transferOwnership", {"emailAddress": "x@y.z"}, headers=alice), 400, "INVALID_ARGUMENT")
    assert server.post(f"{PATH}/hers:transferOwnership", {"emailAddress": address}, headers=alice).json == {}
    assert names(server.get(f"{PATH}?filter=owner:me", headers=bob)) == ["his", "hers"]
    assert server.call("PATCH", f"{PATH}/hers", {"description": "y"}, headers=alice).status == 200
    refused(server.call("DELETE", f"{PATH}/hers", headers=alice), 403, "PERMISSION_DENIED")
    assert server.call("DELETE", f"{PATH}/hers", headers=bob).json == {}
    refused(server.get(PATH, headers={"x-goog-api-key": "mallory"}), 400, "INVALID_ARGUMENT", "API_KEY_INVALID")


def test_rows_on_the_disk_hold_no_examples(tuner, tmp_path):
    server = tuner()
    made(server, pairs=[("a secret", "kept nowhere")])
    server.stop()
    rows = sqlite3.connect(tmp_path / "data" / "pollux.db").iterdump()
    assert not any("a secret" in row for row in rows)


def test_the_trainer_does_not_hear_the_terminal(tuner, tmp_path):
    """It is in a process group of its own, so Ctrl-C is for the server."""
    server = tuner()
    create(server, pairs=[("!ms 50", "x")], hyper={"epochCount": 200})
    until(lambda: trainer_pid(tmp_path), "no checkpoint")
    assert os.getpgid(trainer_pid(tmp_path)) != os.getpgid(server.process.pid)
    os.kill(server.process.pid, signal.SIGINT)
    server.stop()
