"""responseModalities AUDIO: what the model says, spoken. The scripted engine echoes its prompt, so what is to be
heard is known; the speech engine gives the same bytes for the same words."""

import base64
import http.client
import json
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest

from media_files import blob, run
from pollux import SCRIPT, Server, until
from test_batches import create, state, wait

pytestmark = pytest.mark.timeout(120)
MIME = "audio/L16;codec=pcm;rate=24000"
VOICES = ("Zephyr Puck Charon Kore Fenrir Leda Orus Aoede Callirrhoe Autonoe Enceladus Iapetus Umbriel Algieba Despina "
          "Erinome Algenib Rasalgethi Laomedeia Achernar Alnilam Schedar Gacrux Pulcherrima Achird Zubenelgenubi "
          "Vindemiatrix Sadachbia Sadaltager Sulafat").split()
STORY = "This is the first sentence of it. Here is the second one, a little longer. And that was all of it."


def voice(name):
    return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}


def duet(*names_and_voices):
    return {"multiSpeakerVoiceConfig": {"speakerVoiceConfigs": [
        {"speaker": name, **voice(v)} for name, v in names_and_voices]}}


def ask(server, words, speech=None, verb="generateContent", model="gemini-2.5-flash", **config):
    config = {"responseModalities": ["AUDIO"], **({"speechConfig": speech} if speech else {}), **config}
    return server.generate(words, config, model=model, verb=verb, timeout=60)


def sound_of(chunk, candidate=0):
    parts = [p for c in chunk.get("candidates", []) if c.get("index", 0) == candidate
             for p in c.get("content", {}).get("parts", [])]
    assert all(set(p) == {"inlineData"} and p["inlineData"]["mimeType"] == MIME or p == {"text": ""} for p in parts), chunk
    return b"".join(base64.b64decode(p["inlineData"]["data"]) for p in parts if "inlineData" in p)


def spoken(server, words, speech=None, **more):
    answer = ask(server, words, speech, **more)
    assert answer.status == 200, answer
    return sound_of(answer.json)


def refused(answer, field, words):
    assert answer.status == 400 and answer.error["status"] == "INVALID_ARGUMENT", answer
    assert answer.error["details"][0]["fieldViolations"][0]["field"].startswith(field), answer
    assert re.search(words, answer.error["message"]), answer


def seconds(pcm):
    assert len(pcm) % 2 == 0
    return len(pcm) / 48000


def test_an_answer_is_spoken(server):
    """proves: G069 G081 J012"""
    answer = ask(server, "Say hello", {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}})
    assert answer.status == 200, answer
    candidate = answer.json["candidates"][0]
    assert candidate["finishReason"] == "STOP" and candidate["content"]["role"] == "model"
    assert len(candidate["content"]["parts"]) == 1
    pcm = sound_of(answer.json)
    assert 0.4 < seconds(pcm) < 3
    loudest = max(abs(int.from_bytes(pcm[i:i + 2], "little", signed=True)) for i in range(0, len(pcm), 2))
    assert 3000 < loudest <= 32767
    usage = answer.json["usageMetadata"]
    tokens = -(-len(pcm) // (960 * 2))
    assert usage["candidatesTokensDetails"] == [{"modality": "AUDIO", "tokenCount": tokens}]
    assert usage["candidatesTokenCount"] == tokens
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + tokens


def test_what_is_spoken_can_be_heard(server):
    """Said and heard again: by the reader of sound."""
    pcm = spoken(server, "The capital of France is Paris.", voice("Kore"))
    wav = run("ffmpeg", "-v", "error", "-f", "s16le", "-ar", "24000", "-ac", "1", "-i", "-", "-f", "wav", "-", data=pcm)
    heard = server.generate([{"parts": [blob(wav, "audio/wav")]}], timeout=100)
    assert re.search("capital of France", heard.said, re.I), heard


def test_a_stream_is_spoken_sentence_by_sentence(server):
    whole = spoken(server, STORY)
    answer = ask(server, STORY, verb="streamGenerateContent?alt=sse")
    assert answer.status == 200, answer
    chunks = [c for c in answer.events if sound_of(c)]
    assert len(chunks) == 3
    assert [c["candidates"][0].get("finishReason") for c in answer.events] == [None] * (len(answer.events) - 1) + ["STOP"]
    assert sound_of(answer.events[-1]), "the end comes with the last sound"
    together = b"".join(map(sound_of, chunks))
    assert abs(seconds(together) - seconds(whole)) < 1.5
    counts = [c["usageMetadata"]["candidatesTokenCount"] for c in chunks]
    assert counts == sorted(counts) and counts[-1] == -(-len(together) // 1920)
    assert all(c["usageMetadata"]["promptTokenCount"] > 0 for c in chunks)


def test_the_array_form_of_a_stream(server):
    answer = ask(server, STORY, verb="streamGenerateContent")
    assert len([c for c in answer.json if sound_of(c)]) == 3


def test_every_voice_is_one_of_its_own(server):
    sounds = {v: spoken(server, "Say hello", voice(v)) for v in VOICES}
    assert len(set(sounds.values())) == len(VOICES) == 30
    assert spoken(server, "Say hello", voice("kORE")) == sounds["Kore"] == spoken(server, "Say hello")


def test_the_language_is_the_texts_or_what_is_asked(server):
    words = "Guten Tag, ich bin nicht der Hausmeister."
    german = spoken(server, words, {"languageCode": "de-DE"})
    assert german == spoken(server, words) != spoken(server, words, {"languageCode": "en-US"})
    refused(ask(server, words, {"languageCode": "tlh"}), "generation_config.speech_config.language_code", "'tlh' is not spoken.*de, ")


def test_two_speakers(server):
    """proves: G088"""
    both = duet(("Joe", "Puck"), ("Jane", "Kore"))
    talk = "Joe: How is it going?\n**Jane:** Not too bad, thanks.\nReally.\njoe: Good."
    answer = ask(server, talk, both, verb="streamGenerateContent?alt=sse")
    assert answer.status == 200, answer
    said = [sound_of(c) for c in answer.events if sound_of(c)]
    assert said == [spoken(server, "How is it going?", voice("Puck")), spoken(server, "Not too bad, thanks.", voice("Kore")),
                    spoken(server, "Really.", voice("Kore")), spoken(server, "Good.", voice("Puck"))]
    assert spoken(server, talk, both) == b"".join(said)


@pytest.mark.parametrize("speech, field, words", [
    (voice("Nobody"), "voice_config", "Voice name Nobody is not supported. Allowed voice names are: Achernar, .*Zubenelgenubi"),
    (duet(("Joe", "Puck")), "multi_speaker_voice_config", "must be 2"),
    (duet(("A", "Puck"), ("B", "Kore"), ("C", "Leda")), "multi_speaker_voice_config", "must be 2"),
    (duet(("A", "Puck"), ("A", "Kore")), "multi_speaker_voice_config.speaker_voice_configs[1]", "name of its own"),
    (duet(("A", "Puck"), ("B", "Nobody")), "multi_speaker_voice_config.speaker_voice_configs[1]", "Voice name Nobody"),
    ({**duet(("A", "Puck"), ("B", "Kore")), **voice("Kore")}, "", "only one of"),
    ({"voiceConfig": {"replicatedVoiceConfig": {}}}, "", "not supported by Pollux yet"),
    ({"speed": 2}, "", "speed"),
])
def test_settings_that_cannot_be(server, speech, field, words):
    answer = ask(server, "Say hello", speech)
    assert answer.status == 400 and re.search(words, answer.error["message"]), answer
    assert field in answer.error["details"][0]["fieldViolations"][0]["field"] or field in answer.error["message"]


@pytest.mark.parametrize("modalities", [["IMAGE"], ["TEXT", "IMAGE"], ["TEXT", "AUDIO"], ["VIDEO"], "IMAGE"])
def test_other_modalities_are_refused_with_the_models_name(server, modalities):
    """proves: G089 G090"""
    answer = server.generate("Say hello", {"responseModalities": modalities}, model="gemini-2.0-flash-exp")
    refused(answer, "generation_config.response_modalities",
            r"(?s)combination of response modalities \(.*\) is not supported.*models/gemini-2.0-flash-exp accepts.*TEXT\n\* AUDIO")


@pytest.mark.parametrize("modalities", [[], ["TEXT"], "text", ["MODALITY_UNSPECIFIED"], ["TEXT", "TEXT"]])
def test_text_as_ever(server, modalities):
    """proves: G090"""
    answer = server.generate("Say hello", {"responseModalities": modalities, "speechConfig": voice("Kore")})
    assert answer.said == "Hello there."


@pytest.mark.parametrize("config, fields, field", [
    ({"responseLogprobs": True}, {}, "generation_config.response_logprobs"),
    ({"responseMimeType": "application/json"}, {}, "generation_config.response_mime_type"),
    ({}, {"tools": [{"functionDeclarations": [{"name": "f"}]}]}, "tools"),
])
def test_what_cannot_be_spoken(server, config, fields, field):
    answer = server.generate("Say hello", {"responseModalities": ["AUDIO"], **config}, fields=fields)
    refused(answer, field, "cannot go with an answer that is spoken")


def test_candidates_have_voices_of_their_own(server):
    answer = ask(server, "heads or tails", candidateCount=2)
    heads, tails = sound_of(answer.json, 0), sound_of(answer.json, 1)
    assert heads == spoken(server, "Heads") and tails == spoken(server, "Tails")
    assert answer.json["candidates"][1]["finishReason"] == "MAX_TOKENS"


def test_a_blocked_or_failing_answer_is_what_it_is_without_sound(server):
    assert ask(server, "block the prompt").json["promptFeedback"]["blockReason"] == "SAFETY"
    assert ask(server, "fault UNAVAILABLE").status == 503
    assert ask(server, "block the candidate").json["candidates"][0]["finishReason"] == "SAFETY"
    assert ask(server, "fails midway", verb="streamGenerateContent?alt=sse").status == 503  # within its first sentence


@pytest.mark.parametrize("words", ["<speak>Hello <break time='9s'/> there.</speak>", "[[h@l'oU]]", "-f /etc/passwd",
                                   "--help", "**Bold** _words_ `code`", "🚀", "\x00\x07 bell"])
def test_words_that_mean_something_to_engines(server, words):
    assert 0.1 < seconds(spoken(server, words)) < 9


def test_nothing_to_say_is_an_answer_without_sound(server):
    answer = ask(server, "***")
    assert answer.status == 200 and sound_of(answer.json) == b"" and "candidatesTokenCount" not in answer.json["usageMetadata"]


@pytest.mark.parametrize("prompt, words", [
    ("Say cheerfully: Have a wonderful day!", "Have a wonderful day!"),
    ("Read aloud in a warm tone:\n\"Good night: sleep well.\"", "\"Good night: sleep well.\""),
    ("Have a wonderful day!", "Have a wonderful day!"),
    ("Note: this has a colon.", "Note: this has a colon."),
])
def test_a_model_that_only_speaks_says_what_it_is_given(server, prompt, words):
    model = "gemini-2.5-flash-preview-tts"
    assert spoken(server, prompt, voice("Kore"), model=model) == spoken(server, words, voice("Kore"))
    answer = ask(server, prompt, voice("Kore"), "streamGenerateContent?alt=sse", model)
    assert b"".join(map(sound_of, answer.events)) == spoken(server, words, voice("Kore"))
    assert answer.events[-1]["candidates"][0]["finishReason"] == "STOP"


def test_a_conversation_is_read_by_its_speakers(server):
    prompt = "TTS the following conversation between Joe and Jane:\nJoe: How's it going today Jane?\nJane: Not too bad, how about you?"
    both = duet(("Joe", "Kore"), ("Jane", "Puck"))
    assert spoken(server, prompt, both, model="gemini-2.5-pro-preview-tts") == (
        spoken(server, "How's it going today Jane?", voice("Kore")) + spoken(server, "Not too bad, how about you?", voice("Puck")))
    assert ask(server, "block the prompt", model="gemini-2.5-flash-preview-tts").json["promptFeedback"]["blockReason"] == "SAFETY"


# ---- engines ----

def engine(folder, text):
    folder.chmod(0o755)
    path = folder / "engine"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_IRGRP | stat.S_IROTH)
    return path


TONE = """#!/usr/bin/python3
import sys, wave
words = words = sys.stdin.read()
out = wave.open(sys.stdout.buffer, "wb")
out.setnchannels(2); out.setsampwidth(2); out.setframerate(16000)
assert sys.argv[1:] == ["Puck", "male", "de", "x{unknown}"], sys.argv
out.writeframes(bytes(4 * 160 * len(words.strip())))
out.close()
"""


@pytest.fixture
def shown(tmp_path_factory):
    """A folder that whoever runs in the sandbox may enter."""
    folder = Path(tempfile.mkdtemp(prefix="pollux-engine-"))
    yield folder
    shutil.rmtree(folder)


SLOW_SPEAKER = """#!/usr/bin/python3
import sys, wave
words = sys.stdin.read()
out = wave.open(sys.stdout.buffer, "wb")
out.setnchannels(1); out.setsampwidth(2); out.setframerate(24000)
out.writeframes(bytes(24000 * len(words)))
out.close()
"""


def test_what_takes_too_long_to_hear_ends(scripted, shown):
    """As in the public API: 16384 tokens, 25 of them a second. A letter takes half a second here."""
    server = scripted("--speech-command", str(engine(shown, SLOW_SPEAKER)), "--speech-dir", shown)
    answer = ask(server, "It was a dark and stormy night, and the rain fell in torrents. " * 30,
                 model="gemini-2.5-flash-preview-tts")
    assert answer.status == 200 and answer.json["candidates"][0]["finishReason"] == "MAX_TOKENS", answer.headers
    assert answer.json["usageMetadata"]["candidatesTokenCount"] == 16384 - 16384 % 25


def test_an_engine_of_the_owners(scripted, shown):
    path = engine(shown, TONE)
    server = scripted("--speech-command", f"{path} {{voice}} {{gender}} {{language}} x{{unknown}}", "--speech-dir", shown)
    pcm = spoken(server, "Hallo", {**voice("Puck"), "languageCode": "de-DE"})
    assert len(pcm) == 5 * 240 * 2 and not any(pcm)


@pytest.mark.parametrize("text, words", [("#!/bin/sh\nexit 3\n", "speech engine failed"),
                                         ("#!/bin/sh\necho no wav\n", "not WAV"),
                                         ("#!/bin/sh\ntrue\n", "not WAV")])
def test_an_engine_that_fails(scripted, shown, text, words):
    server = scripted("--speech-command", str(engine(shown, text)), "--speech-dir", shown)
    answer = ask(server, "Say hello")
    assert answer.status == 500 and words in answer.error["message"], answer
    answer = ask(server, "Say hello", verb="streamGenerateContent?alt=sse")
    assert answer.status == 500
    assert server.generate("Say hello").said == "Hello there."


def test_an_engine_knows_nothing_but_its_words(scripted, shown):
    path = engine(shown, "#!/bin/sh\nls /root /home /work 2>/dev/null | grep -q . && exit 1\nexec /usr/bin/espeak-ng --stdin --stdout\n")
    server = scripted("--speech-command", str(path), "--speech-dir", shown)
    assert seconds(spoken(server, "Say hello")) > 0.3


def test_what_speaks_is_not_there(scripted, shown):
    path = engine(shown, "#!/bin/sh\n")
    server = scripted("--speech-command", str(path), "--speech-dir", shown)
    os.remove(path)
    refused(ask(server, "Say hello"), "generation_config.response_modalities", "not installed: .*missing.*scripts/setup.sh readers")


@pytest.mark.parametrize("args, words", [(["--speech-command", "/nowhere/x"], "--speech-command.*/nowhere/x"),
                                         (["--speech-command", ""], "--speech-command"),
                                         (["--speech-dir", "/nowhere"], "--speech-dir.*/nowhere")])
def test_options_that_are_wrong(args, words):
    with pytest.raises(RuntimeError, match=f"ended with 2:(?s:.*){words}"):
        Server("--script", SCRIPT, *args)


def test_nothing_speaks_without_a_sandbox(tmp_path):
    with Server("--script", SCRIPT, env={"PATH": str(tmp_path)}) as server:
        refused(ask(server, "Say hello"), "generation_config.response_modalities", "sandbox only, and the server has none")


# ---- clients ----

def test_a_client_that_leaves_is_not_spoken_to(scripted, shown):
    path = engine(shown, "#!/bin/sh\nsleep 20\n")
    server = scripted("--speech-command", str(path), "--speech-dir", shown)
    body = json.dumps({"contents": [{"parts": [{"text": "Say hello"}]}], "generationConfig": {"responseModalities": ["AUDIO"]}})
    c = http.client.HTTPConnection("127.0.0.1", server.port)
    c.request("POST", "/v1beta/models/gemini-2.0-flash:generateContent", body)
    until(lambda: server.n_children > 0)
    c.close()
    until(lambda: server.n_children == 0)


def test_a_slow_reader_gets_all_of_it(server):
    """More sound than a stream may leave unread: it is made as it is taken."""
    words = STORY * 40
    body = json.dumps({"contents": [{"parts": [{"text": words}]}], "generationConfig": {"responseModalities": ["AUDIO"]}})
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    c.request("POST", "/v1beta/models/gemini-2.5-flash-preview-tts:streamGenerateContent?alt=sse", body)
    got = c.getresponse()
    time.sleep(2)
    events = got.read().decode().split("\r\n\r\n")
    last = json.loads(events[-2][6:])
    assert last["candidates"][0]["finishReason"] == "STOP" and len(events) > 60
    assert sum(map(len, events)) > 9 << 20


def test_many_at_once(server):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(spoken(server, "Say hello"))) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 16 and len(set(answers)) == 1


def test_a_batch_speaks_as_well(server):
    """Nobody holds a line for it: its answers are told when the last sound is there."""
    ask_aloud = {"contents": [{"parts": [{"text": "Say hello"}]}], "generationConfig": {"responseModalities": ["AUDIO"]}}
    done = wait(server, create(server, [{"request": ask_aloud}] * 3))
    assert state(done) == "SUCCEEDED", done
    assert json.dumps(done["response"]).count(f'"mimeType": "{MIME}"') == 3
