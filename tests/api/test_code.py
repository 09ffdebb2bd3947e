"""Code execution: the model asks, the server runs, the model goes on; on both dialects."""

import base64
import json
import os
import time

import pytest

from pollux import ROOT, Server

CODE = ROOT / "tests" / "scripts" / "code.json"
TOOL = {"tools": [{"codeExecution": {}}]}
TIDE = {"name": "get_tide", "description": "Tide height", "parameters": {
    "type": "OBJECT", "properties": {"harbour": {"type": "STRING"}}, "required": ["harbour"]}}
VERBS = ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"]


@pytest.fixture(scope="module")
def coder():
    with Server("--script", CODE, "--tool-timeout", 1) as server:
        yield server


def user(text):
    return {"role": "user", "parts": [{"text": text}]}


def joined(answer):
    """The parts of all chunks, neighbouring texts joined; the finish reason; the usage."""
    assert answer.status == 200, answer
    chunks = answer.events if answer.is_sse else answer.json
    chunks = chunks if isinstance(chunks, list) else [chunks]
    parts = []
    for part in (p for c in chunks for p in c["candidates"][0].get("content", {}).get("parts", [])):
        part.pop("thoughtSignature", None)
        if set(part) == {"text"} and parts and set(parts[-1]) == {"text"}:
            parts[-1]["text"] += part["text"]
        elif part != {"text": ""}:
            parts.append(part)
    return parts, chunks[-1]["candidates"][0].get("finishReason"), chunks[-1]["usageMetadata"]


def kinds(parts):
    return [list(p)[0] for p in parts]


def ask(server, input, **fields):
    return server.post("/v1beta/interactions", {"model": "gemini-3-flash-preview", "input": input,
                                                "tools": [{"type": "code_execution"}], **fields})


def made(server, input, **fields):
    answer = ask(server, input, **fields)
    assert answer.status == 200, answer
    return answer.json


def events(answer):
    assert answer.status == 200, answer
    return [json.loads(line[len("data: "):]) for line in answer.text.splitlines()
            if line.startswith("data: {")]


# ---- generateContent ----


@pytest.mark.parametrize("verb", VERBS)
def test_text_code_result_text(coder, verb):
    """proves: G024 G025 G036 G038 G063 T012 T017"""
    parts, finish, usage = joined(coder.generate("Sum of the first 5 primes? Use code.", verb=verb, fields=TOOL))
    id = parts[1]["executableCode"].pop("id")
    assert parts[2]["codeExecutionResult"].pop("id") == id and id
    assert parts == [
        {"text": "I will compute it."},
        {"executableCode": {"language": "PYTHON", "code": "print(2+3+5+7+11)\n"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "28\n"}},
        {"text": "The sum is 28."}]
    assert finish == "STOP"
    assert usage["totalTokenCount"] == sum(usage[k] for k in (
        "promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount"))
    assert usage["toolUsePromptTokenCount"] > 5
    assert usage["toolUsePromptTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["toolUsePromptTokenCount"]}]


@pytest.mark.parametrize("prompt, outcome, output, then", [
    ("divide", "OUTCOME_FAILED", "so\nTraceback", "It cannot be divided."),
    ("for long", "OUTCOME_DEADLINE_EXCEEDED", "The code was ended after 1.", "It takes too long."),
    ("bash", "OUTCOME_FAILED", "Only python can be run here, not bash.", "There is no bash."),
])
def test_outcomes(coder, prompt, outcome, output, then):
    """proves: G035"""
    parts, finish, _ = joined(coder.generate(prompt, fields=TOOL))
    result = parts[1]["codeExecutionResult"]
    assert kinds(parts) == ["executableCode", "codeExecutionResult", "text"] and finish == "STOP"
    assert result["outcome"] == outcome and result["output"].startswith(output), result
    assert parts[2]["text"] == then


def test_pictures_are_inline_data(coder):
    parts, _, _ = joined(coder.generate("plot it", fields=TOOL))
    assert kinds(parts) == ["executableCode", "codeExecutionResult", "inlineData", "text"]
    assert parts[2]["inlineData"]["mimeType"] == "image/png"
    assert base64.b64decode(parts[2]["inlineData"]["data"]).startswith(b"\x89PNG")
    history = [user("plot it"), {"role": "model", "parts": parts}, user("Sum of the primes?")]
    assert joined(coder.generate(history, fields=TOOL))[0][-1] == {"text": "The sum is 28."}


@pytest.mark.parametrize("verb", VERBS[:2])
def test_rounds_go_on_until_the_model_is_done(coder, verb):
    parts, finish, usage = joined(coder.generate("step by step", verb=verb, fields=TOOL))
    assert kinds(parts) == ["executableCode", "codeExecutionResult"] * 2 + ["text"] and finish == "STOP"
    assert [p["codeExecutionResult"]["output"] for p in parts[1:4:2]] == ["first\n", "28\n"]
    assert len({p["executableCode"]["id"] for p in parts[0:4:2]}) == 2
    assert usage["thoughtsTokenCount"] > 0


def test_each_call_of_a_turn_is_followed_by_its_result(coder):
    parts, _, _ = joined(coder.generate("twice", fields=TOOL))
    assert kinds(parts) == ["executableCode", "codeExecutionResult"] * 2 + ["text"]
    assert [p["codeExecutionResult"]["output"] for p in parts[1:4:2]] == ["1\n", "28\n"]


def test_rounds_have_an_end(coder):
    parts, finish, _ = joined(coder.generate("forever", fields=TOOL))
    assert kinds(parts) == ["executableCode", "codeExecutionResult"] * 8
    assert finish == "TOO_MANY_TOOL_CALLS"


@pytest.mark.parametrize("verb", VERBS[:2])
def test_a_call_of_the_clients_ends_the_turn(coder, verb):
    tools = {"tools": [{"functionDeclarations": [TIDE]}, {"codeExecution": {}}]}
    parts, finish, _ = joined(coder.generate("mixed", verb=verb, fields=tools))
    assert kinds(parts) == ["executableCode", "codeExecutionResult", "functionCall"] and finish == "STOP"
    history = [user("mixed"), {"role": "model", "parts": parts}, {"role": "user", "parts": [
        {"functionResponse": {"name": "get_tide", "response": {"cm": 134}}}]}]
    assert joined(coder.generate(history, fields=tools))[0] == [{"text": "The tide is 134 cm."}]


def test_tokens_are_of_the_whole_answer(coder):
    parts, finish, usage = joined(coder.generate("step by step", {"maxOutputTokens": 70}, fields=TOOL))
    assert finish == "MAX_TOKENS" and usage["candidatesTokenCount"] <= 70
    assert kinds(parts)[:2] == ["executableCode", "codeExecutionResult"]


def test_an_error_in_a_later_round(coder):
    answer = coder.generate("breaks", fields=TOOL)
    assert answer.status == 503 and answer.error["status"] == "UNAVAILABLE"
    streamed = coder.stream("breaks", fields=TOOL)
    assert "codeExecutionResult" in streamed.text and streamed.events[-1]["error"]["status"] == "UNAVAILABLE"


def test_what_was_answered_is_accepted_back(coder):
    """proves: G024 G025; with ids, without, and in both spellings."""
    content = coder.generate("Sum of the first 5 primes?", fields=TOOL).json["candidates"][0]["content"]
    asked = [user("Sum of the first 5 primes?"), content, user("Sum of the first 5 primes?")]
    whole = coder.generate(asked, fields=TOOL).json["usageMetadata"]["promptTokenCount"]
    for part in content["parts"]:
        for of in part.values():
            if isinstance(of, dict):
                of.pop("id")
        part.pop("thoughtSignature", None)
    again = coder.generate(asked, fields=TOOL)
    assert again.json["usageMetadata"]["promptTokenCount"] == whole
    snake = [{"executable_code" if k == "executableCode" else "code_execution_result" if k[0] == "c" else k: v
              for k, v in p.items()} for p in content["parts"]]
    asked[1] = {"role": "model", "parts": snake}
    assert coder.generate(asked, fields=TOOL).json["usageMetadata"]["promptTokenCount"] == whole
    assert coder.generate(asked).status == 200  # the tool need not be there any more


@pytest.mark.parametrize("contents, words", [
    ([{"role": "user", "parts": [{"executableCode": {"code": "1"}}]}], "role model"),
    ([user("a"), {"role": "model", "parts": [{"codeExecutionResult": {"output": "1"}}]}, user("b")], "must follow"),
    ([user("a"), {"role": "model", "parts": [{"executableCode": {"code": "1", "id": "a"}},
                                             {"codeExecutionResult": {"output": "1", "id": "b"}}]}, user("b")], "'a'"),
    ([user("a"), {"role": "model", "parts": [{"executableCode": {}}]}, user("b")], "code"),
    ([user("a"), {"role": "model", "parts": [{"executableCode": {"code": "1", "language": "COBOL"}}]}], "COBOL"),
    ([user("a"), {"role": "model", "parts": [{"executableCode": {"code": "1"}, "text": "b"}]}], "executableCode"),
])
def test_histories_that_are_none(coder, contents, words):
    answer = coder.generate(contents, fields=TOOL)
    assert answer.status == 400 and words in answer.error["message"], answer


@pytest.mark.parametrize("fields, words", [
    ({"tools": [{"codeExecution": {"a": 1}}]}, "Unknown name"),
    ({"tools": [{"codeExecution": True}]}, "tools[0].code_execution"),
    ({"tools": [{"functionDeclarations": [{"name": "code_execution"}]}, {"codeExecution": {}}]}, "code_execution"),
    ({**TOOL, "generationConfig": {"candidateCount": 2}}, "one candidate"),
    ({**TOOL, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "without function_declarations"),
])
def test_what_is_refused(coder, fields, words):
    answer = coder.generate("hi", fields=fields)
    assert answer.status == 400 and words in answer.error["message"], answer


def test_mode_none_speaks_of_functions_only(coder):
    tools = {"tools": [{"functionDeclarations": [TIDE]}, {"code_execution": {}}],
             "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}
    assert "codeExecutionResult" in kinds(joined(coder.generate("first 5 primes", fields=tools))[0])


def test_a_client_that_leaves_ends_the_code(scripted):
    server = scripted("--script", CODE, "--tool-timeout", 600)
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        server.generate("for long", fields=TOOL, timeout=0.5)
    while "outcome=5" not in server.log and time.monotonic() - before < 20:
        time.sleep(0.05)
    assert "outcome=5" in server.log and "end=GONE" in server.log


def test_a_server_without_it_says_what_to_set(scripted):
    server = scripted("--script", CODE, "--no-code-execution")
    answer = server.generate("hi", fields=TOOL)
    assert answer.status == 400 and "--no-code-execution" in answer.error["message"], answer
    assert "--no-code-execution" in ask(server, "hi").json["error"]["message"]


# ---- Interactions ----


def test_steps(coder):
    """proves: I053 I067 I068"""
    got = made(coder, "Sum of the first 5 primes?")
    call, result = got["steps"][1:3]
    assert got["status"] == "completed" and len(got["steps"]) == 4
    assert call["type"] == "code_execution_call" and call["arguments"] == {
        "language": "python", "code": "print(2+3+5+7+11)\n"}
    assert result == {"type": "code_execution_result", "call_id": call["id"], "result": "28\n", "is_error": False}
    assert got["steps"][3]["content"][0]["text"] == "The sum is 28."
    usage = got["usage"]
    assert usage["total_tool_use_tokens"] > 5 and usage["total_tokens"] == sum(
        usage[f"total_{k}_tokens"] for k in ("input", "output", "tool_use"))


def test_a_stream_adds_up_to_the_steps(coder):
    """proves: I115 I116"""
    told = events(ask(coder, "plot it", stream=True))
    kept = coder.get(f"/v1beta/interactions/{told[0]['interaction']['id']}").json
    assert [s["type"] for s in kept["steps"]] == [
        "code_execution_call", "code_execution_result", "model_output", "model_output"]
    starts = [e for e in told if e["event_type"] == "step.start"]
    assert [e["step"]["type"] for e in starts] == [s["type"] for s in kept["steps"]]
    deltas = {e["index"]: e["delta"] for e in told if e["event_type"] == "step.delta"}
    assert deltas[0] == {"type": "code_execution_call", "arguments": kept["steps"][0]["arguments"]}
    assert deltas[1] == {"type": "code_execution_result", "result": "drawn\n", "is_error": False}
    assert deltas[2] == kept["steps"][2]["content"][0] and deltas[2]["mime_type"] == "image/png"
    id = kept["id"]
    replayed = events(coder.get(f"/v1beta/interactions/{id}?stream=true"))
    assert [e.get("delta") for e in replayed] == [e.get("delta") for e in told]


def test_events_made_up_of_steps_that_were_never_streamed(coder):
    kept = made(coder, "plot it")
    told = events(coder.get(f"/v1beta/interactions/{kept['id']}?stream=true"))
    deltas = [e["delta"]["type"] for e in told if e["event_type"] == "step.delta"]
    assert deltas == ["code_execution_call", "code_execution_result", "image", "text"]


def test_stored_and_stateless_chains_have_the_same_prompt(coder):
    first = made(coder, "plot it")
    asked = "Sum of the first 5 primes?"
    stored = made(coder, asked, previous_interaction_id=first["id"])
    history = [{"type": "user_input", "content": [{"type": "text", "text": "plot it"}]}, *first["steps"],
               {"type": "user_input", "content": [{"type": "text", "text": asked}]}]
    stateless = made(coder, history, store=False)
    assert stored["usage"] == stateless["usage"] and stored["steps"] == stateless["steps"]


def test_a_failure_is_an_error_in_its_step(coder):
    result = made(coder, "divide")["steps"][1]
    assert result["is_error"] is True and "ZeroDivisionError" in result["result"]


def test_with_functions(coder):
    tools = [{"type": "code_execution"}, {"type": "function", "name": "get_tide", "parameters": {
        "type": "object", "properties": {"harbour": {"type": "string"}}}}]
    got = made(coder, "mixed", tools=tools)
    assert got["status"] == "requires_action"
    assert [s["type"] for s in got["steps"]] == ["code_execution_call", "code_execution_result", "function_call"]
    result = {"type": "function_result", "call_id": got["steps"][2]["id"], "result": {"cm": 134}}
    after = made(coder, [result], previous_interaction_id=got["id"], tools=tools)
    assert after["steps"][-1]["content"][0]["text"] == "The tide is 134 cm."


def test_rounds_have_an_end_here_too(coder):
    got = made(coder, "forever")
    assert got["status"] == "failed" and got["errors"][0]["code"] == "too_many_tool_calls"
    assert len(got["steps"]) == 16


@pytest.mark.parametrize("choice", ["auto", "any", "none", {"allowed_tools": {"mode": "any", "tools": ["code_execution"]}}], ids=str)
def test_tool_choice(coder, choice):
    got = made(coder, "first 5 primes", generation_config={"tool_choice": choice})
    assert got["status"] == "completed"


def test_cancel_ends_the_code(scripted):
    server = scripted("--script", CODE, "--tool-timeout", 600)
    id = made(server, "for long", background=True)["id"]
    while not server.get(f"/v1beta/interactions/{id}").json["steps"]:
        time.sleep(0.02)
    before = time.monotonic()
    got = server.post(f"/v1beta/interactions/{id}/cancel").json
    assert got["status"] == "cancelled" and time.monotonic() - before < 2
    assert got["steps"][0]["type"] == "code_execution_call"


def test_killed_while_code_runs(tmp_path):
    """The next server says honestly that it failed, with the call that was told of."""
    data = tmp_path / "data"
    first = Server("--script", CODE, "--tool-timeout", 600, "--data-dir", data)
    id = made(first, "left alone", background=True)["id"]
    while not first.get(f"/v1beta/interactions/{id}").json["steps"]:
        time.sleep(0.02)
    while not running("leftalone"):
        time.sleep(0.02)
    time.sleep(0.2)  # its log is on the disk
    first.process.kill()
    first.process.wait()
    with Server("--script", CODE, "--data-dir", data) as second:
        got = second.get(f"/v1beta/interactions/{id}").json
        assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"
        assert [s["type"] for s in got["steps"]] == ["code_execution_call"]
    deadline = time.monotonic() + 5  # what it ran died with it
    while running("leftalone") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running("leftalone")


def running(name):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as f:
                found += [pid] if f.read().strip() == name else []
        except OSError:
            pass
    return found
