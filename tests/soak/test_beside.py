"""A model beside one for embeddings: that there are two sets of threads must not cost either its speed."""

import time

import pytest

from pollux import SMALL_MODEL, Server

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]


def tokens_per_s(server, names):
    """The best of some: another process may have had the core."""
    rates = []
    for name in names:
        start = time.monotonic()
        answer = server.generate([{"parts": [{"text": f"{name} Count from one to one hundred in words."}]}],
                                 {"maxOutputTokens": 60})
        rates.append(answer.json["usageMetadata"]["candidatesTokenCount"] / (time.monotonic() - start))
    return max(rates)


def test_after_an_embedding_a_model_is_as_fast_as_before(tmp_path):
    """proves: M007. It was 0.62 of that while libgomp's threads slept at each barrier (src/main.c); now 0.85 to 1.17."""
    with Server("--model", SMALL_MODEL, "--data-dir", tmp_path, start_s=120) as server:
        tokens_per_s(server, "w")
        before = tokens_per_s(server, "abcdefgh")
        for i in range(20):
            text = {"parts": [{"text": f"The keeper of lighthouse {i} writes down what he sees."}]}
            done = server.post("/v1beta/models/gemini-embedding-001:embedContent", {"content": text})
            assert done.status == 200, done
        after = tokens_per_s(server, "ijklmnop")
    assert after > 0.75 * before, (before, after)
