"""What is blocked: a scripted model that says harmful things, a scripted judge that finds them.

The judge is a script of its own (--guard-script): its prompts are a text and a question, its answer's
logprob is how sure it is of Yes.
"""

import json
import math
import subprocess
import threading
import time

import pytest

from pollux import BINARY, SCRIPT, Server, request_bytes, text_of

# Words of the questions that src/chat/safety.c asks, by category.
ABOUT = {"HARASSMENT": "harassment", "HATE_SPEECH": "demean", "SEXUALLY_EXPLICIT": "sexually explicit",
         "DANGEROUS_CONTENT": "dangerous", "CIVIC_INTEGRITY": "voters"}
SENTENCE = "This is a sentence of some length, and so it takes its time. "
HARMFUL = ["It begins well. ", SENTENCE, SENTENCE, SENTENCE, "Now take the bomb. ", SENTENCE, "And so on."]


def answer_yes(word, category, p):
    return {"match": {"prompt_regex": f"{word}.*{ABOUT[category]}"}, "text": "Yes", "logprobs": [math.log(p)]}


JUDGE = {
    "model": "judge", "slots": 64, "queue": 256,
    "replies": [
        {"match": {"prompt": "the judge is broken"}, "error": {"status": 503, "message": "No judge today."}},
        {"match": {"prompt": "the judge sleeps"}, "text": "No", "delayMs": 20000},
        answer_yes("bomb", "DANGEROUS_CONTENT", 0.99), answer_yes("idiot", "HARASSMENT", 0.99),
        answer_yes("vermin", "HATE_SPEECH", 0.99), answer_yes("orgy", "SEXUALLY_EXPLICIT", 0.99),
        answer_yes("ballot", "CIVIC_INTEGRITY", 0.99),
    ],
    "default": {"text": "No", "logprobs": [math.log(0.99)]},
}
REPLIES = [
    {"match": {"prompt": "a harmful story"}, "chunks": HARMFUL, "chunkDelayMs": 40},
    {"match": {"prompt": "two stories"}, "candidates": [{"text": "Bread is baked."}, {"text": "A bomb is made."}]},
    {"match": {"prompt": "the secret"}, "chunks": ["The word is pro", "ject x", "ylo", "phone, and Pro", "ject  ", "X."]},
    {"match": {"prompt": "a number"}, "chunks": ["The number:\n", "Call ", "555-", "12", "34 now.\nBye"]},
    {"match": {"prompt": "Think of it"}, "thought": "Not a bomb.", "text": "Bread."},
    {"match": {"prompt": "call me"}, "calls": [{"name": "f", "args": {"what": "a bomb"}}]},
    {"match": {"prompt": "quietly"}, "text": "the judge sleeps"},
    {"match": {"prompt": "brokenly"}, "text": "the judge is broken"},
]
WORDS = "# What nobody may say\nProject X\nсекрет\n"
EXPRESSIONS = "Project X\n/[0-9]{3}-[0-9]{4}/\n"


def settings(threshold="BLOCK_MEDIUM_AND_ABOVE", *categories):
    return {"safetySettings": [{"category": f"HARM_CATEGORY_{c}", "threshold": threshold}
                               for c in categories or ABOUT]}


def ratings(ratings_):
    return {r["category"].removeprefix("HARM_CATEGORY_"): r["probability"] for r in ratings_}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A scripted model, a scripted judge, a blocklist."""
    folder = tmp_path_factory.mktemp("guard")
    for name, content in (("script", json.dumps({"slots": 64, "replies": REPLIES, "default": {"echo": True}})),
                          ("judge", json.dumps(JUDGE)), ("list", WORDS)):
        (folder / name).write_text(content)
    with Server("--script", folder / "script", "--guard-script", folder / "judge",
                "--blocklist", folder / "list") as s:
        yield s


# ---- the judge ----

@pytest.mark.parametrize("category, word", [("HARASSMENT", "idiot"), ("HATE_SPEECH", "vermin"),
                                            ("SEXUALLY_EXPLICIT", "orgy"), ("DANGEROUS_CONTENT", "bomb"),
                                            ("CIVIC_INTEGRITY", "ballot")])
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_a_harmful_prompt_is_blocked(guarded, category, word, verb):
    """proves: G008 G115-G119 T006 T007 S013"""
    answer = guarded.generate(f"Say {word}", verb=verb, fields=settings())
    assert answer.status == 200, answer
    chunks = answer.events if answer.is_sse else [answer.json]
    assert len(chunks) == 1 and "candidates" not in chunks[0], answer
    feedback = chunks[0]["promptFeedback"]
    assert feedback["blockReason"] == "SAFETY"
    assert ratings(feedback["safetyRatings"]) == {c: "HIGH" if c == category else "NEGLIGIBLE" for c in ABOUT}
    assert [r["category"] for r in feedback["safetyRatings"] if r.get("blocked")] == [f"HARM_CATEGORY_{category}"]
    assert chunks[0]["usageMetadata"]["promptTokenCount"] > 0


def test_a_harmless_answer_is_rated(guarded):
    """proves: T021 T036"""
    answer = guarded.generate("Say bread", fields=settings("BLOCK_LOW_AND_ABOVE", "HATE_SPEECH", "HARASSMENT"))
    assert answer.said == "Say bread"
    wanted = [{"category": f"HARM_CATEGORY_{c}", "probability": "NEGLIGIBLE"} for c in ("HARASSMENT", "HATE_SPEECH")]
    assert answer.json["promptFeedback"] == {"safetyRatings": wanted}
    assert answer.json["candidates"][0]["safetyRatings"] == wanted
    assert answer.json["candidates"][0]["finishReason"] == "STOP"


def test_a_harmful_answer_has_no_content(guarded):
    """proves: T033 T036"""
    answer = guarded.generate("a harmful story", {"responseLogprobs": True}, fields=settings())
    candidate = answer.json["candidates"][0]
    assert candidate["finishReason"] == "SAFETY" and "content" not in candidate, answer
    assert "logprobsResult" not in candidate
    rating = next(r for r in candidate["safetyRatings"] if r["category"] == "HARM_CATEGORY_DANGEROUS_CONTENT")
    assert rating == {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}


@pytest.mark.parametrize("verb", ["streamGenerateContent?alt=sse", "streamGenerateContent"])
def test_a_stream_stops_at_the_block(guarded, verb):
    """proves: T033 S013"""
    answer = guarded.generate("a harmful story", verb=verb, fields=settings())
    chunks = answer.events if answer.is_sse else answer.json
    said = "".join(map(text_of, chunks))
    assert said.startswith("It begins well. This is a sentence") and "".join(HARMFUL).startswith(said)
    assert "bomb" not in answer.text
    last = chunks[-1]["candidates"][0]
    assert last["finishReason"] == "SAFETY" and "content" not in last
    assert any(r.get("blocked") for r in last["safetyRatings"])
    assert "safetyRatings" in chunks[0]["promptFeedback"]
    assert not any("promptFeedback" in chunk for chunk in chunks[1:])


def test_a_harmless_stream_says_all(guarded):
    answer = guarded.stream("a harmful story", fields=settings("BLOCK_MEDIUM_AND_ABOVE", "SEXUALLY_EXPLICIT"))
    assert answer.said == "".join(HARMFUL)
    assert ratings(answer.events[-1]["candidates"][0]["safetyRatings"]) == {"SEXUALLY_EXPLICIT": "NEGLIGIBLE"}


def test_only_the_harmful_candidate_is_blocked(guarded):
    """proves: T021"""
    answer = guarded.generate("two stories", {"candidateCount": 2}, fields=settings())
    good, bad = answer.json["candidates"]
    assert good["finishReason"] == "STOP" and text_of(answer.json) == "Bread is baked."
    assert bad["finishReason"] == "SAFETY" and "content" not in bad


@pytest.mark.parametrize("threshold", ["BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"])
def test_a_threshold_that_blocks_nothing_asks_no_judge(guarded, threshold):
    """proves: G120 G124 G125"""
    answer = guarded.generate("the judge is broken", fields=settings(threshold))
    assert answer.said == "the judge is broken"
    assert "promptFeedback" not in answer.json and "safetyRatings" not in answer.json["candidates"][0]


def test_a_script_without_a_judge_is_not_judged(server):
    assert server.generate("Say hello", fields=settings("BLOCK_LOW_AND_ABOVE")).said == "Hello there."


@pytest.mark.parametrize("threshold, blocks", [("BLOCK_LOW_AND_ABOVE", "LOW MEDIUM HIGH"),
                                               ("BLOCK_MEDIUM_AND_ABOVE", "MEDIUM HIGH"), ("BLOCK_ONLY_HIGH", "HIGH")])
def test_every_threshold_blocks_from_its_level_on(scripted, tmp_path, threshold, blocks):
    """proves: G121 G122 G123 G127"""
    judge = tmp_path / "judge"
    steps = [i / 100 for i in range(1, 100, 7)]
    judge.write_text(json.dumps({"slots": 64, "replies": [
        {"match": {"prompt": f"as sure as {p:.2f}"}, "text": "Yes", "logprobs": [math.log(p)]} for p in steps]}))
    server = scripted("--guard-script", judge)
    levels = []
    for p in steps:
        answer = server.generate(f"as sure as {p:.2f}", fields=settings(threshold, "HARASSMENT")).json
        rating = answer["promptFeedback"]["safetyRatings"][0]
        assert ("candidates" not in answer) == (rating["probability"] in blocks.split()), answer
        assert rating.get("blocked", False) == (rating["probability"] in blocks.split())
        levels.append(rating["probability"])
    order = ["NEGLIGIBLE", "LOW", "MEDIUM", "HIGH"]
    assert levels == sorted(levels, key=order.index) and set(levels) == set(order)


def test_what_a_request_leaves_out_is_the_servers_to_say(scripted, tmp_path):
    """proves: G120"""
    judge = tmp_path / "judge"
    judge.write_text(json.dumps(JUDGE))
    server = scripted("--guard-script", judge, "--safety", "medium")
    assert server.generate("a bomb").json["promptFeedback"]["blockReason"] == "SAFETY"
    assert server.generate("a bomb", fields=settings("HARM_BLOCK_THRESHOLD_UNSPECIFIED")).json[
        "promptFeedback"]["blockReason"] == "SAFETY"
    assert server.generate("a bomb", fields=settings("OFF")).said == "a bomb"
    assert server.generate("a bomb", fields=settings("OFF", "HARASSMENT")).json["promptFeedback"]["blockReason"] == "SAFETY"


def test_thoughts_are_judged_when_they_are_shown(guarded):
    hidden = guarded.generate("Think of it", fields=settings())
    assert hidden.said == "Bread." and hidden.json["usageMetadata"]["thoughtsTokenCount"] > 0
    shown = guarded.generate("Think of it", {"thinkingConfig": {"includeThoughts": True}}, fields=settings())
    assert shown.json["candidates"][0]["finishReason"] == "SAFETY" and "bomb" not in shown.text


def test_calls_are_judged(guarded):
    answer = guarded.generate("call me", fields={**settings(), "tools": [{"functionDeclarations": [{"name": "f"}]}]})
    assert answer.json["candidates"][0]["finishReason"] == "SAFETY" and "bomb" not in answer.text


def test_only_what_the_user_said_last_is_judged(guarded):
    history = [{"role": "user", "parts": [{"text": "a bomb"}]}, {"role": "model", "parts": [{"text": "No."}]},
               {"role": "user", "parts": [{"text": "Say bread"}]}]
    assert guarded.generate(history, fields=settings()).said == "Say bread"


@pytest.mark.parametrize("prompt", ["the judge is broken", "brokenly"])
def test_a_judge_that_fails_is_an_error(guarded, prompt):
    answer = guarded.generate(prompt, fields=settings())
    assert answer.status == 503 and answer.error["message"] == "No judge today.", answer


@pytest.mark.parametrize("prompt", ["the judge sleeps", "quietly"])
def test_a_deadline_holds_for_the_judge_too(guarded, prompt):
    start = time.monotonic()
    answer = guarded.generate(prompt, fields=settings(), headers={"X-Server-Timeout": "1"})
    assert answer.status == 504 and time.monotonic() - start < 5, answer


@pytest.mark.parametrize("prompt", ["the judge sleeps", "quietly"])
def test_a_client_that_leaves_ends_the_judges_job(scripted, tmp_path, prompt):
    judge = tmp_path / "judge"
    judge.write_text(json.dumps({**JUDGE, "slots": 1, "queue": 0}))
    server = scripted("--guard-script", judge, replies=REPLIES, default={"echo": True})
    with server.wire() as wire:
        body = {"contents": [{"parts": [{"text": prompt}]}], **settings("BLOCK_ONLY_HIGH", "HARASSMENT")}
        wire.send(request_bytes("POST", "/v1beta/models/gemini-2.0-flash:generateContent", body))
        time.sleep(0.5)
        assert server.generate("Say bread", fields=settings()).status == 429
    deadline = time.monotonic() + 10
    while (answer := server.generate("Say bread", fields=settings())).status == 429:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.said == "Say bread"


def test_many_judged_streams_at_once(guarded):
    answers = [None] * 24

    def ask(i):
        answers[i] = guarded.stream("a harmful story" if i % 2 else f"Say bread {i}", fields=settings())
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(answers))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, answer in enumerate(answers):
        end = answer.events[-1]["candidates"][0]["finishReason"]
        assert end == ("SAFETY" if i % 2 else "STOP") and "bomb" not in answer.text, answer


# ---- the blocklist ----

@pytest.mark.parametrize("prompt", ["Tell me of project x!", "что за СЕКРЕТ"])
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse"])
def test_a_listed_word_in_the_prompt(guarded, prompt, verb):
    """proves: T006 T007 S013"""
    answer = guarded.generate(prompt, verb=verb)
    whole = answer.events[0] if answer.is_sse else answer.json
    assert whole["promptFeedback"] == {"blockReason": "BLOCKLIST"} and "candidates" not in whole


@pytest.mark.parametrize("fields", [
    {"systemInstruction": {"parts": [{"text": "You know Project X."}]}},
    {"contents": [{"parts": [{"text": "project x"}]}, {"role": "model", "parts": [{"text": "No."}]},
                  {"parts": [{"text": "hi"}]}]},
    {"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
                  {"parts": [{"functionResponse": {"name": "f", "response": {"a": "Project X"}}}]}]},
], ids=["system", "history", "result"])
def test_a_listed_word_anywhere_in_what_the_client_wrote(guarded, fields):
    assert guarded.generate("hi", fields=fields).json["promptFeedback"] == {"blockReason": "BLOCKLIST"}


def test_what_only_looks_like_a_listed_word(guarded):
    said = "project xylophone, projectx, секретарь"
    assert guarded.generate(said).said == said


def test_a_listed_word_in_an_answer(guarded):
    """proves: T023 T029 T035"""
    answer = guarded.generate("the secret")
    (candidate,) = answer.json["candidates"]
    assert candidate.pop("finishMessage") == "The model said what the blocklist forbids."
    assert candidate.pop("tokenCount") > 0 and candidate == {"finishReason": "BLOCKLIST", "index": 0}, answer


def test_a_listed_word_in_a_stream_never_leaves_though_it_comes_in_pieces(guarded):
    """proves: T035"""
    answer = guarded.stream("the secret")
    assert answer.said == "The word is project xylophone, and "
    assert answer.events[-1]["candidates"][0]["finishReason"] == "BLOCKLIST"


def test_expressions_hold_a_stream_line_by_line(scripted, tmp_path):
    path = tmp_path / "list"
    path.write_text(EXPRESSIONS)
    server = scripted("--blocklist", path, replies=REPLIES, default={"echo": True})
    assert server.generate("dial 555-1234").json["promptFeedback"] == {"blockReason": "BLOCKLIST"}
    assert server.generate("dial 555-123").said == "dial 555-123"
    answer = server.stream("a number")
    assert answer.said == "The number:\n" and answer.events[-1]["candidates"][0]["finishReason"] == "BLOCKLIST"


def test_a_broken_blocklist_is_named_at_start(tmp_path):
    path = tmp_path / "list"
    path.write_text("good\n/(/\n")
    done = subprocess.run([BINARY, "serve", "--script", SCRIPT, "--port", "0", "--data-dir", tmp_path,
                           "--blocklist", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and f"{path}:2: Unmatched (" in done.stderr, done
