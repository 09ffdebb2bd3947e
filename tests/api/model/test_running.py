"""Code execution on a real model: that the grammar holds its call, and that it goes on behind the result."""

import json

import pytest

pytestmark = pytest.mark.timeout(600)

ASKED = "What is 1234 * 5678? Use code."
SEEDED = {"seed": 3, "temperature": 0, "maxOutputTokens": 200}


def test_code_runs(real):
    """proves: G063"""
    answer = real.stream(ASKED, SEEDED, fields={"tools": [{"codeExecution": {}}]}, timeout=300)
    assert answer.status == 200, answer
    chunks = answer.events
    parts = [p for c in chunks for p in c["candidates"][0]["content"]["parts"]]
    i = next(i for i, p in enumerate(parts) if "executableCode" in p)
    assert parts[i]["executableCode"]["code"]
    assert parts[i + 1]["codeExecutionResult"]["outcome"] == "OUTCOME_OK", parts
    assert "7006652" in parts[i + 1]["codeExecutionResult"]["output"]
    assert "".join(p.get("text", "") for p in parts[i + 2:])
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["toolUsePromptTokenCount"] > 3


@pytest.mark.soak
def test_code_runs_as_steps(real):
    answer = real.post("/v1beta/interactions", {
        "model": "gemini-3-flash-preview", "input": ASKED, "tools": [{"type": "code_execution"}], "store": False,
        "generation_config": {"seed": 3, "temperature": 0, "max_output_tokens": 200}}, timeout=300)
    assert answer.status == 200, answer
    steps = answer.json["steps"]
    assert [s["type"] for s in steps] == ["code_execution_call", "code_execution_result", "model_output"], json.dumps(steps)
    assert steps[0]["arguments"]["language"] == "python" and "7006652" in steps[1]["result"]
