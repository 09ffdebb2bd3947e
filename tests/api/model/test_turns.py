"""Interactions on a real model: what a chain costs, that it says what one request says, an end in the middle, calls.
And a batch."""

import json
import re
import time

import pytest

import test_batches as batches
from pollux import PATIENCE, SMALLEST_MODEL
from interactions import MODEL, TIDE, deltas, ended, get, made, parse, said, stream, text_step

pytestmark = pytest.mark.timeout(300)


def test_the_tenth_turn_prefills_its_own_tokens_only(smallest):
    """proves: I094"""
    previous, usage = None, None
    for i in range(10):
        fields = {"previous_interaction_id": previous} if previous else {}
        got = made(smallest, f"Say the number {i}.", generation_config={"max_output_tokens": 8, "temperature": 0}, **fields)
        previous, before, usage = got["id"], usage, got["usage"]
    fresh = usage["total_input_tokens"] - usage["total_cached_tokens"]
    assert before["total_input_tokens"] <= usage["total_cached_tokens"], (before, usage)
    assert 0 < fresh <= 30, usage
    assert usage["cached_tokens_by_modality"] == [{"modality": "text", "tokens": usage["total_cached_tokens"]}]


def test_stateful_and_stateless_say_the_same(smallest):
    """proves: I077"""
    config = {"max_output_tokens": 20, "seed": 3}
    first = made(smallest, "Name a river in Norway.", generation_config=config)
    chained = made(smallest, "And one in Sweden?", generation_config=config, previous_interaction_id=first["id"])
    alone = made(smallest, [text_step("Name a river in Norway."), *first["steps"], text_step("And one in Sweden?")],
                 generation_config=config, store=False)
    assert alone["steps"] == chained["steps"]


def test_cancel_is_quick_and_keeps_what_was_made(smallest):
    """proves: I011 I088"""
    id = made(smallest, "Count from 1 to 1000.", background=True, generation_config={"temperature": 0})["id"]
    until = time.monotonic() + 30
    while not get(smallest, id).json["steps"] and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    answer = smallest.post(f"/v1beta/interactions/{id}/cancel")
    took = time.monotonic() - began
    assert answer.json["status"] == "cancelled" and said(answer.json) and answer.json["usage"]["total_output_tokens"] > 0
    assert took < 0.2 * PATIENCE, took
    assert get(smallest, id).json == answer.json


def test_a_model_calls_a_function(real):
    """proves: I091"""
    asked = made(real, "What is the tide in Bergen?", tools=[TIDE], generation_config={"tool_choice": "any", "temperature": 0})
    call = asked["steps"][-1]
    assert asked["status"] == "requires_action" and call["name"] == "get_tide" and "harbour" in call["arguments"]
    told = made(real, [{"type": "function_result", "call_id": call["id"], "name": "get_tide", "result": {"cm": 134}}],
                previous_interaction_id=asked["id"], generation_config={"max_output_tokens": 60, "temperature": 0})
    assert "134" in said(told), told


def test_a_model_writes_arguments_piece_by_piece(real):
    """proves: I111"""
    config = {"tool_choice": "any", "seed": 1}
    events = stream(real, "What is the tide in Bergen?", tools=[TIDE], generation_config=config)
    call, = get(real, events[0]["interaction"]["id"]).json["steps"]
    pieces = deltas(events, "arguments_delta", "arguments")
    assert len(pieces) > 2 and json.loads("".join(pieces)) == call["arguments"]
    assert made(real, "What is the tide in Bergen?", tools=[TIDE], generation_config=config)["steps"] == [call]


@pytest.mark.model
def test_a_run_goes_on_after_kill_9(on_folder):
    """proves: I030"""
    fields = {"background": True, "generation_config": {"seed": 5, "max_output_tokens": 60}}
    server = on_folder(source=("--model", SMALLEST_MODEL))
    id = made(server, "Tell me about the sea.", **fields)["id"]
    while len(said(get(server, id).json)) < 20:
        time.sleep(0.02)
    time.sleep(0.15)
    server.crash()
    server = on_folder(source=("--model", SMALLEST_MODEL))
    got = ended(server, id, 60)
    assert got["status"] == "incomplete", got
    assert got["steps"] == ended(server, made(server, "Tell me about the sea.", **fields)["id"], 60)["steps"]
    assert "".join(deltas(parse(get(server, id, "?stream=true").text))) == said(got)


def test_a_cache_stands_before_a_chain(smallest):
    """proves: I031"""
    cache = smallest.post("/v1beta/cachedContents", {"model": "models/" + MODEL, "contents": [
        {"role": "user", "parts": [{"text": "The lighthouse keeper of Utsira has a cat called Frigg. " * 20}]}]}).json
    n = cache["usageMetadata"]["totalTokenCount"]
    config = {"max_output_tokens": 10, "temperature": 0}
    got = made(smallest, "What is the cat called?", cached_content=cache["name"], generation_config=config)
    assert n - 5 <= got["usage"]["total_cached_tokens"] <= got["usage"]["total_input_tokens"]


def test_a_batch(real):
    requests = [{"request": batches.ask(f"What is {i} + {i}? Answer with the number only.",
                                        generationConfig={"temperature": 0, "maxOutputTokens": 8})} for i in (1, 2, 3)]
    lines = batches.inlined(batches.wait(real, batches.create(real, requests), seconds=120))
    assert [re.search(r"\d+", batches.said(line))[0] for line in lines] == ["2", "4", "6"]
