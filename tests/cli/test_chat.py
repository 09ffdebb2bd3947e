"""pollux chat: from a pipe, and on a terminal with keys, history and colours."""

import json
import time

import pytest

from pollux import free_port

FIRST = r"ends\.\S*\r\n"  # the greeting


def turns(body):
    return [(c["role"], c["parts"][0]["text"]) for c in body["contents"]]


def chat(pollux, fake, *lines, args=()):
    return pollux("chat", "-u", fake.base, *args, stdin="".join(f"{line}\n" for line in lines))


# From a pipe.

def test_each_line_is_a_message_and_the_talk_grows(pollux, fake):
    done = chat(pollux, fake, "one", "", "two")
    assert (done.returncode, done.out, done.err) == (0, "You said: one\nYou said: two\n", "")
    assert turns(fake.bodies[1]) == [("user", "one"), ("model", "You said: one"), ("user", "two")]


@pytest.mark.parametrize("typed,sent", [
    (['"""', "a", "", "b", '"""'], "a\n\nb"),
    (['"""a', 'b"""'], "a\nb"),
    (['"""a"""'], "a"),
    (['"""', "never closed"], "never closed"),
    (["a\\", "b\\", "c"], "a\nb\nc"),
    (["//help"], "/help"),
    (["wörter  "], "wörter"),
])
def test_messages_of_many_lines(pollux, fake, typed, sent):
    assert chat(pollux, fake, *typed).returncode == 0
    assert turns(fake.bodies[0]) == [("user", sent)]


@pytest.mark.parametrize("message,status,words", [
    ("refuse", 1, "RESOURCE_EXHAUSTED"), ("drop", 1, "broke"), ("blocked", 5, "SAFETY"),
    ("/nonsense", 2, "no command /nonsense"), ("/set temperature 9", 2, "0 to 2"),
    ("/save", 2, "a file's name"), ("/load missing", 1, "missing"), ("/retry", 1, "nothing"),
    ("/undo", 1, "nothing"), ("/model nobody", 1, "NOT_FOUND"),
])
def test_in_a_pipe_the_first_failure_is_the_end(pollux, fake, message, status, words):
    done = chat(pollux, fake, message, "never sent")
    assert done.returncode == status and words in done.err
    assert "never sent" not in json.dumps(fake.bodies)


def test_nobody_answers(pollux):
    done = pollux("chat", "-u", f"http://127.0.0.1:{free_port()}", stdin="hi\n")
    assert done.returncode == 3 and "pollux serve" in done.err


def test_a_prompt_on_the_command_line_belongs_to_run(pollux):
    done = pollux("chat", "hello")
    assert done.returncode == 2 and "pollux run" in done.err


def test_a_cut_answer_is_no_failure_of_the_chat(pollux, fake):
    assert chat(pollux, fake, "cut", "go on").returncode == 0
    assert turns(fake.bodies[1])[1] == ("model", "Once upon a time")


# Commands.

def test_settings_are_set_shown_and_taken_back(pollux, fake):
    done = chat(pollux, fake, "/set temperature 0.2", "/set max_tokens 9", "/set topK 3",
                "/set stop THE END", "/set", "a", "/set temperature -", "/set stop -", "b",
                args=["--seed", "5"])
    assert done.returncode == 0, done.err
    assert fake.bodies[0]["generationConfig"] == {
        "temperature": 0.2, "topK": 3, "maxOutputTokens": 9, "seed": 5,
        "stopSequences": ["THE END"]}
    assert fake.bodies[1]["generationConfig"] == {"topK": 3, "maxOutputTokens": 9, "seed": 5}
    assert "temperature        0.2" in done.out and "THE END" in done.out


def test_set_takes_nothing_from_the_environment(pollux, fake):
    done = pollux("chat", "-u", fake.base, "-t", "0.1", stdin="/set seed 1\na\n",
                  env={"POLLUX_TEMPERATURE": "0.9", "POLLUX_SEED": "2"})
    assert done.returncode == 0
    assert fake.bodies[0]["generationConfig"] == {"temperature": 0.1, "seed": 1}


def test_the_system_instruction(pollux, fake):
    chat(pollux, fake, "/system Be  brief.", "a", "/system -", "b", args=["-s", "First."])
    assert fake.bodies[0]["systemInstruction"] == {"parts": [{"text": "Be  brief."}]}
    assert "systemInstruction" not in fake.bodies[1]


def test_another_model(pollux, fake):
    done = chat(pollux, fake, "/models", "/model two", "a")
    assert "models/one\nmodels/two\nmodels/two: Model Two\n" in done.out
    assert fake.requests[-1][1] == "/v1beta/models/two:streamGenerateContent?alt=sse"


def test_new_undo_and_retry(pollux, fake):
    chat(pollux, fake, "one", "two", "/undo", "three", "/retry", "/undo", "/retry", "/new", "four")
    one = [("user", "one"), ("model", "You said: one")]
    assert [turns(b) for b in fake.bodies] == [
        one[:1], one + [("user", "two")], *[one + [("user", "three")]] * 3, [("user", "four")]]


def test_tokens_and_usage(pollux, fake):
    done = chat(pollux, fake, "/usage on", "one", "/tokens", "/usage off", "two")
    assert "this chat: 20 tokens in 2 turns" in done.out
    assert done.err.count("7 tokens in, 5 out") == 1


def test_a_saved_chat_is_a_request_and_can_be_loaded(pollux, fake, tmp_path):
    args = ["-s", "Be brief.", "-t", "0.5", "--stop", "x", "--stop", "y", "-m", "two"]
    chat(pollux, fake, "one", "/save c.json", "/save c.json", args=args)
    saved = json.loads((tmp_path / "c.json").read_text())
    assert saved == {"model": "models/two", "systemInstruction": {"parts": [{"text": "Be brief."}]},
                     "contents": fake.bodies[0]["contents"] + [
                         {"role": "model", "parts": [{"text": "You said: one"}]}],
                     "generationConfig": {"temperature": 0.5, "stopSequences": ["x", "y"]}}
    done = chat(pollux, fake, "/show", "/retry", "two", args=["--load", "c.json"])
    assert done.out.startswith("> one\nYou said: one\n")
    del saved["model"]
    assert fake.bodies[1] == {**saved, "contents": saved["contents"][:1]}
    assert fake.bodies[2] == {**saved, "contents": saved["contents"] + [
        {"role": "user", "parts": [{"text": "two"}]}]}


def test_save_does_not_overwrite_other_files(pollux, fake, tmp_path):
    (tmp_path / "main.c").write_text("int main(void);\n")
    done = chat(pollux, fake, "one", "/save main.c")
    assert done.returncode == 1 and "not a saved chat" in done.err
    assert (tmp_path / "main.c").read_text() == "int main(void);\n"


def test_load_refuses_what_a_chat_cannot_hold(pollux, fake, tmp_path):
    (tmp_path / "image.json").write_text(
        '{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}]}')
    done = chat(pollux, fake, args=["--load", "image.json"])
    assert done.returncode == 1 and "inlineData" in done.err


def test_help_lists_the_commands(pollux, fake):
    out = chat(pollux, fake, "/help").out
    assert all(name in out for name in ("/exit", "/system", "/set", "/save", "/retry"))


# On a terminal.

def test_a_chat_on_a_terminal(terminal, fake):
    t = terminal("chat", "-u", fake.base)
    assert "Model One" in t.until(FIRST)
    t.line("hello")
    t.until("You said: hello\r\n")
    t.line("/exit")
    assert t.end()[1] == 0


def test_without_a_server_there_is_no_prompt(terminal):
    t = terminal("chat", "-u", f"http://127.0.0.1:{free_port()}")
    out, status = t.end()
    assert status == 3 and "pollux serve" in out and "> " not in out


def test_failures_do_not_end_it(terminal, fake):
    t = terminal("chat", "-u", fake.base)
    for message, words in [("refuse", "RESOURCE_EXHAUSTED"), ("/nonsense", "no command"),
                           ("hello", "You said: hello")]:
        t.until("> ")
        t.line(message)
        t.until(words)
    t.until("> ")
    t.key("\x04")
    assert t.end()[1] == 0
    assert turns(fake.bodies[-1]) == [("user", "hello")]


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(terminal, fake):
    t = terminal("chat", "-u", fake.base)
    t.until("> ")
    t.line("endless")
    t.until("5 6 7 ")
    start = time.monotonic()
    t.send("\x03")
    t.until("interrupted")
    t.until("> ")
    assert time.monotonic() - start < 5
    assert fake.hung_up.wait(5)
    t.line("hello")
    t.until("You said: hello")
    said = turns(fake.bodies[-1])
    assert said[0] == ("user", "endless") and said[1][1].startswith("0 1 2 3 4 5 6 7 ")
    assert said[2] == ("user", "hello")


def test_ctrl_c_while_typing_forgets_the_line(terminal, fake):
    t = terminal("chat", "-u", fake.base)
    t.until("> ")
    t.key("not this")
    t.until("not this")
    t.key("\x03")
    t.until(r"\^C")
    t.until("> ")
    t.line("this")
    t.until("You said: this\r\n")


def test_tab_completes_commands(terminal, fake):
    t = terminal("chat", "-u", fake.base)
    t.until("> ")
    t.send("/ret\t\n")
    t.until("nothing to ask again")
    t.send("/e\t\n")
    assert t.end()[1] == 0


def test_history_outlives_the_chat_and_is_private(terminal, fake, tmp_path):
    for key, answer in (("remember me", "You said: remember me\r"), ("\x1b[A", "You said: remember me\r")):
        t = terminal("chat", "-u", fake.base)
        t.until("> ")
        t.line(key)
        t.until(answer)
        t.until("> ")
        t.key("\x04")
        assert t.end()[1] == 0
    history = tmp_path / "state" / "pollux" / "chat_history"
    assert history.stat().st_mode & 0o077 == 0


def test_no_history(terminal, fake, tmp_path):
    t = terminal("chat", "-u", fake.base, "--no-history")
    t.until("> ")
    t.line("secret")
    t.until("You said: secret")
    t.line("/exit")
    t.end()
    assert not (tmp_path / "state").exists()


def test_characters_beyond_ascii_without_a_locale(terminal, fake):
    t = terminal("chat", "-u", fake.base, env={"LANG": "C", "LC_ALL": "C"})
    t.until("> ")
    t.line("žluťoučký 🌍")
    t.until("You said: žluťoučký 🌍\r\n")
    assert turns(fake.bodies[0]) == [("user", "žluťoučký 🌍")]


def test_no_colours_when_told_so(terminal, fake):
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        t = terminal("chat", "-u", fake.base, env=env)
        assert ("\x1b[2m" in t.until("ends")) == coloured
        t.until("> ")
        t.line("think")
        assert ("\x1b[2mHmm" in t.until("42")) == coloured
        t.line("/exit")
        t.end()
