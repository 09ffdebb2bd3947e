"""pollux run: the text alone, exit statuses for scripts, errors in words."""

import json
import signal
import subprocess
import time

import pytest
from client import environment

from pollux import BINARY, free_port

ENDINGS = [  # what is said, exit status, standard output, words of standard error
    ("hello", 0, "You said: hello\n", ""),
    ("unicode", 0, "héllo wörld 🌍\n", ""),
    ("think", 0, "42\n", ""),
    ("nothing", 0, "", ""),
    ("refuse", 1, "", "Too many requests. (RESOURCE_EXHAUSTED, HTTP 429)"),
    ("key", 1, "", "--api-key"),
    ("proxy", 1, "", "HTTP status 502"),
    ("cut", 4, "Once upon a time\n", "MAX_TOKENS"),
    ("unsafe", 5, "", "SAFETY"),
    ("blocked", 5, "", "prompt was blocked (SAFETY)"),
]

STREAM_ENDINGS = [
    ("drop", 1, "half an\n", "broke"),
    ("midway", 1, "so far\n", "Too many requests. (RESOURCE_EXHAUSTED, HTTP 429)"),
    ("unfinished", 1, "no end\n", "before it was complete"),
    ("garbage", 1, "", "not an answer"),
]


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
@pytest.mark.parametrize("prompt,status,out,err", ENDINGS)
def test_how_an_answer_ends(pollux, fake, prompt, status, out, err, stream):
    done = pollux("run", "-u", fake.base, stream, prompt)
    assert (done.returncode, done.out) == (status, out)
    assert err in done.err and bool(err) == bool(done.err)


@pytest.mark.parametrize("prompt,status,out,err", STREAM_ENDINGS)
def test_how_a_stream_breaks(pollux, fake, prompt, status, out, err):
    done = pollux("run", "-u", fake.base, "--stream", prompt)
    assert (done.returncode, done.out) == (status, out)
    assert err in done.err


@pytest.mark.parametrize("prompt", ["drop", "garbage"])
def test_a_broken_answer_fails(pollux, fake, prompt):
    done = pollux("run", "-u", fake.base, prompt)
    assert done.returncode == 1 and done.err


def test_words_and_piped_text_make_one_prompt(pollux, fake):
    pollux("run", "-u", fake.base, "sum", "up:", stdin="a\nb\n")
    pollux("run", "-u", fake.base, stdin="only this")
    pollux("run", "-u", fake.base, "--no-stdin", "only that", stdin="not this")
    said = [b["contents"] for b in fake.bodies]
    assert said == [[{"role": "user", "parts": [{"text": text}]}]
                    for text in ("sum up:\n\na\nb\n", "only this", "only that")]


def test_settings_are_sent_and_only_those(pollux, fake):
    pollux("run", "-u", fake.base, "-m", "tunedModels/mine", "-s", "Be brief.", "-t", "0.2",
           "--top-p", "0.9", "--top-k", "40", "--max-tokens", "50", "--seed", "-7",
           "--presence-penalty", "1", "--frequency-penalty", "-1.5", "--stop", "END",
           "--stop", "a,b", "hi")
    pollux("run", "-u", fake.base, "hi")
    (_, path, _, full), (_, default_path, _, plain) = fake.requests
    assert path == "/v1beta/tunedModels/mine:generateContent"
    assert default_path == "/v1beta/models/gemini-flash-latest:generateContent"
    assert full["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert full["generationConfig"] == {
        "temperature": 0.2, "topP": 0.9, "topK": 40, "maxOutputTokens": 50, "seed": -7,
        "presencePenalty": 1, "frequencyPenalty": -1.5, "stopSequences": ["END", "a,b"]}
    assert list(plain) == ["contents"]


def test_every_setting_is_a_variable_and_the_command_line_wins(pollux, fake):
    env = {"POLLUX_BASE_URL": fake.base + "/", "POLLUX_MODEL": "one", "POLLUX_TEMPERATURE": "1.5",
           "POLLUX_MAX_TOKENS": "9", "POLLUX_STOP": "x,y", "POLLUX_API_KEY": "secret,other"}
    assert pollux("run", "--max-tokens=8", "hi", env=env).returncode == 0
    (_, path, headers, body), = fake.requests
    assert path == "/v1beta/models/one:generateContent"
    assert headers["x-goog-api-key"] == "secret"
    assert body["generationConfig"] == {"temperature": 1.5, "maxOutputTokens": 8,
                                        "stopSequences": ["x", "y"]}


def test_the_key_of_google_s_clients_is_taken(pollux, fake):
    pollux("run", "-u", fake.base, "hi", env={"GEMINI_API_KEY": "g"})
    pollux("run", "-u", fake.base, "-k", "mine", "hi", env={"GEMINI_API_KEY": "g"})
    pollux("run", "-u", fake.base, "hi")
    keys = [headers.get("x-goog-api-key") for _, _, headers, _ in fake.requests]
    assert keys == ["g", "mine", None]


def test_json_is_the_whole_answer(pollux, fake):
    answer = json.loads(pollux("run", "-u", fake.base, "--json", "cut").out)
    assert answer["usageMetadata"]["totalTokenCount"] == 12
    lines = pollux("run", "-u", fake.base, "--json", "--stream", "hello").out.splitlines()
    assert [json.loads(line)["candidates"][0]["content"]["parts"][0]["text"]
            for line in lines] == ["You said: ", "hello"]


def test_usage_is_told_apart_from_the_answer(pollux, fake):
    done = pollux("run", "-u", fake.base, "--usage", "hello")
    assert done.out == "You said: hello\n" and "7 tokens in, 5 out" in done.err


def test_nobody_answers(pollux):
    done = pollux("run", "-u", f"http://127.0.0.1:{free_port()}", "hi")
    assert done.returncode == 3 and "pollux serve" in done.err and not done.out


def test_a_proxy_is_not_asked_for_this_machine(pollux, fake):
    env = {"http_proxy": f"http://127.0.0.1:{free_port()}"}
    assert pollux("run", "-u", fake.base, "hi", env=env).returncode == 0


@pytest.mark.parametrize("args,words", [
    (["-t", "3", "hi"], "--temperature is '3'"),
    (["--nonsense", "hi"], "no option --nonsense"),
    (["-u", "127.0.0.1:8080", "hi"], "http://"),
    ([], "no prompt"),
])
def test_wrong_command_lines(pollux, args, words):
    done = pollux("run", *args)
    assert done.returncode == 2 and words in done.err and "--help" in done.err


def test_a_prompt_must_be_text(pollux, fake, tmp_path):
    for data in (b"\xff\xfe", b"a\0b"):
        done = subprocess.run([str(BINARY), "run", "-u", fake.base], input=data,
                              capture_output=True, env=environment(tmp_path), timeout=30)
        assert done.returncode == 1 and b"UTF-8" in done.stderr
    assert not fake.requests


def test_a_time_limit(pollux, fake):
    start = time.monotonic()
    done = pollux("run", "-u", fake.base, "--timeout", "1", "sleep")
    assert done.returncode == 1 and done.err and time.monotonic() - start < 10


def test_ctrl_c_ends_the_stream_and_the_server_knows(fake, tmp_path):
    child = subprocess.Popen([str(BINARY), "run", "-u", fake.base, "--stream", "endless"],
                             stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             env=environment(tmp_path))
    assert child.stdout.read(6) == b"0 1 2 "
    child.send_signal(signal.SIGINT)
    child.stdout.read()
    assert child.wait(10) == 130
    child.stdout.close()
    assert fake.hung_up.wait(5)


def test_a_full_disk_is_an_error(fake, tmp_path):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(BINARY), "run", "-u", fake.base, "hi"], stdout=full,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=environment(tmp_path), timeout=30)
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_a_terminal_is_not_commanded_by_an_answer(terminal, pollux, fake):
    t = terminal("run", "-u", fake.base, "escape", "--no-stdin")
    out, status = t.end()
    assert (out, status) == ("a[31mbcd\te\r\n", 0)
    assert pollux("run", "-u", fake.base, "escape").out == "a\x1b[31mb\x07c\x9bd\te\n"
