"""embedContent and batchEmbedContents: order, lengths, many at once, those who leave, those who
are too many; on the scripted vectors."""

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pollux import request_bytes

ONE = "/v1beta/models/text-embedding-004:embedContent"
BATCH = "/v1beta/models/gemini-embedding-001:batchEmbedContents"


def request(text, **more):
    return {"content": {"parts": [{"text": text}]}, **more}


def one(server, text, **more):
    answer = server.post(ONE, request(text, **more))
    assert answer.status == 200, answer
    return answer.json["embedding"]["values"]


def batch(server, texts, **more):
    answer = server.post(BATCH, {"requests": [request(t, **more) for t in texts]})
    assert answer.status == 200, answer
    return [e["values"] for e in answer.json["embeddings"]]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_a_batch_is_its_texts_in_order(server):
    """proves: M007 M008"""
    texts = ["abcdefghij"[i // 10] * 3 + " and " + "klmnopqrst"[i % 10] * 3 for i in range(100)]
    vectors = batch(server, texts)
    assert len(vectors) == 100
    for i in (0, 1, 50, 99):
        assert vectors[i] == one(server, texts[i])
    assert len({tuple(v) for v in vectors}) == 100


def test_vectors_have_length_one_also_when_cut(server):
    """proves: M009"""
    whole = one(server, "The tide is high")
    assert len(whole) == 384 and abs(cosine(whole, whole) - 1) < 1e-5
    for n in (1, 64, 256, 384):
        cut = one(server, "The tide is high", outputDimensionality=n)
        length = math.sqrt(cosine(whole[:n], whole[:n]))
        assert len(cut) == n and all(abs(c - w / length) < 1e-5 for c, w in zip(cut, whole))


def test_all_tasks_are_taken(server):
    """proves: M009"""
    for i, task in enumerate(["TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT",
                              "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
                              "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"]):
        assert one(server, "x", taskType=task) == one(server, "x", taskType=i) == one(server, "x")
    titled = one(server, "x", taskType="RETRIEVAL_DOCUMENT", title="Tides")
    assert titled == one(server, "Tides\nx") != one(server, "x")


def test_more_than_a_hundred_are_refused(server):
    """proves: M008"""
    answer = server.post(BATCH, {"requests": [request("x")] * 101})
    assert answer.status == 400 and "requests" in answer.error["message"], answer


def test_a_long_text_is_told_both_numbers(server):
    """proves: M007"""
    answer = server.post(ONE, request("word " * 3000))
    assert answer.status == 400, answer
    assert "3001" in answer.error["message"] and "2048" in answer.error["message"]
    answer = server.post(ONE, request("word " * 300000))
    assert answer.status == 400 and "bytes" in answer.error["message"], answer


def test_many_clients_at_once_get_their_own(server):
    """proves: M007"""
    texts = [f"client {i} asks about {i * i}" for i in range(64)]
    expected = batch(server, texts)
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda t: one(server, t), texts)) == expected


def slow(scripted, *args, ms=400):
    return scripted(*args, embeddings={"dimensions": 8, "delayMs": ms})


def test_too_many_get_429(scripted):
    """proves: E010"""
    server = slow(scripted, "--queue", 2)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: server.post(ONE, request(f"{i}")), range(12)))
    refused = [a for a in answers if a.status == 429]
    assert refused and any(a.status == 200 for a in answers)
    assert all(a.error["status"] == "RESOURCE_EXHAUSTED" and int(a.headers["retry-after"]) > 0 for a in refused)


def test_a_client_that_leaves_frees_its_place(scripted):
    """proves: M007"""
    server = slow(scripted, "--queue", 0, ms=20000)
    with server.wire() as wire:
        wire.send(request_bytes("POST", ONE, request("I shall not wait")))
        time.sleep(0.3)
        assert server.post(ONE, request("x")).status == 429
    deadline, status = time.monotonic() + 5, 429
    while status == 429 and time.monotonic() < deadline:
        status = server.post(ONE, request("x"), headers={"X-Server-Timeout": "1"}).status
    assert status == 504  # it was let in, and ran until its deadline
    assert "end=GONE" in server.log


def test_chat_goes_on_meanwhile(scripted):
    """proves: M007"""
    server = slow(scripted, ms=1500)
    waiting = threading.Thread(target=lambda: one(server, "slow"))
    waiting.start()
    began = time.monotonic()
    assert server.generate("Say hello").status == 200
    assert time.monotonic() - began < 1
    waiting.join()


def test_what_is_listed_can_be_used(server):
    """proves: M002 M003"""
    models = server.get("/v1beta/models?pageSize=1000").json["models"]
    embedders = [m for m in models if "embedContent" in m["supportedGenerationMethods"]]
    assert {"models/gemini-embedding-001", "models/text-embedding-004", "models/scripted-embedding"} \
        <= {m["name"] for m in embedders}
    for model in embedders:
        assert server.get(f"/v1beta/{model['name']}").json == model
        assert server.post(f"/v1beta/{model['name']}:embedContent", request("x")).status == 200


def test_strict_names_are_the_models_own(scripted):
    """proves: M007"""
    server = scripted("--strict-names")
    assert server.post(ONE, request("x")).status == 404
    assert server.post("/v1beta/models/scripted-embedding:embedContent", request("x")).status == 200


def test_media_beside_a_text_are_refused_and_not_left_out(server):
    """proves: M007"""
    blob = {"mimeType": "image/png", "data": "AAAA"}
    for extra in ({"inlineData": blob}, {"image": blob}, {"fileData": {"fileUri": "files/a"}},
                  {"inlineData": blob, "videoMetadata": {"fps": 1}}):
        for parts in ([{"text": "x"}, extra], [{"text": "x", **extra}], [extra]):
            answer = server.post(ONE, {"content": {"parts": parts}})
            assert answer.status == 400 and "Only parts with text can be embedded" in answer.error["message"], answer
