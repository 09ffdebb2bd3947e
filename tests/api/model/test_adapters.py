"""Tuned models on a real model: adapters with random values over one base, which must not mix.

Training is the stand-in's: what is proved here is serving."""

import json
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gguf_files
from pollux import ROOT, SMALL_MODEL, SMALLEST_MODEL, Server

TRAINER = {"POLLUX_TRAINER": str(ROOT / "tests" / "trainer.py")}
MODEL = SMALLEST_MODEL
WHO = ("models/base", "tunedModels/one", "tunedModels/two")
PROMPTS = ["Tell me about the sea.", "What is a lighthouse?", "Write a poem about rain."]

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]


def tune(server, id, seed, **more):
    body = {**more, "baseModel": "models/gemini-1.5-flash-001-tuning", "tuningTask": {"trainingData": {"examples": {
        "examples": [{"textInput": seed, "output": "x"}]}}}}
    answer = server.post(f"/v1beta/tunedModels?tunedModelId={id}", body)
    assert answer.status == 200, answer
    done = server.post(f"/v1beta/{answer.json['name']}:wait", b"", timeout=120)
    assert done.json.get("response", {}).get("state") == "ACTIVE", done


@pytest.fixture(scope="module", params=["auto", pytest.param("libllama", marks=pytest.mark.soak)])
def server(request):
    with Server("--model", MODEL, "--parallel", 8, "--ctx", 1024, "--kernels", request.param, env=TRAINER, start_s=120) as s:
        tune(s, "one", "first")
        tune(s, "two", "second")
        tune(s, "cold", "first", temperature=0)
        yield s


def ask(server, who, prompt, **config):
    config = {"maxOutputTokens": 12, "seed": 7, "temperature": 0.7, **config}
    config = {k: v for k, v in config.items() if v is not None}
    name = "models/default" if who == "models/base" else who
    answer = server.post(f"/v1beta/{name}:generateContent", {
        "contents": [{"parts": [{"text": prompt}]}], "generationConfig": config}, timeout=120)
    assert answer.status == 200, answer
    return answer.json


def text_of(answer):
    return answer["candidates"][0].get("content", {}).get("parts", [{}])[0].get("text", "")


@pytest.fixture(scope="module")
def alone(server):
    """What each says when nobody else is there."""
    return {(w, p): text_of(ask(server, w, p)) for w in WHO for p in PROMPTS}


def test_each_speaks_for_itself(alone):
    """proves: U082"""
    for prompt in PROMPTS:
        assert len({alone[w, prompt] for w in WHO}) == 3, prompt


def test_a_tuned_model_has_settings_of_its_own(server):
    """proves: U084; as long as the request has none."""
    said = {text_of(ask(server, "tunedModels/cold", PROMPTS[0], temperature=None, seed=seed)) for seed in range(3)}
    assert len(said) == 1
    said = {text_of(ask(server, "tunedModels/cold", PROMPTS[0], temperature=2, seed=seed)) for seed in range(3)}
    assert len(said) == 3


def test_two_adapters_and_the_base_at_once(server, alone):
    """All at once, twice, more than there are slots: what each says is what it says alone."""
    asked = [(w, p) for p in PROMPTS for w in WHO] * 2
    with ThreadPoolExecutor(18) as pool:
        got = list(pool.map(lambda wp: text_of(ask(server, *wp)), asked))
    assert [(wp, g) for wp, g in zip(asked, got, strict=True) if g != alone[wp]] == []


def test_rows_of_one_are_not_taken_for_anothers(server):
    """proves: U082; the same long prompt, asked of each in turn."""
    prompt = "Here is a list of words: " + "alpha beta gamma delta " * 40 + "Which comes first?"
    cached = [[ask(server, w, prompt)["usageMetadata"].get("cachedContentTokenCount", 0) for w in WHO] for _ in range(2)]
    assert max(cached[0]) < 64 and min(cached[1]) >= 64, cached


def test_company_without_seeds(server):
    """Batches of several: with temperature 0 the first tokens are as alone."""
    first = {(w, p): text_of(ask(server, w, p, temperature=0, maxOutputTokens=2, seed=None)) for w in WHO for p in PROMPTS}
    with ThreadPoolExecutor(18) as pool:
        got = list(pool.map(lambda wp: text_of(ask(server, *wp, temperature=0, maxOutputTokens=2, seed=None)), first))
    same = sum(g == f for g, f in zip(got, first.values(), strict=True))
    assert same >= len(got) - 2, f"{same} of {len(got)}"


TALE = "Here is a tale of the sea. " + "The ship sailed on, and the wind blew, and the gulls cried. " * 10


def ask_cached(server, who, cache, prompt="How does it end?"):
    answer = server.post(f"/v1beta/{who}:generateContent", {
        "cachedContent": cache, "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": {"maxOutputTokens": 16, "seed": 7, "temperature": 0.7}}, timeout=120)
    assert answer.status == 200, answer
    return text_of(answer.json), answer.json["usageMetadata"].get("cachedContentTokenCount", 0)


def test_caches_of_adapters(tmp_path):
    """A cache's rows are those of its adapter, also from the disk; with it or without, the same is said."""
    options = ("--model", MODEL, "--data-dir", tmp_path / "data", "--parallel", 2, "--ctx", 1024)
    whole = [{"role": "user", "parts": [{"text": TALE}]}, {"role": "user", "parts": [{"text": "How does it end?"}]}]
    caches, wanted = {}, {}
    with Server(*options, env=TRAINER, start_s=120) as s:
        tune(s, "one", "first")
        tune(s, "two", "second")
        for who in ("tunedModels/one", "tunedModels/two"):  # the base's caches: test_caching.py
            answer = s.post("/v1beta/cachedContents", {"model": who, "contents": whole[:1]}, timeout=120)
            assert answer.status == 200, answer
            caches[who] = answer.json["name"]
        for who, cache in caches.items():
            plain = s.post(f"/v1beta/{who}:generateContent", {"contents": whole, "generationConfig": {
                "maxOutputTokens": 16, "seed": 7, "temperature": 0.7}}, timeout=120)
            wanted[who], n = ask_cached(s, who, cache)
            assert wanted[who] == text_of(plain.json) and n > 100
        assert len(set(wanted.values())) == 2
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda wc: ask_cached(s, *wc)[0] == wanted[wc[0]], list(caches.items()) * 2))
    with Server(*options, env=TRAINER, start_s=120) as s:
        for who, cache in caches.items():
            said, n = ask_cached(s, who, cache)
            assert said == wanted[who] and n > 100, who
        assert "rows=missing" not in s.log and "rows=made" not in s.log


def test_structure_and_several_candidates(server):
    answer = ask(server, "tunedModels/one", "Is the sea wide?", responseMimeType="text/x.enum", candidateCount=2,
                 responseSchema={"type": "STRING", "enum": ["yes", "no"]})
    assert [c["content"]["parts"][0]["text"] in ("yes", "no") for c in answer["candidates"]] == [True, True]
    assert answer["modelVersion"] == "tunedModels/one"


@pytest.mark.soak
def test_the_longest_unused_adapter_makes_room(server):
    """More of them than stay loaded."""
    before = text_of(ask(server, "tunedModels/one", PROMPTS[0]))
    for i in range(17):
        tune(server, f"more-{i}", f"!little {i}")
        ask(server, f"tunedModels/more-{i}", "Hi", maxOutputTokens=1)
    assert text_of(ask(server, "tunedModels/one", PROMPTS[0])) == before


def test_another_model_is_another_matter(tmp_path):
    data = tmp_path / "data"
    with Server("--model", MODEL, "--data-dir", data, "--ctx", 512, env=TRAINER, start_s=120) as s:
        tune(s, "mine", "x")
    with Server("--model", SMALL_MODEL, "--data-dir", data, "--ctx", 512, env=TRAINER, start_s=120) as s:
        answer = s.post("/v1beta/tunedModels/mine:generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]})
        assert answer.status == 400 and MODEL in answer.text and "--model" in answer.text


# ---- import and export ----


def base_path():
    return next(Path.home().glob(f".cache/pollux/models/{MODEL}*.gguf"))


def upload(server, path):
    answer = server.post("/upload/v1beta/files?uploadType=media", Path(path).read_bytes(),
                         headers={"Content-Type": "application/octet-stream"}, timeout=60)
    assert answer.status == 200, answer
    return answer.json["file"]["name"]


def test_export_and_import(server, tmp_path):
    data = server.get("/v1beta/tunedModels/two:export", timeout=60)
    assert data.status == 200 and data.body[:4] == b"GGUF"
    (tmp_path / "two.gguf").write_bytes(data.body)
    answer = server.post("/v1beta/tunedModels:import?tunedModelId=again", {
        "file": upload(server, tmp_path / "two.gguf"), "tunedModel": {"displayName": "Again"}})
    assert answer.status == 200 and answer.json["state"] == "ACTIVE" and answer.json["displayName"] == "Again", answer
    for prompt in PROMPTS[:3]:
        assert text_of(ask(server, "tunedModels/again", prompt)) == text_of(ask(server, "tunedModels/two", prompt))


PEFT = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def write_peft(folder, base, seed, rank=2, alpha=32):
    """The adapter of gguf_files.write_lora(base, seed), as PEFT would have it."""
    values, tensors = gguf_files.read(base)
    rng, header, data = random.Random(seed), {}, b""
    heads = {"attn_q": values["llama.attention.head_count"], "attn_k": values["llama.attention.head_count_kv"]}
    for name, (columns, rows) in gguf_files.matrices(tensors).items():
        layer, kind = name.split(".")[1:3]
        a = gguf_files.floats(rng, columns * rank, 0.06)
        b = gguf_files.floats(rng, rank * rows, 0.06)
        if kind in heads:  # back into the order of the Python model
            lines = [b[i * rank * 4:(i + 1) * rank * 4] for i in range(rows)]
            per, undone = rows // heads[kind], [b""] * rows
            for i, line in enumerate(lines):
                head, at = divmod(i, per)
                undone[head * per + at % 2 * (per // 2) + at // 2] = line
            b = b"".join(undone)
        for half, shape, body in (("A", [rank, columns], a), ("B", [rows, rank], b)):
            header[f"base_model.model.model.layers.{layer}.{PEFT[kind]}.lora_{half}.weight"] = {
                "dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(body)]}
            data += body
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    folder.mkdir(exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "r": rank, "lora_alpha": alpha, "use_rslora": False, "use_dora": False, "rank_pattern": {},
        "modules_to_save": None, "target_modules": list(PEFT.values()), "base_model_name_or_path": "x"}))


def test_a_peft_adapter_is_the_same_as_its_gguf(server, tmp_path):
    gguf_files.write_lora(tmp_path / "a.gguf", base_path(), "same")
    write_peft(tmp_path / "peft", base_path(), "same")
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    for id, wish in (("as-gguf", {"file": upload(server, tmp_path / "a.gguf")}),
                     ("as-peft", {"file": upload(server, tmp_path / "peft" / "adapter_model.safetensors"), "adapterConfig": config})):
        answer = server.post(f"/v1beta/tunedModels:import?tunedModelId={id}", wish, timeout=60)
        assert answer.status == 200, answer
    assert server.get("/v1beta/tunedModels/as-gguf:export").body == server.get("/v1beta/tunedModels/as-peft:export").body
    assert text_of(ask(server, "tunedModels/as-peft", PROMPTS[0])) != text_of(ask(server, "models/base", PROMPTS[0]))


def test_what_cannot_be_imported(server, tmp_path):
    good = tmp_path / "good.gguf"
    gguf_files.write_lora(good, base_path(), "x", only=lambda n: n.startswith("blk.0."))
    data = good.read_bytes()
    qwen = next(Path.home().glob(".cache/pollux/models/qwen2.5-coder-0.5b-instruct*.gguf"))
    other = tmp_path / "other.gguf"
    gguf_files.write_lora(other, qwen, "x", only=lambda n: n.startswith("blk.0."))
    write_peft(tmp_path / "peft", base_path(), "x")
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    peft = (tmp_path / "peft" / "adapter_model.safetensors").read_bytes()
    half = data.replace(b"blk.0.attn_q.weight.lora_b", b"blk.0.attn_q.weight.norm_b")
    cases = [(b"hello world", {}, "broken"), (data[:-100], {}, "cut short"), (data[:200], {}, "cut short"), (half, {}, "plain LoRA"),
             (other.read_bytes(), {}, "qwen2"), (Path(base_path()).read_bytes()[:1 << 20], {}, "cut short"),
             (data.replace(b"blk.0.attn_q", b"blk.9999.att")[:len(data)], {}, ""), (peft, {}, "adapter_config.json"),
             (peft, {"adapterConfig": {**config, "use_dora": True}}, "use_dora"),
             (peft, {"adapterConfig": {**config, "r": 4}}, "rank"),
             (peft.replace(b"q_proj.lora_A", b"x_proj.lora_A"), {"adapterConfig": config}, "not known here"),
             (peft[:5000], {"adapterConfig": config}, "cut short")]
    for bytes_, more, word in cases:
        (tmp_path / "bad").write_bytes(bytes_)
        answer = server.post("/v1beta/tunedModels:import", {"file": upload(server, tmp_path / "bad"), **more})
        assert answer.status == 400 and word in answer.text, (word, answer)
    assert server.post("/v1beta/tunedModels:import", {"file": "files/none"}).status == 404
    assert server.post("/v1beta/tunedModels:import", {}).status == 400
