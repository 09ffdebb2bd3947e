"""How the tests of the Interactions API ask, and how they read what comes back."""

import json
import time

from pollux import PATIENCE

MODEL = "gemini-3-flash-preview"
TIDE = {"type": "function", "name": "get_tide", "description": "Tide height", "parameters": {
    "type": "object", "required": ["harbour"], "properties": {
        "harbour": {"type": "string"}, "hour_of_day": {"type": "integer"}}}}
TIDE_ASKED = "How high is the tide in Bergen at 9?"


def ask(server, input, version="v1beta", query="", headers=None, **fields):
    return server.post(f"/{version}/interactions{query}", {"model": MODEL, "input": input, **fields}, headers=headers)


def made(server, input, **fields):
    answer = ask(server, input, **fields)
    assert answer.status == 200, answer
    return answer.json


def get(server, id, query=""):
    return server.get(f"/v1beta/interactions/{id}{query}")


def text_step(text):
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def said(interaction):
    return "".join(c["text"] for s in interaction["steps"] if s["type"] == "model_output" for c in s["content"])


def parse(text):
    """Events of a stream: [(name, data)]; it must have ended as streams do."""
    events = []
    for frame in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.splitlines())
        if lines:
            events.append((lines["event"], lines["data"]))
    assert events and events.pop() == ("done", "[DONE]"), text[-300:]
    for name, data in events:
        assert json.loads(data)["event_type"] == name
    return [json.loads(data) for _, data in events]


def stream(server, input, **fields):
    answer = ask(server, input, stream=True, **fields)
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream", answer
    return parse(answer.text)


def deltas(events, kind="text", member="text"):
    return [e["delta"][member] for e in events if e["event_type"] == "step.delta" and e["delta"]["type"] == kind]


def refused(answer, status, code, words=""):
    """proves: E017"""
    assert answer.status == status, answer
    assert set(answer.json) == {"error"} and set(answer.error) == {"code", "message"}, answer
    assert answer.error["code"] == code and words in answer.error["message"], answer
    return True


def ended(server, id, within=10):
    until = time.monotonic() + within * PATIENCE
    while True:
        now = get(server, id).json
        if now["status"] != "in_progress":
            return now
        assert time.monotonic() < until, now
        time.sleep(0.02)
