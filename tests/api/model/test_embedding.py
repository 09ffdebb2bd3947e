"""The real embedding model: the vectors of the reference implementation (tests/embed/reference.py),
and what they are good for."""

import base64
import json
import math
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from pollux import ROOT, SCRIPT, Server

EMBEDDER = "all-minilm-l6-v2"
PATH = f"/v1beta/models/{EMBEDDER}"
REFERENCE = json.loads((ROOT / "tests/embed/reference.json").read_text())

# libllama takes off all marks where WordPiece takes off those without a width: the vowels that
# Indic scripts write as marks are lost. The model knows little of these languages anyway.
DIFFER = {"नमस्ते दुनिया": 0.05}

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def embedder():
    """Real vectors beside a scripted chat: they are loaded by the first request."""
    with Server("--script", SCRIPT, "--embedding-model", EMBEDDER) as s:
        assert "info embedder" not in s.log
        yield s


def embed(server, texts, **more):
    answer = server.post(f"{PATH}:batchEmbedContents", {
        "requests": [{"content": {"parts": [{"text": t}]}, **more} for t in texts]})
    assert answer.status == 200, answer
    return [e["values"] for e in answer.json["embeddings"]]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_vectors_are_the_reference_implementations(embedder):
    """proves: M007 M008"""
    got = embed(embedder, [r["text"] for r in REFERENCE])
    for row, vector in zip(REFERENCE, got, strict=True):
        wanted = struct.unpack(f"<{len(vector)}e", base64.b64decode(row["vector"]))
        away = 1 - cosine(wanted, vector)
        assert away < DIFFER.get(row["text"], 1e-4), f"{row['text'][:60]!r}: {away}"
    assert embedder.log.count("info embedder") == 1


def test_alone_and_in_company_it_is_the_same(embedder):
    """proves: M008"""
    texts = [r["text"] for r in REFERENCE[:16]]
    together = embed(embedder, texts)
    with ThreadPoolExecutor(8) as pool:
        alone = list(pool.map(lambda t: embed(embedder, [t])[0], texts))
    assert all(1 - cosine(a, b) < 1e-5 for a, b in zip(together, alone))


def test_similar_texts_are_nearer(embedder):
    """proves: M009"""
    eating, bread, reset, steps, stocks = embed(embedder, [
        "A man is eating food.", "Someone has a piece of bread.", "How do I reset my password?",
        "Steps to recover a forgotten password", "Stock markets fell sharply on Monday."])
    assert cosine(eating, bread) > cosine(eating, stocks) + 0.2
    assert cosine(reset, steps) > cosine(reset, stocks) + 0.2
    short = embed(embedder, ["How do I reset my password?", "Steps to recover a forgotten password",
                             "Stock markets fell sharply on Monday."], outputDimensionality=128)
    assert cosine(short[0], short[1]) > cosine(short[0], short[2]) + 0.2


def test_a_text_has_at_most_512_tokens(embedder):
    """proves: M007"""
    assert embed(embedder, ["word " * 510])
    answer = embedder.post(f"{PATH}:embedContent", {"content": {"parts": [{"text": "word " * 511}]}})
    assert answer.status == 400, answer
    assert "513" in answer.error["message"] and "512" in answer.error["message"]
    assert embedder.get(PATH).json["inputTokenLimit"] == 512


def test_marks_of_the_model_are_text(embedder):
    """proves: M007"""
    marked, plain = embed(embedder, ["[SEP] hello [CLS]", "sep hello cls"])
    assert 0.4 < cosine(marked, plain) < 1


def test_a_model_that_is_not_there_says_what_to_do(tmp_path):
    """proves: M007"""
    with Server("--script", SCRIPT) as s:  # scripted vectors: always there
        assert s.post("/v1beta/models/embedding-001:embedContent",
                      {"content": {"parts": [{"text": "x"}]}}).status == 200
    with pytest.raises(RuntimeError, match="no-such-embedder"):
        Server("--script", SCRIPT, "--embedding-model", "no-such-embedder")
