"""pollux models, pull, doctor, version and help: what can be told without a model."""

import json
import os
import re
import socket
import stat

import pytest

from pollux import SCRIPT, Server, free_port

COMMANDS = ("run", "chat", "models", "pull", "tune", "doctor", "version")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(pollux, command):
    done = pollux(command, "--wrong", "--help")
    assert done.returncode == 0 and not done.err
    assert done.out.startswith(f"Usage: pollux {command} ")
    assert "Examples:\n" in done.out and f"  pollux {command}" in done.out.split("Examples:")[1]
    assert all(len(line) <= 90 for line in done.out.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_options_can_be_variables(pollux, command):
    named = re.findall(r"^ {2,6}(?:-\w, )?--([a-z-]+)", pollux(command, "--help").out, re.M)
    variables = re.findall(r"POLLUX_[A-Z_]+", pollux(command, "--help").out)
    assert {f"POLLUX_{n.upper().replace('-', '_')}" for n in named if n != "help"} <= set(variables)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_named(pollux, command):
    done = pollux(command, "--nonsense")
    assert done.returncode == 2 and f"pollux {command}: " in done.err and "--nonsense" in done.err


def test_version(pollux):
    assert re.match(r"pollux \d+\.\d+\.\d+\n", pollux("version").out)
    told = json.loads(pollux("version", "--json").out)
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"]) and told["compiler"]


# Models.

SMALL = "smollm2-135m-instruct"


def place(folder, models):
    """A file of the right name and size that takes no room."""
    entry = next(m for m in models if m["name"] == SMALL)
    folder.mkdir(exist_ok=True)
    path = folder / f"{SMALL}-q4_1.gguf"
    with open(path, "wb") as f:
        f.truncate(entry["bytes"])
    return path


def test_models_known_and_installed(pollux, tmp_path):
    folder = tmp_path / "models"
    known = json.loads(pollux("models", "--json", "--models-dir", folder).out)["models"]
    assert len(known) >= 3 and not any(m["installed"] for m in known)
    assert [m["name"] for m in known if m["default"]] == ["qwen2.5-coder-1.5b-instruct"]
    path = place(folder, known)
    (folder / "My.gguf").write_bytes(b"GGUF")
    models = json.loads(pollux("models", "--json", "--models-dir", folder).out)["models"]
    here = {m["name"]: m["path"] for m in models if m["installed"]}
    assert here == {SMALL: str(path), "my": str(folder / "My.gguf")}
    table = pollux("models", env={"POLLUX_MODELS_DIR": str(folder)}).out
    assert re.search(r"^  smollm2-135m-instruct +98 MB +8192  installed$", table, re.M)
    assert re.search(r"^\* qwen2.5-coder-1.5b-instruct +1.1 GB +32768  known$", table, re.M)


def test_models_of_a_server(pollux, fake):
    assert pollux("models", "--server", "-u", fake.base).out.split("\n")[1].split() == [
        "models/two", "8192", "Model", "Two"]
    told = json.loads(pollux("models", "--server", "--json", "-u", fake.base).out)
    assert [m["name"] for m in told["models"]] == ["models/one", "models/two"]
    nobody = pollux("models", "--server", "-u", f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 3 and not nobody.out


# Pull.

@pytest.fixture
def python3(tmp_path):
    """Stands in for python3: notes its arguments and its standard input."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "python3"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/args\ncat >{tmp_path}/stdin\n'
                      'exit "${STATUS:-0}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_pull_without_a_name_lists_names(pollux):
    done = pollux("pull")
    assert done.returncode == 0 and "qwen2.5-coder-1.5b-instruct " in done.out


def test_pull_gives_the_entry_to_the_script(pollux, python3, tmp_path):
    done = pollux("pull", "--quiet", "--models-dir", "m", "qwen2.5-coder-0.5b", env=python3)
    assert done.returncode == 0, done.err
    dash, entry, json_text, *rest = (tmp_path / "args").read_text().splitlines()
    assert (dash, entry, rest) == ("-", "--entry", ["--dest", "m", "--quiet"])
    assert json.loads(json_text)["name"] == "qwen2.5-coder-0.5b-instruct"
    assert "argparse" in (tmp_path / "stdin").read_text()


def test_pull_fails_as_the_script_does(pollux, python3):
    done = pollux("pull", "qwen2.5-coder-0.5b", env={**python3, "STATUS": "1"})
    assert done.returncode == 1


def test_pull_knows_its_names(pollux):
    done = pollux("pull", "qwen2.5-coder-0.5b", "gpt-4")
    assert done.returncode == 2 and "'gpt-4'" in done.err


def test_pull_without_python(pollux, tmp_path):
    (tmp_path / "empty").mkdir()
    done = pollux("pull", "qwen2.5-coder-0.5b", env={"PATH": str(tmp_path / "empty")})
    assert done.returncode == 1 and "apt-get install python3" in done.err


# Doctor.

def doctor(pollux, *args, **more):
    done = pollux("doctor", "--json", *args, **more)
    told = json.loads(done.out)
    assert done.returncode == (0 if told["ok"] else 1)
    assert all(("fix" in c) == (c["status"] != "ok") for c in told["checks"])
    return {c["name"]: c for c in told["checks"]}


def test_a_model_that_is_missing_and_one_that_is_there(pollux, tmp_path):
    folder = tmp_path / "models"
    args = ("--models-dir", folder, "--model", SMALL, "--port", free_port())
    missing = doctor(pollux, *args)["model"]
    assert missing["status"] == "fail"
    assert missing["fix"] == f"pollux pull {SMALL}"
    place(folder, json.loads(pollux("models", "--json").out)["models"])
    assert doctor(pollux, *args)["model"]["status"] == "ok"


def test_a_damaged_model_is_found_by_its_hash(pollux, tmp_path):
    folder = tmp_path / "models"
    path = place(folder, json.loads(pollux("models", "--json").out)["models"])
    args = ("--models-dir", folder, "--model", SMALL, "--port", free_port())
    assert doctor(pollux, *args)["model's hash"]["status"] == "ok"
    found = doctor(pollux, "--deep", *args)["model's hash"]
    assert found["status"] == "fail" and str(path) in found["message"]
    assert len(re.findall(r"\b[0-9a-f]{64}\b", found["message"])) == 2


def test_a_port_that_another_program_has(pollux):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        found = doctor(pollux, "--port", s.getsockname()[1])
        assert found["port"]["status"] == "ok" or "cannot listen" in found["port"]["message"]
        s.listen()
        found = doctor(pollux, "--port", s.getsockname()[1])
    assert found["server"]["status"] == "fail" and found["port"]["status"] == "fail"
    assert "--port" in found["port"]["fix"]


def test_a_server_that_answers(pollux, fake):
    found = doctor(pollux, "--port", fake.server_port)
    assert found["server"]["status"] == found["port"]["status"] == "ok"
    assert "2 models" in found["server"]["message"]
    found = doctor(pollux, "--port", fake.server_port, "--base-url", fake.base + "/")
    assert found["server"]["status"] == found["port"]["status"] == "ok"
    found = doctor(pollux, "--port", free_port())
    assert found["server"]["fix"] == "pollux serve" and found["port"]["status"] == "ok"


def test_what_built_in_tools_have(pollux):
    found = doctor(pollux, "--port", free_port())
    assert "code_execution" in found["code"]["message"]
    assert found["search"]["fix"] == "pollux serve" and "google_search" in found["search"]["message"]
    with Server("--script", SCRIPT) as server:
        none = doctor(pollux, "--base-url", server.base)["search"]
        assert none["status"] == "warn" and "pollux index add" in none["fix"]
        server.add_document("a.txt", "Figs are ripe.", "file:///a.txt")
        assert doctor(pollux, "--base-url", server.base)["search"] == {
            "name": "search", "status": "ok", "message": "the tool google_search has 1 document"}


def test_a_folder_that_cannot_be_written(pollux, tmp_path):
    (tmp_path / "file").touch()
    found = doctor(pollux, "--data-dir", tmp_path / "file" / "data", "--port", free_port())
    assert found["data folder"]["status"] == "fail"
    assert "Not a directory" in found["data folder"]["message"]
    assert "--data-dir" in found["data folder"]["fix"]


def test_no_python(pollux, tmp_path):
    (tmp_path / "empty").mkdir()
    found = doctor(pollux, "--port", free_port(), env={"PATH": str(tmp_path / "empty")})
    assert found["python"]["status"] == "warn" and "apt-get" in found["python"]["fix"]


def test_what_a_person_reads(pollux, tmp_path):
    done = pollux("doctor", "--models-dir", tmp_path / "none", "--port", free_port())
    assert done.returncode == 1
    assert re.search(r"^FAIL  model +.*\n +-> pollux pull ", done.out, re.M)
    assert re.search(r"^ok    cpu ", done.out, re.M) and "\x1b" not in done.out
