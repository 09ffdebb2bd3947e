"""A model that sees, or hears: its projector is a tiny one with random weights (tests/projector.py), so what it sees means
nothing, but it is seen: counted, remembered, and different for another picture."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gguf_files
import projector
from media_files import CURRENT, blob, film, pdf, picture, png, run, scan, speech
from pollux import SCRIPT, SMALL_MODEL, Server
from test_caches import create, n_cached, usage, use
from test_files import upload

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]
MODEL = "smollm2-135m-instruct"
FRAME = 22  # tokens: this projector's marks round a picture, spelled out by a model that has no such tokens
SIGN, RED = picture("TURN LEFT 42"), picture("", ground="red")


@pytest.fixture(scope="module")
def seeing(tmp_path_factory):
    """Rows by the picture's size: 64 to 256."""
    path = projector.make(tmp_path_factory.mktemp("sight") / "lfm2.gguf", "lfm2", image_size=224)
    with Server("--model", MODEL, "--mmproj", path, "--parallel", 4, "--ctx", 2048, "--log-level", "debug", start_s=60) as s:
        yield s


def look(server, *parts, config=None, verb="generateContent", **more):
    parts = [{"text": p} if isinstance(p, str) else p for p in parts]
    answer = server.generate([{"parts": parts}], {"temperature": 0, "maxOutputTokens": 8, **(config or {})}, verb=verb,
                             timeout=60, **more)
    assert answer.status == 200, answer
    return answer


def counts(answer):
    usage = answer.json["usageMetadata"]
    return {d["modality"]: d["tokenCount"] for d in usage["promptTokensDetails"]}, usage.get("cachedContentTokenCount", 0)


def tally(server, part, level="LOW"):
    """What countTokens says of a part."""
    part = {**part, "mediaResolution": {"level": f"MEDIA_RESOLUTION_{level}"}}
    answer = server.post(f"/v1beta/models/{MODEL}:countTokens", {"contents": [{"parts": [{"text": "What is it?"}, part]}]}, timeout=60)
    assert answer.status == 200, answer
    return sum(d["tokenCount"] for d in answer.json["promptTokensDetails"] if d["modality"] != "TEXT")


def test_pictures_are_seen_and_not_read(seeing):
    """proves: G020"""
    answer = look(seeing, "What is it?", blob(SIGN, "image/png"))
    assert re.fullmatch(r'contents\[0\]\.parts\[1\]=image/png; reader="Pillow [\d.]+, libmtmd"', answer.headers["x-pollux-media"])
    found, _ = counts(answer)
    assert 64 <= found["IMAGE"] <= 256 and found["TEXT"] > 5
    total = answer.json["usageMetadata"]["promptTokenCount"]
    assert total == sum(found.values())
    said = {look(seeing, "What is it?", blob(p, "image/png")).said for p in (SIGN, RED, SIGN)}
    assert len(said) == 2, "the same picture is the same, another is another"
    assert look(seeing, "What is it?").said not in said


def test_tokens_are_counted_before(seeing):
    """proves: T052"""
    parts = [{"text": "What is it?"}, blob(SIGN, "image/png")]
    count = seeing.post(f"/v1beta/models/{MODEL}:countTokens", {"contents": [{"parts": parts}]}).json
    found, _ = counts(look(seeing, *parts))
    assert {d["modality"]: d["tokenCount"] for d in count["promptTokensDetails"]} == found
    assert count["totalTokens"] == sum(found.values())


def test_interactions_show_pictures_as_well(seeing):
    content = [{"type": "text", "text": "What is it?"}, {"type": "image", **{
        "data": blob(SIGN, "image/png")["inlineData"]["data"], "mime_type": "image/png"}}]
    answer = seeing.post("/v1beta/interactions", {"model": MODEL, "store": False, "generation_config": {
        "temperature": 0, "max_output_tokens": 8}, "input": content}, timeout=60)
    assert answer.status == 200 and answer.headers["x-pollux-media"].endswith('libmtmd"'), answer
    found, _ = counts(look(seeing, "What is it?", blob(SIGN, "image/png")))
    told = {d["modality"]: d["tokens"] for d in answer.json["usage"]["input_tokens_by_modality"]}
    assert told == {kind.lower(): n for kind, n in found.items()}


@pytest.mark.parametrize("config, part, least, most", [
    ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {}, 1, 64),
    ({"mediaResolution": "MEDIA_RESOLUTION_MEDIUM"}, {}, 65, 256),
    ({}, {"mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}, 1, 64),
    ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {"mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}, 65, 256),
    ({}, {"mediaResolution": {"numTokens": 100}}, 65, 100),
])
def test_resolution_sets_the_tokens(seeing, config, part, least, most):
    """proves: G033 G082 G091"""
    found, _ = counts(look(seeing, "What is it?", {**blob(SIGN, "image/png"), **part}, config=config))
    assert least <= found["IMAGE"] - FRAME <= most, found


def test_the_prefix_with_a_picture_is_cached_by_its_content(seeing):
    question = "Tell me about the picture that I have sent to you just now, please."
    first = look(seeing, blob(SIGN, "image/png"), question)
    again = look(seeing, blob(SIGN, "image/png"), question + " And more of it.")
    other = look(seeing, blob(picture("ANOTHER"), "image/png"), question)
    found, _ = counts(first)
    assert counts(again)[1] > found["IMAGE"] and counts(other)[1] < 60
    assert look(seeing, blob(SIGN, "image/png"), question).said == first.said
    jpeg = look(seeing, blob(picture("TURN LEFT 42", "JPEG"), "image/jpeg"), question)
    assert counts(jpeg)[1] < 60, "other bytes are another picture"


def test_several_pictures_side_by_side_and_between_words(seeing):
    one, _ = counts(look(seeing, blob(SIGN, "image/png")))
    two, _ = counts(look(seeing, blob(SIGN, "image/png"), blob(RED, "image/png"), "and", blob(SIGN, "image/png"), "Compare."))
    assert two["IMAGE"] == 3 * one["IMAGE"]
    swapped = look(seeing, blob(RED, "image/png"), blob(SIGN, "image/png"), "Which one is first?", config={"maxOutputTokens": 20})
    assert swapped.said != look(seeing, blob(SIGN, "image/png"), blob(RED, "image/png"), "Which one is first?",
                                config={"maxOutputTokens": 20}).said


def test_the_same_seed_gives_the_same_alone_and_in_company(seeing):
    config = {"seed": 7, "temperature": 1, "maxOutputTokens": 16}
    ask = lambda p: look(seeing, "What do you see?", blob(p, "image/png"), config=config).said
    alone = ask(SIGN)
    with ThreadPoolExecutor(4) as pool:
        assert [s for s in pool.map(ask, [SIGN, RED, SIGN, RED])][::2] == [alone, alone]


def test_streams_candidates_and_schemas_see_as_well(seeing):
    answer = look(seeing, "What is it?", blob(SIGN, "image/png"), verb="streamGenerateContent?alt=sse")
    assert answer.said == look(seeing, "What is it?", blob(SIGN, "image/png")).said
    both = look(seeing, "What is it?", blob(SIGN, "image/png"), config={"candidateCount": 2})
    assert len({c["content"]["parts"][0]["text"] for c in both.json["candidates"]}) == 1
    schema = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["sign", "cat"]}}
    assert look(seeing, "What is it?", blob(SIGN, "image/png"), config=schema).said in ("sign", "cat")


def test_what_it_does_not_see_is_read(seeing):
    answer = look(seeing, blob(speech("Good morning."), "audio/wav"), blob(b"plain words", "text/plain"))
    assert answer.headers["x-pollux-media"].count("libmtmd") == 0


@pytest.mark.parametrize("data", [png(60000, 60000, 10), SIGN[:900], b"hello"])
def test_broken_pictures_are_refused(seeing, data):
    answer = seeing.generate([{"parts": [{"text": "Look:"}, blob(data, "image/png")]}], timeout=60)
    assert answer.status == 400 and "contents[0].parts[1].inline_data" in answer.error["message"], answer


def test_more_pictures_than_fit_are_told(seeing):
    parts = [blob(picture(f"NUMBER {i}"), "image/png") for i in range(14)]
    answer = seeing.generate([{"parts": parts}], timeout=100)
    assert answer.status == 400 and "exceeds the maximum number of tokens" in answer.error["message"], answer


def test_far_more_pictures_than_fit_are_not_even_looked_at(seeing):
    """Views take memory: the part at which it is enough is blamed, and those behind it are not read."""
    look(seeing, blob(SIGN, "image/png"))  # from now on it is gathered, and not read
    parts = [blob(SIGN, "image/png")] * 80 + [blob(SIGN[:900], "image/png")]
    answer = seeing.generate([{"parts": parts}], timeout=100)
    assert answer.status == 400 and re.search(r"contents\[0\]\.parts\[\d+\]\.inline_data: .* exceeds the maximum number of tokens",
                                              answer.error["message"]), answer


def test_a_text_cannot_conjure_a_picture(seeing):
    before = counts(look(seeing, "x"))[0]["TEXT"]
    forged = "<pollux-view-" + "0" * 64 + "-0>"
    assert counts(look(seeing, f"x{forged}"))[0]["TEXT"] > before + 20


def test_models_with_always_the_same_number_of_rows(tmp_path):
    path = projector.make(tmp_path / "mlp.gguf", "mlp", image_size=56)
    with Server("--model", MODEL, "--mmproj", path, "--ctx", 1024, start_s=60) as server:
        for level in ("LOW", "MEDIUM"):
            found, _ = counts(look(server, blob(SIGN, "image/png"), config={"mediaResolution": f"MEDIA_RESOLUTION_{level}"}))
            assert found["IMAGE"] == 16


@pytest.mark.parametrize("make, words", [
    (lambda p: p, "cannot read the projector"),
    (lambda p: p.write_bytes(b"GGUF" + bytes(100)) and p, "no projector of this model"),
    (lambda p: projector.make(p, "mlp", model_width=64), "no projector of this model"),
])
def test_a_projector_that_does_not_fit(tmp_path, make, words):
    path = make(tmp_path / "p.gguf")
    with pytest.raises(RuntimeError, match=f"ended with 1:(?s:.*){words}"):
        Server("--model", MODEL, "--mmproj", path, start_s=60)


def test_a_script_does_not_see():
    with pytest.raises(RuntimeError, match="ended with 2:(?s:.*)--mmproj"):
        Server("--script", SCRIPT, "--mmproj", "x.gguf")


# ---- film ----


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    """Four seconds of two signs, with a spoken question."""
    return film("mp4", str(tmp_path_factory.mktemp("film")))


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    return film("mp4", str(tmp_path_factory.mktemp("film")), spoken=False)


def video(data, **metadata):
    return {**blob(data, "video/mp4"), **({"videoMetadata": metadata} if metadata else {})}


ONE_FRAME = {"mediaResolution": "MEDIA_RESOLUTION_LOW"}  # 64 tokens and the marks round them


def test_the_frames_of_a_film_are_seen(seeing, movie):
    answer = look(seeing, "What happens?", video(movie), config=ONE_FRAME)
    assert re.fullmatch(r'contents\[0\]\.parts\[1\]=video/mp4; reader="ffmpeg [\d.]+, faster-whisper [\d.]+ \(base\), libmtmd"',
                        answer.headers["x-pollux-media"])
    found, _ = counts(answer)
    assert set(found) == {"TEXT", "VIDEO"} and answer.json["usageMetadata"]["promptTokenCount"] == sum(found.values())
    assert 4 * (64 + FRAME) + 40 < found["VIDEO"] < 4 * (64 + FRAME) + 160, "four frames, their times, and what is said"


def test_a_films_frames_are_those_that_were_asked_for(seeing, silent):
    count = lambda **metadata: tally(seeing, video(silent, **metadata))
    second = count(fps=1, endOffset="1s")
    frame = count(fps=1, endOffset="2s") - second
    assert 64 + FRAME < frame < 64 + FRAME + 12, "a frame and its time"
    assert abs(count(fps=2, startOffset="1s", endOffset="3s") - second - 3 * frame) < 30
    assert abs(count(fps=0.5) - second - frame) < 10
    assert tally(seeing, video(silent, fps=1, endOffset="1s"), "MEDIUM") > second + 20, "mediaResolution is of each frame"


def test_it_is_the_frames_there_that_are_seen(seeing, silent, tmp_path):
    """Two films with the same beginning: all that differs in the prompts of their ends is what is to be seen."""
    other = film("mp4", tmp_path, spoken=False, signs=("FIRST SIGN", "NO MORE SIGNS"))
    config = {**ONE_FRAME, "seed": 4, "responseLogprobs": True}
    ask = lambda data, **span: look(seeing, "What happens?", video(data, fps=1, **span), config=config).json["candidates"][0]["logprobsResult"]
    late, early = {"startOffset": "3s"}, {"endOffset": "1s"}
    assert ask(silent, **late) == ask(silent, **late) != ask(other, **late)
    assert ask(silent, **early) == ask(other, **early)


def test_a_film_is_remembered_as_it_was_seen(seeing, silent):
    seeded = {**ONE_FRAME, "seed": 4, "temperature": 1}
    first = look(seeing, video(silent, fps=1), "Tell me.", config=seeded)
    assert "pictures=4" not in seeing.log
    again = look(seeing, video(silent, fps=1), "Tell me.", config=seeded)
    assert seeing.log.count("type=video/mp4 recalled=1 pictures=4") == 1, "no reader"
    assert again.said == first.said and counts(again)[1] > 4 * 64 and again.headers["x-pollux-media"] == first.headers["x-pollux-media"]
    other = look(seeing, video(silent, fps=1, startOffset="1s"), "Tell me.", config=ONE_FRAME)
    assert counts(other)[1] < 80, "other frames, though the bytes are the same"


def test_a_film_that_is_too_long_for_the_model_is_refused(seeing):
    long = run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x64:r=1", "-t", "300", "-c:v", "libvpx", "-f", "webm", "-")
    answer = seeing.generate([{"parts": [blob(long, "video/webm")]}], timeout=100)
    assert answer.status == 400 and "exceeds the maximum number of tokens" in answer.error["message"], answer
    with_photo = {**blob(SIGN, "image/png"), "videoMetadata": {"fps": 2}}
    answer = seeing.generate([{"parts": [with_photo]}], timeout=100)
    assert answer.status == 400 and "film and sound" in answer.error["message"], answer


def test_a_film_of_sound_alone_is_heard_once(seeing):
    sound = run("ffmpeg", "-v", "error", "-i", "-", "-c:a", "libvorbis", "-f", "webm", "-", data=speech("Good morning."))
    first = look(seeing, blob(sound, "video/webm"), "Tell me.")
    assert set(counts(first)[0]) == {"TEXT", "AUDIO"} and "libmtmd" not in first.headers["x-pollux-media"]
    assert look(seeing, blob(sound, "video/webm"), "Tell me.").said == first.said


# ---- sound ----


@pytest.fixture(scope="module")
def hearing(tmp_path_factory):
    path = projector.make(tmp_path_factory.mktemp("sound") / "qwen2a.gguf", "qwen2a")
    with Server("--model", MODEL, "--mmproj", path, "--parallel", 2, "--ctx", 2048, start_s=60) as s:
        yield s


def wav(words):
    return blob(speech(words), "audio/wav")


def test_sounds_are_heard_and_not_put_into_words(hearing):
    seeded = {"seed": 4, "temperature": 1}
    answer = look(hearing, "What is it?", wav("Good morning."), config=seeded)
    assert re.fullmatch(r'contents\[0\]\.parts\[1\]=audio/wav; reader="ffmpeg [\d.]+, libmtmd"', answer.headers["x-pollux-media"])
    found, _ = counts(answer)
    assert set(found) == {"TEXT", "AUDIO"} and 750 < found["AUDIO"] < 830
    assert answer.json["usageMetadata"]["promptTokenCount"] == sum(found.values())
    again = look(hearing, "What is it?", wav("Good morning."), config=seeded)
    assert again.said == answer.said and counts(again)[1] > 750, "the same sound is the same"
    other = look(hearing, "What is it?", wav("Two sheep."), config=seeded)
    assert other.said != answer.said and counts(other)[1] < 100, "another sound is another"


def test_a_piece_of_a_sound_is_heard(hearing):
    long = blob(speech("One two three four five six seven. " * 12), "audio/wav")  # more than half a minute
    piece = {**long, "videoMetadata": {"startOffset": "1s", "endOffset": "4s"}}
    assert 745 < tally(hearing, long) - tally(hearing, piece) < 760


def test_a_model_that_only_hears_is_told_of_pictures_in_words(hearing):
    answer = look(hearing, "What is it?", blob(SIGN, "image/png"))
    assert "tesseract" in answer.headers["x-pollux-media"] and "libmtmd" not in answer.headers["x-pollux-media"]


def test_a_sound_that_is_too_long_to_be_heard_is_put_into_words(hearing):
    quiet = run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "302", "-f", "wav", "-")
    answer = look(hearing, "What is it?", blob(quiet, "audio/wav"))
    assert "faster-whisper" in answer.headers["x-pollux-media"] and counts(answer)[0]["AUDIO"] < 100


def test_the_sound_of_a_film_is_heard(hearing, movie):
    """What is to be seen comes in words, for this model hears only; what is said in it comes as it is."""
    answer = look(hearing, "What is it?", blob(movie, "video/mp4"))
    reader = answer.headers["x-pollux-media"]
    assert "tesseract" in reader and "libmtmd" in reader and "faster-whisper" not in reader
    found, _ = counts(answer)
    assert set(found) == {"TEXT", "VIDEO"} and 750 < found["VIDEO"] < 900
    assert answer.json["usageMetadata"]["promptTokenCount"] == sum(found.values())


def test_a_sound_in_a_cache_is_heard(hearing):
    story = [{"role": "user", "parts": [wav("Good morning.")]}]
    cache = remember(hearing, story)
    answer = recall(hearing, cache)
    assert n_cached(answer) == cache["usageMetadata"]["totalTokenCount"] > 750
    assert {d["modality"] for d in usage(answer)["cacheTokensDetails"]} >= {"AUDIO"}


# ---- documents ----


def paper(*pages):
    return blob(pdf(*pages), "application/pdf")


def test_the_pages_of_a_document_are_read_and_seen(seeing):
    answer = look(seeing, "What is it?", paper("The first verse", "The second verse"), config=ONE_FRAME)
    assert re.fullmatch(r'contents\[0\]\.parts\[1\]=application/pdf; reader="pdftotext [\d.]+, libmtmd"', answer.headers["x-pollux-media"])
    found, _ = counts(answer)
    assert set(found) == {"TEXT", "DOCUMENT"} and answer.json["usageMetadata"]["promptTokenCount"] == sum(found.values())
    one = tally(seeing, paper("The first verse"))
    assert 64 + FRAME < found["DOCUMENT"] - one < 64 + FRAME + 20, "a picture, its mark, and its words"
    more = tally(seeing, paper("The first verse"), "MEDIUM")
    assert 100 < more - one <= 256 - 64 + FRAME, "mediaResolution is of each page"


def test_a_scanned_page_is_seen(seeing):
    seeded = {**ONE_FRAME, "seed": 4, "temperature": 1}
    said = {look(seeing, "What is it?", blob(scan(words), "application/pdf"), config=seeded).said
            for words in ("SCANNED WORDS", "SCANNED WORDS", "OTHER WORDS")}
    assert len(said) == 2


def test_pages_that_are_not_shown_are_told(seeing):
    """Ten pages and no more are pictures; the text is of all. The few tokens more are the note that says so."""
    nine, ten, eleven, twelve = (tally(seeing, paper(*(["Verse"] * n))) for n in (9, 10, 11, 12))
    assert ten - nine > 64 + FRAME and eleven - ten < 40 and twelve - eleven < 20


# ---- caches ----


@pytest.fixture
def on_folder(tmp_path, tmp_path_factory):
    """Starts servers whose model sees, one after the other on one data folder."""
    path = projector.make(tmp_path_factory.mktemp("sight") / "lfm2.gguf", "lfm2", image_size=224)
    started = []

    def begin(*args, sees=True):
        started.append(Server("--model", MODEL, *(["--mmproj", path] if sees else []), "--parallel", 2, "--ctx", 2048,
                              "--data-dir", tmp_path / "data", *args, start_s=60))
        return started[-1]

    yield begin
    for s in started:
        if s.process.poll() is None:
            s.stop()


SHORT = {"temperature": 0, "maxOutputTokens": 8}
STORY = [{"role": "user", "parts": [{"text": "Here are two signs:"}, blob(SIGN, "image/png"), blob(RED, "image/png")]}]


def remember(server, contents=STORY, **more):
    return create(server, contents, model=f"models/{MODEL}", **more)


def recall(server, cache, config=SHORT, **more):
    return use(server, cache, "What is on the first one?", config, model=MODEL, **more)


def test_pictures_in_a_cache_are_seen(seeing):
    """proves: C001 C013 G020; and whatever the request says, the pictures are those that were cached."""
    cache = remember(seeing)
    answer = recall(seeing, cache)
    plain = seeing.generate(STORY + [{"role": "user", "parts": [{"text": "What is on the first one?"}]}], SHORT, timeout=60)
    assert answer.said == plain.said and usage(answer)["promptTokenCount"] == usage(plain)["promptTokenCount"]
    assert n_cached(answer) == cache["usageMetadata"]["totalTokenCount"] > 128
    cached = {d["modality"]: d["tokenCount"] for d in usage(answer)["cacheTokensDetails"]}
    assert cached["IMAGE"] > 128 and sum(cached.values()) == n_cached(answer)
    assert usage(answer)["promptTokensDetails"] == usage(plain)["promptTokensDetails"]
    low = recall(seeing, cache, {**SHORT, "mediaResolution": "MEDIA_RESOLUTION_LOW"})
    assert usage(low)["promptTokensDetails"] == usage(plain)["promptTokensDetails"] and n_cached(low) >= n_cached(answer)
    assert "x-pollux-media" not in answer.headers, "what was sent before is not told again"


def test_a_seed_gives_the_same_with_pictures_in_a_cache_and_without(seeing):
    """Rows behind a picture are as good as others: but for the last words of the cache none is computed again."""
    seeded = {"seed": 5, "temperature": 1, "maxOutputTokens": 12}
    story = [*STORY, {"role": "model", "parts": [{"text": "I see them. " * 20}]}]
    question = {"role": "user", "parts": [{"text": "What is on the first one?"}]}
    plain = seeing.generate([*story, question], seeded, timeout=60)
    cache = remember(seeing, story)
    answer = recall(seeing, cache, seeded)
    assert answer.said == plain.said != ""
    total = cache["usageMetadata"]["totalTokenCount"]
    assert total - 64 < n_cached(answer) <= total


def test_a_cache_keeps_pictures_of_files_that_are_gone(seeing):
    file = upload(seeing, SIGN, "image/png")
    cache = remember(seeing, [{"role": "user", "parts": [{"fileData": {"fileUri": file["uri"]}}]}])
    assert seeing.call("DELETE", f"/v1beta/{file['name']}").status == 200
    assert n_cached(recall(seeing, cache)) == cache["usageMetadata"]["totalTokenCount"] > 64


def test_a_film_in_a_cache_is_seen_as_it_was_to_be(seeing, silent):
    story = [{"role": "user", "parts": [{**video(silent, fps=1, startOffset="1s", endOffset="3s"),
                                         "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}]}]
    cache = remember(seeing, story)
    answer = recall(seeing, cache)
    plain = seeing.generate(story + [{"role": "user", "parts": [{"text": "What is on the first one?"}]}], SHORT, timeout=60)
    assert usage(answer)["promptTokensDetails"] == usage(plain)["promptTokensDetails"]
    assert n_cached(answer) == cache["usageMetadata"]["totalTokenCount"] > 2 * 64
    cached = {d["modality"]: d["tokenCount"] for d in usage(answer)["cacheTokensDetails"]}
    assert cached["VIDEO"] > 2 * 64 and "IMAGE" not in cached


def test_a_cache_with_resolution_of_its_own(seeing):
    small = {**blob(SIGN, "image/png"), "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}
    cache = remember(seeing, [{"role": "user", "parts": [small]}])
    assert cache["usageMetadata"]["totalTokenCount"] < 64 + FRAME + 40
    assert n_cached(recall(seeing, cache)) == cache["usageMetadata"]["totalTokenCount"]


def test_too_many_pictures_for_a_cache(seeing):
    big = upload(seeing, picture("BIG") + bytes(21 << 20), "image/png")
    answer = seeing.post("/v1beta/cachedContents", {"model": f"models/{MODEL}", "contents": [
        {"parts": [{"fileData": {"fileUri": big["uri"]}}]}]}, timeout=60)
    assert answer.status == 400 and "at most 20 MB" in answer.error["message"], answer


def test_pictures_in_a_cache_after_a_restart(on_folder, tmp_path):
    """The same with its rows, without them, and, in words, with a model that does not see."""
    server = on_folder()
    cache = remember(server)
    total = cache["usageMetadata"]["totalTokenCount"]
    said = recall(server, cache).said
    server.stop()
    server = on_folder()
    answer = recall(server, cache)
    assert answer.said == said and n_cached(answer) == total
    server.stop()
    for path in (p for p in (tmp_path / "data" / "blobs").rglob("*") if p.is_file()):
        path.unlink()
    server = on_folder()
    answer = recall(server, cache)
    assert answer.said == said and n_cached(answer) == total
    server.stop()
    server = on_folder(sees=False)
    answer = recall(server, cache)
    assert answer.status == 200 and usage(answer)["promptTokenCount"] < total, "words, fewer than rows"


# ---- the Interactions API ----


def interact(server, *content, **fields):
    answer = server.post("/v1beta/interactions", {"model": MODEL, "input": list(content), "generation_config": {
        "temperature": 0, "max_output_tokens": 8}, **fields}, timeout=60)
    assert answer.status == 200, answer
    return answer.json


def seen(picture_bytes, **more):
    part = blob(picture_bytes, "image/png")["inlineData"]
    return {"type": "image", "data": part["data"], "mime_type": "image/png", **more}


def n_image(interaction):
    found = {d["modality"]: d["tokens"] for d in interaction["usage"]["input_tokens_by_modality"]}
    return found.get("image", 0)


def test_pictures_in_interactions_are_seen(seeing):
    words = {"type": "text", "text": "What is it?"}
    first = interact(seeing, words, seen(SIGN))
    assert n_image(first) == counts(look(seeing, "What is it?", blob(SIGN, "image/png")))[0]["IMAGE"]
    assert first["steps"] != interact(seeing, words, seen(RED))["steps"]
    low = interact(seeing, words, seen(SIGN, resolution="low"))
    assert n_image(low) <= 64 + FRAME < n_image(first)
    chained = interact(seeing, {"type": "text", "text": "And what else?"}, previous_interaction_id=first["id"])
    assert n_image(chained) == n_image(first)
    bad = seeing.post("/v1beta/interactions", {"model": MODEL, "input": [words, seen(SIGN, resolution="huge")]})
    assert bad.status == 400 and "resolution" in bad.error["message"], bad


def test_films_in_interactions_are_seen(seeing, silent):
    part = blob(silent, "video/mp4")["inlineData"]
    content = {"type": "video", "data": part["data"], "mime_type": "video/mp4", "resolution": "low"}
    told = interact(seeing, {"type": "text", "text": "What is it?"}, content)
    found = {d["modality"]: d["tokens"] for d in told["usage"]["input_tokens_by_modality"]}
    assert found["video"] > 4 * 64 and "image" not in found


# ---- positions in lines and columns ----


@pytest.fixture(scope="module")
def mrope(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mrope")
    model = gguf_files.with_mrope(folder / "model.gguf",
                                  next(Path.home().glob(f".cache/pollux/models/{SMALL_MODEL}*.gguf")))
    path = projector.make(folder / "p.gguf", "qwen2vl_merger", model_width=896)
    with Server("--model", model, "--mmproj", path, "--parallel", 3, "--ctx", 1024, "--data-dir", folder / "data",
                start_s=60) as s:
        yield s
    model.unlink()


@pytest.mark.soak
def test_mrope_is_rope_while_there_are_words_alone(mrope):
    ask = lambda server: server.generate("Name three colours.", {"temperature": 0, "maxOutputTokens": 24}, timeout=60).said
    with Server("--model", SMALL_MODEL, "--ctx", 1024, start_s=60) as plain:
        assert ask(mrope) == ask(plain) != ""


@pytest.mark.soak
def test_mrope_sees(mrope):
    """What is behind a picture is told as if it had fewer rows, and all that moves rows about still agrees."""
    ask = lambda *parts, **config: look(mrope, *parts, config={"maxOutputTokens": 12, **config})
    parts = ("What is it?", blob(SIGN, "image/png"), blob(RED, "image/png"), "Say it.")
    first = ask(*parts)
    found, _ = counts(first)
    assert found["IMAGE"] > 16 and first.json["usageMetadata"]["promptTokenCount"] == sum(found.values())
    again = ask(*parts)
    assert again.said == first.said and counts(again)[1] > found["IMAGE"], "a prefix that a slot holds"
    assert ask("What is it?", blob(RED, "image/png"), blob(SIGN, "image/png"), "Say it.").said != first.said
    both = ask(*parts, candidateCount=2)
    assert {c["content"]["parts"][0]["text"] for c in both.json["candidates"]} == {first.said}, "copied rows"
    longer = ask(*parts[:-1], "Tell me more of it than that.")
    assert counts(longer)[1] >= found["IMAGE"], "rows of another answer are cut off"
    assert ask(*parts).said == first.said
    seeded = {"seed": 3, "temperature": 1}
    alone = ask(*parts, **seeded).said
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: ask(*parts, **seeded).said, range(3))) == {alone}


@pytest.mark.soak
def test_mrope_and_a_cache(mrope):
    name = mrope.get("/v1beta/models").json["models"][0]["name"]
    cache = create(mrope, STORY, model=name)
    answer = use(mrope, cache, "What is it?", SHORT, model=name)
    plain = mrope.generate(STORY + [{"role": "user", "parts": [{"text": "What is it?"}]}], SHORT, timeout=60)
    assert n_cached(answer) == cache["usageMetadata"]["totalTokenCount"] and answer.said == plain.said


@pytest.mark.soak
def test_mrope_is_rope_for_sounds(tmp_path):
    """Their rows stand one behind the other, as words do."""
    model = gguf_files.with_mrope(tmp_path / "model.gguf", next(Path.home().glob(f".cache/pollux/models/{SMALL_MODEL}*.gguf")))
    path = projector.make(tmp_path / "p.gguf", "qwen2a", model_width=896)
    told = []
    for name in (model, SMALL_MODEL):
        with Server("--model", name, "--mmproj", path, "--ctx", 1024, start_s=60) as server:
            answer = look(server, "What is it?", wav("Good morning."), config={"maxOutputTokens": 5, "responseLogprobs": True})
            told.append([(c["token"], c["logProbability"]) for c in answer.json["candidates"][0]["logprobsResult"]["chosenCandidates"]])
    model.unlink()
    # Other kernels: the last digits differ, for words as well.
    assert all(a == b and abs(p - q) < 0.05 for (a, p), (b, q) in zip(*told, strict=True)), told
