"""The client against Pollux itself, on the scripted engine of the API tests."""

import json
import signal
import subprocess

import pytest
from client import environment

from pollux import BINARY


@pytest.fixture
def ask(pollux, server):
    def run(*args, **more):
        return pollux("run", "-u", server.base, "--no-stdin", *args, **more)

    return run


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
@pytest.mark.parametrize("prompt,status,out,err", [
    ("Say hello", 0, "Hello there.\n", ""),
    ("many languages", 0, "Grüße, 世界! 🚀👩‍👩‍👧 naïve\n", ""),
    ("Think it over", 0, "Option B.\n", ""),
    ("block the prompt", 5, "", "prompt was blocked (SAFETY)"),
    ("block the candidate", 5, None, "answer was blocked (SAFETY)"),
    ("finish MAX_TOKENS.", 4, "Some words\n", "MAX_TOKENS"),
    ("fault RESOURCE_EXHAUSTED", 1, "", "try again later. (RESOURCE_EXHAUSTED, HTTP 429)"),
    ("fault UNAVAILABLE", 1, "", "UNAVAILABLE, HTTP 503"),
])
def test_how_an_answer_ends(ask, prompt, status, out, err, stream):
    done = ask(stream, prompt)
    assert done.returncode == status and err in done.err and bool(err) == bool(done.err), done.err
    assert out is None or done.out == out


@pytest.mark.parametrize("prompt", ["fails midway", "drops the line"])
def test_how_a_stream_breaks(ask, prompt):
    done = ask("--stream", prompt)
    assert done.returncode == 1 and done.out == "One, two, \n" and done.err


def test_settings_reach_the_server(ask):
    done = ask("--max-tokens", "1", "--temperature", "0", "--seed", "3", "--top-k", "5",
               "--stop", "zebra", "count to five")
    assert done.returncode == 4 and done.out.strip() and "MAX_TOKENS" in done.err
    assert ask("-s", "You are a parrot.", "Hello there").out == "Squawk!\n"


def test_an_unknown_model(ask):
    done = ask("-m", "no-such-model", "hi")
    assert done.returncode == 1 and "NOT_FOUND" in done.err and "models --server" in done.err


def test_keys(pollux, scripted):
    url = scripted("--api-key", "right").base
    assert pollux("run", "-u", url, "-k", "right", "Say hello").out == "Hello there.\n"
    for args in ([], ["-k", "wrong"]):
        done = pollux("run", "-u", url, *args, "Say hello")
        assert done.returncode == 1 and done.err and not done.out


def test_a_chat_with_memory(pollux, server):
    done = pollux("chat", "-u", server.base, "--usage",
                  stdin="I own 2 dogs.\nHow many paws is that?\n/tokens\n")
    assert done.returncode == 0, done.err
    assert done.out.startswith("Lovely!\nEight paws.\n")
    assert " in 4 turns\n" in done.out and done.err.count(" tokens in") == 2


def test_a_saved_chat_is_taken_as_a_request(pollux, server, tmp_path):
    done = pollux("chat", "-u", server.base, "-s", "Be brief.", "-t", "0.5",
                  stdin="I own 2 dogs.\n/save chat.json\n")
    assert done.returncode == 0, done.err
    body = json.loads((tmp_path / "chat.json").read_text())
    body["contents"].append({"role": "user", "parts": [{"text": "How many paws is that?"}]})
    answer = server.post(f"/v1beta/{body['model']}:generateContent", body)
    assert answer.status == 200 and answer.said == "Eight paws.", answer.text


def test_models_of_the_server(pollux, server):
    listed = pollux("models", "--server", "-u", server.base)
    assert listed.returncode == 0 and "models/scripted" in listed.out
    assert json.loads(pollux("models", "--server", "--json", "-u", server.base).out)["models"]


def test_doctor_finds_the_server(pollux, server):
    told = json.loads(pollux("doctor", "--json", "--port", server.port).out)
    found = {c["name"]: c["status"] for c in told["checks"]}
    assert found["server"] == found["port"] == "ok"


def test_ctrl_c(server, tmp_path):
    child = subprocess.Popen([str(BINARY), "run", "-u", server.base, "--stream", "for ever"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             env=environment(tmp_path))
    assert child.stdout.read(6) == b"on and"
    child.send_signal(signal.SIGINT)
    child.stdout.read()
    child.stdout.close()
    assert child.wait(10) == 130


def test_a_chat_on_a_terminal(terminal, server):
    t = terminal("chat", "-u", server.base)
    t.until("> ")
    t.line("for ever")
    t.until("on and on")
    t.send("\x03")
    t.until("interrupted")
    t.until("> ")
    t.line("Say hello")
    t.until("Hello there")
    t.until("> ")
    t.key("\x04")
    assert t.end()[1] == 0
