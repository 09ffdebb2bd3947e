"""Interactions that nobody waits for: the background, cancelling, deleting, dying servers."""

import base64
import json
import random
import re
import sqlite3
import time

import pytest

from interactions import MODEL, TIDE, TIDE_ASKED, ask, deltas, ended, get, made, parse, refused, said, stream
from media_files import picture
from pollux import PATIENCE, SCRIPT, request_bytes


# ---- background, cancelling, deleting ----


def test_background(server):
    """proves: I006 I030 I084 I123"""
    began = time.monotonic()
    answer = ask(server, "slowly", background=True)
    assert time.monotonic() - began < 0.25 * PATIENCE and answer.json["status"] == "in_progress"
    assert answer.json["steps"] == []
    id = answer.json["id"]
    time.sleep(0.8)
    partly = get(server, id).json
    assert partly["status"] == "in_progress" and said(partly).startswith("alpha ")
    assert said(ended(server, id)) == "alpha beta gamma delta"


def test_a_background_fault_is_honest(server):
    got = made(server, "fails midway", background=True)
    got = ended(server, got["id"])
    assert got["status"] == "failed" and got["errors"][0]["code"] == "unavailable" and said(got) == "One, two, "


def test_cancel(server):
    """proves: I011 I088"""
    id = made(server, "slowly", background=True)["id"]
    time.sleep(0.5)
    began = time.monotonic()
    answer = server.call("POST", f"/v1/interactions/{id}/cancel", headers={"Content-Length": "0"})
    assert time.monotonic() - began < 0.2 * PATIENCE
    assert answer.json["status"] == "cancelled" and "alpha beta gamma ".startswith(said(answer.json)) and said(answer.json)
    assert get(server, id).json == answer.json
    assert refused(server.post(f"/v1/interactions/{id}/cancel"), 400, "failed_precondition", "over")
    assert parse(get(server, id, "?stream=true").text)[-1]["interaction"]["status"] == "cancelled"
    assert ask(server, "Say hello", previous_interaction_id=id).status == 200


def test_cancel_ends_a_stream(server):
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "slowly", "stream": True}))
        seen = wire.until(b"alpha ").decode()
        id = re.search(r'"id":"(v1_[\w-]+)"', seen)[1]
        assert server.post(f"/v1beta/interactions/{id}/cancel").json["status"] == "cancelled"
        assert '"status":"cancelled"' in wire.until(b"[DONE]").decode()


def test_cancel_while_media_are_read(server):
    def unread(words):  # what was read before takes no time
        data = base64.b64encode(picture(words, "JPEG")).decode()
        return {"type": "image", "data": data, "mime_type": "image/jpeg"}

    id = made(server, [unread(f"CANCEL {time.time_ns()}")], background=True)["id"]
    answer = server.post(f"/v1beta/interactions/{id}/cancel")
    assert answer.json["status"] == "cancelled" and answer.json["steps"] == []
    id = made(server, [unread(f"DELETE {time.time_ns()}")], background=True)["id"]
    assert server.call("DELETE", f"/v1beta/interactions/{id}").json == {}
    assert refused(get(server, id), 404, "not_found")
    time.sleep(0.5)
    assert said(made(server, "Say hello")) == "Hello there."


def test_delete(server):
    """proves: I012"""
    got = made(server, "Say hello")
    answer = server.call("DELETE", f"/v1/interactions/{got['id']}")
    assert answer.status == 200 and answer.json == {}
    assert refused(get(server, got["id"]), 404, "not_found")
    assert refused(server.call("DELETE", f"/v1/interactions/{got['id']}"), 404, "not_found")


def test_delete_what_is_in_progress(server):
    id = made(server, "slowly", background=True)["id"]
    assert server.call("DELETE", f"/v1/interactions/{id}").json == {}
    assert refused(get(server, id), 404, "not_found")
    time.sleep(0.3)
    assert refused(get(server, id), 404, "not_found")


def test_a_client_that_leaves_ends_what_nobody_keeps(scripted):
    server = scripted(slots=1)
    for fields in ({}, {"stream": True, "store": False}):
        with server.wire() as wire:
            wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "for ever", **fields}))
            time.sleep(0.2)
        began = time.monotonic()
        assert said(made(server, "Say hello")) == "Hello there."
        assert time.monotonic() - began < 1 * PATIENCE


def test_a_deadline(server):
    answer = ask(server, "after three seconds", headers={"X-Server-Timeout": "1"})
    assert refused(answer, 504, "deadline_exceeded", "1 s")


def test_a_deadline_of_a_stream(server):
    events = stream(server, "slowly", headers={"X-Server-Timeout": "1"})
    assert events[-1]["error"]["code"] == "deadline_exceeded" and deltas(events)[0] == "alpha "


# ---- what a dying server leaves ----


def test_what_was_answered_survives(on_folder):
    """proves: I101"""
    server = on_folder()
    plain, streamed = made(server, "I own 2 dogs."), stream(server, "count to five")
    server.crash()
    server = on_folder()
    assert get(server, plain["id"]).json == plain
    assert parse(get(server, streamed[0]["interaction"]["id"], "?stream=true").text) == streamed
    assert said(made(server, "How many paws is that?", previous_interaction_id=plain["id"])) == "Eight paws."


def test_a_background_run_is_taken_up_again(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    server.crash()
    server = on_folder()
    assert get(server, id).json["status"] == "in_progress"
    got = ended(server, id)
    assert got["status"] == "completed" and said(got) == "At last."
    events = parse(get(server, id, "?stream=true").text)
    assert [e["event_type"] for e in events][:4] == ["interaction.created", *["interaction.status_update"] * 2, "step.start"]
    ids = [int(e["event_id"]) for e in events]
    assert ids == sorted(set(ids))


def test_one_that_the_server_dies_of_is_not_run_for_ever(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    for _ in range(4):
        server.crash()
        server = on_folder()
    got = get(server, id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"


@pytest.mark.parametrize("background", [False, True])
def test_what_was_cut_off_has_failed_with_what_was_said(on_folder, background):
    server = on_folder()
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {
            "model": MODEL, "input": "for ever", "stream": True, "background": background}))
        seen = wire.until(b'" and"').decode() + wire.until(b"\n\n").decode()
        time.sleep(0.6)
        server.crash()
    events = [json.loads(d) for d in re.findall(r"data: (\{.*\})", seen)]
    id = events[0]["interaction"]["id"]
    server = on_folder()
    got = get(server, id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"
    rest = parse(get(server, id, f"?stream=true&last_event_id={events[-1]['event_id']}").text)
    assert rest[-1]["event_type"] == "error" and {e["event_type"] for e in rest[:-1]} <= {"step.delta"}
    assert "".join(deltas(events + rest)) == said(got) and said(got).startswith("on and")
    assert parse(get(server, id, "?stream=true").text) == events + rest


# With a seed, or at temperature 0, a model says the same again.
SURE = [{"seed": 7}, {"temperature": 0}]


def cut_off(server, prompt, seen, **fields):
    """A background stream that dies when `seen` was seen; the events until then."""
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {
            "model": MODEL, "input": prompt, "stream": True, "background": True, **fields}))
        text = wire.until(seen).decode() + wire.until(b"\n\n").decode()
        time.sleep(0.3)  # the disk has it
        server.crash()
    return [json.loads(d) for d in re.findall(r"data: (\{.*\})", text)]


@pytest.mark.parametrize("config", SURE, ids=str)
def test_a_run_that_says_the_same_again_goes_on(on_folder, config):
    """It goes on where its log ends, as often as the server dies. proves: I030"""
    events = cut_off(on_folder(), "slowly", b"alpha ", generation_config=config)
    id = events[0]["interaction"]["id"]
    server = on_folder()
    assert get(server, id).json["status"] == "in_progress"
    while "beta" not in said(get(server, id).json):
        time.sleep(0.02)
    time.sleep(0.15)
    server.crash()
    server = on_folder()
    rest = parse(get(server, id, f"?stream=true&last_event_id={events[-1]['event_id']}").text)
    got = ended(server, id)
    assert got["status"] == "completed" and said(got) == "alpha beta gamma delta" and len(got["steps"]) == 1
    assert "".join(deltas(events + rest)) == said(got)
    assert [e["event_type"] for e in rest].count("interaction.status_update") == 2
    assert len([e for e in events + rest if e["event_type"] == "step.start"]) == 1
    ids = [int(e["event_id"]) for e in events + rest]
    assert ids == sorted(set(ids)) and parse(get(server, id, "?stream=true").text) == events + rest
    assert got["usage"] == made(server, "slowly", generation_config=config)["usage"]


@pytest.mark.parametrize("seen", [b'"harb', b'"step.stop","index":1', b'Oslo'])
def test_a_call_goes_on_where_it_broke_off(on_folder, seen):
    fields = {"tools": [TIDE], "generation_config": {"seed": 1}}
    events = cut_off(on_folder(), "Tide in pieces", seen, **fields)
    id = events[0]["interaction"]["id"]
    server = on_folder()
    got = ended(server, id)
    assert got["status"] == "requires_action" and got["steps"] == made(server, "Tide in pieces", **fields)["steps"]
    replay = parse(get(server, id, "?stream=true").text)
    for index, step in enumerate(got["steps"]):
        last = max(i for i, e in enumerate(replay) if e["event_type"] == "step.start" and e["index"] == index)
        if step["type"] == "function_call":  # one that broke off is begun again
            pieces = deltas([e for e in replay[last:] if e.get("index") == index], "arguments_delta", "arguments")
            assert json.loads("".join(pieces)) == step["arguments"]


def test_thoughts_and_tools_are_said_again(tmp_path, on_folder):
    """proves: I067 I068 I116"""
    code = {"language": "python", "code": "import time; time.sleep(1); print('s' + 'even')"}
    script = {**json.loads(SCRIPT.read_text()), "replies": [
        {"match": {"result": "seven"}, "chunkDelayMs": 200, "chunks": ["It ", "is ", "seven."]},
        {"match": {"prompt": "ponder"}, "thought": "I should compute.", "calls": [{"name": "code_execution", "args": code}]}]}
    (tmp_path / "s.json").write_text(json.dumps(script))
    fields = {"tools": [{"type": "code_execution"}], "generation_config": {"seed": 1, "thinking_summaries": "auto"}}
    for seen in (b"code_execution_call", b' is"'):  # within the tool's run, and behind it
        events = cut_off(on_folder("--script", tmp_path / "s.json"), "ponder", seen, **fields)
        id = events[0]["interaction"]["id"]
        server = on_folder("--script", tmp_path / "s.json")
        got = ended(server, id, 20)
        assert got["status"] == "completed" and said(got) == "It is seven.", got
        assert [s["type"] for s in got["steps"]] == ["thought", "code_execution_call", "code_execution_result", "model_output"]
        replay = parse(get(server, id, "?stream=true").text)
        assert [e["step"]["type"] for e in replay if e["event_type"] == "step.start"] == [s["type"] for s in got["steps"]]
        assert deltas(replay, "code_execution_call", "arguments") == [code]
        assert deltas(replay, "code_execution_result", "result") == ["seven\n"]
        assert got["steps"] == made(server, "ponder", **fields)["steps"]
        server.crash()


def test_one_that_strays_has_failed(tmp_path, on_folder):
    script = json.loads(SCRIPT.read_text())
    events = cut_off(on_folder(), "slowly", b"beta ", generation_config={"seed": 1})
    id = events[0]["interaction"]["id"]
    for chunks in (["alpha ", "gamma "], ["alpha"]):  # something else; less
        script["replies"] = [{"match": {"prompt": "slowly"}, "chunks": chunks}]
        (tmp_path / "other.json").write_text(json.dumps(script))
        database = sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)
        database.execute("UPDATE interactions SET status = 1")
        database.close()
        server = on_folder("--script", tmp_path / "other.json")
        got = ended(server, id)
        assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"
        assert "did not say again" in got["errors"][0]["message"] and said(got) == "alpha beta "
        server.crash()


def test_what_will_not_say_the_same_again_is_told_so(on_folder):
    events = cut_off(on_folder(), "slowly", b"alpha ")
    got = get(on_folder(), events[0]["interaction"]["id"]).json
    assert got["status"] == "failed" and "a seed" in got["errors"][0]["message"], got


# ---- statuses ----


OVER = {"completed", "requires_action", "incomplete", "failed", "cancelled"}
WALKS = {  # what may become of a prompt that nobody cancels
    "Say hello": "completed", TIDE_ASKED: "requires_action", "fails midway": "failed", "block the prompt": "failed",
    "slowly": "completed", "for ever": "completed", "Tide that is no JSON": "failed"}


@pytest.mark.parametrize("seed", range(4))
def test_statuses_only_go_where_they_may(server, seed):
    """Whatever is asked, in any order: in_progress, then one end, which stays. proves: I084-I089"""
    drawn = random.Random(seed)
    seen, prompts = {}, {}

    def note(id, status):
        before = seen.get(id, "in_progress")
        assert status == before or (before == "in_progress" and status in OVER), (id, before, status)
        assert status in ("in_progress", "cancelled", WALKS[prompts[id]]), (prompts[id], status)
        seen[id] = status

    for _ in range(60):
        what = drawn.choice(["create", "get", "get", "cancel", "delete", "chain"])
        id = drawn.choice(list(seen)) if seen else None
        if what == "create" or not id:
            prompt = drawn.choice(list(WALKS))
            got = made(server, prompt, tools=[TIDE], background=True)
            prompts[got["id"]] = prompt
            note(got["id"], got["status"])
        elif what == "get":
            note(id, get(server, id).json["status"])
        elif what == "cancel":
            answer = server.post(f"/v1beta/interactions/{id}/cancel")
            if answer.status == 200:
                note(id, answer.json["status"])
                assert answer.json["status"] == "cancelled"
            else:
                assert refused(answer, 400, "failed_precondition", "over")
                note(id, get(server, id).json["status"])
                assert seen[id] in OVER
        elif what == "chain":
            answer = ask(server, "Say hello", previous_interaction_id=id)
            note(id, get(server, id).json["status"])
            assert answer.status == 200 and seen[id] in OVER or refused(answer, 400, "failed_precondition", "in progress")
        else:
            assert server.call("DELETE", f"/v1beta/interactions/{id}").status == 200
            assert refused(get(server, id), 404, "not_found")
            del seen[id]
    for id in seen:
        server.call("DELETE", f"/v1beta/interactions/{id}")


def test_a_stop_leaves_the_background_to_the_next(on_folder):
    server = on_folder()
    id = made(server, "after three seconds", background=True)["id"]
    server.process.terminate()
    server.process.terminate()
    server.stop()
    assert ended(on_folder(), id)["status"] in ("completed", "failed")


def test_a_stop_in_the_middle_of_a_stream(on_folder):
    server = on_folder()
    with server.wire() as wire:
        wire.send(request_bytes("POST", "/v1beta/interactions", {"model": MODEL, "input": "for ever", "stream": True}))
        id = re.search(r'"id":"(v1_[\w-]+)"', wire.until(b'" and"').decode())[1]
        for _ in range(2):
            server.process.terminate()
            time.sleep(0.3)
        assert '"code":"unavailable"' in wire.rest().decode()
    server.stop()
    got = get(on_folder(), id).json
    assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted" and "on and" in said(got)


def test_a_database_that_fails_is_told(on_folder, tmp_path):
    """What could not be kept was not answered."""
    server = on_folder()
    database = sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)
    database.execute("ALTER TABLE interactions RENAME TO hidden")
    for fields in ({}, {"stream": True}, {"background": True}):
        assert refused(ask(server, "Say hello", **fields), 500, "internal", "database")
    assert said(made(server, "Say hello", store=False)) == "Hello there."
    database.execute("ALTER TABLE hidden RENAME TO interactions")
    assert said(made(server, "Say hello")) == "Hello there."


def test_retention(on_folder, tmp_path):
    server = on_folder("--interaction-days", 1)
    got = made(server, "Say hello")
    database = sqlite3.connect(tmp_path / "data" / "pollux.db", timeout=10, isolation_level=None)
    created, expires = database.execute("SELECT created, expires FROM interactions").fetchone()
    assert expires - created == 24 * 3600 * 10**9
    database.execute("UPDATE interactions SET expires = 1")
    assert refused(get(server, got["id"]), 404, "not_found")
    assert refused(ask(server, "x", previous_interaction_id=got["id"]), 404, "not_found")
