"""MCP servers as tools: a real one (the reference implementation's, mcp_server.py) and a rude one of our own."""

import base64
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pollux import PATIENCE, ROOT, Server, free_port
from test_code import events, joined, user

SCRIPT = ROOT / "tests" / "scripts" / "mcp.json"
TIDE = {"type": "function", "name": "get_tide", "description": "Tide height", "parameters": {
    "type": "object", "properties": {"harbour": {"type": "string"}}, "required": ["harbour"]}}

pytestmark = pytest.mark.timeout(120)


# ---- the real server ----


class RealServer:
    def __init__(self, *modes):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "mcp_server.py", str(self.port), *modes],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30 * PATIENCE
        while not self.answers():
            assert self.process.poll() is None, self.process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def answers(self):
        import socket
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def calc():
    server = RealServer()
    yield server
    server.close()


@pytest.fixture(scope="module", params=["events", "json"])
def any_calc(request, calc):
    if request.param == "events":
        yield calc
        return
    server = RealServer("json", "stateless")
    yield server
    server.close()


@pytest.fixture(scope="module")
def pollux():
    with Server("--script", SCRIPT, "--fetch-allow", "127.0.0.1") as server:
        yield server


def tool(server, **more):
    return {"type": "mcp_server", "name": "calc", "url": server.url, **more}


def ask(pollux, input, *tools, **fields):
    return pollux.post("/v1beta/interactions", {"model": "gemini-3-flash-preview", "input": input,
                                                "tools": list(tools), **fields})


def made(pollux, input, *tools, **fields):
    answer = ask(pollux, input, *tools, **fields)
    assert answer.status == 200, answer
    return answer.json


def types(interaction):
    return [s["type"] for s in interaction["steps"]]


def refused(answer, *words):
    assert answer.status == 400, answer
    for word in words:
        assert word in answer.error["message"], answer
    return True


def transport(server, name="calc", **more):
    return {"tools": [{"mcpServers": [{"name": name, "streamableHttpTransport": {"url": server.url, **more}}]}]}


# ---- Interactions ----


def test_a_call_and_its_result_are_steps(pollux, any_calc):
    """proves: I058 I072"""
    got = made(pollux, "What is the sum of 40 and 2?", tool(any_calc))
    assert got["status"] == "completed", got
    assert types(got) == ["model_output", "mcp_server_tool_call", "mcp_server_tool_result", "model_output"]
    call, result = got["steps"][1:3]
    assert (call["name"], call["server_name"], call["arguments"]) == ("add", "calc", {"a": 40, "b": 2})
    assert result == {"type": "mcp_server_tool_result", "call_id": call["id"], "name": "add",
                      "server_name": "calc", "result": "42", "is_error": False}
    assert got["steps"][3]["content"][0]["text"] == "The sum is 42."
    usage = got["usage"]
    assert usage["total_tool_use_tokens"] > 3 and usage["total_tokens"] == sum(
        usage[f"total_{k}_tokens"] for k in ("input", "output", "tool_use"))


def test_a_stream_adds_up_to_the_steps(pollux, calc):
    told = events(ask(pollux, "draw", tool(calc), stream=True))
    kept = pollux.get(f"/v1beta/interactions/{told[0]['interaction']['id']}").json
    assert types(kept) == ["mcp_server_tool_call", "mcp_server_tool_result", "model_output", "model_output"]
    starts = [e["step"] for e in told if e["event_type"] == "step.start"]
    assert [s["type"] for s in starts] == types(kept)
    assert starts[0] == {"type": "mcp_server_tool_call", "id": kept["steps"][0]["id"], "name": "draw",
                         "server_name": "calc", "arguments": {}}
    deltas = {e["index"]: e["delta"] for e in told if e["event_type"] == "step.delta"}
    assert deltas[0] == {"type": "mcp_server_tool_call", "name": "draw", "server_name": "calc", "arguments": {}}
    assert deltas[1] == {"type": "mcp_server_tool_result", "name": "draw", "server_name": "calc", "is_error": False,
                         "result": "drawn\n[a picture, which the user sees]"}
    assert deltas[2]["mime_type"] == "image/png" and base64.b64decode(deltas[2]["data"]).startswith(b"\x89PNG")
    replayed = events(pollux.get(f"/v1beta/interactions/{kept['id']}?stream=true"))
    assert [e.get("delta") for e in replayed] == [e.get("delta") for e in told]


def test_events_made_up_of_steps_that_were_never_streamed(pollux, calc):
    kept = made(pollux, "draw", tool(calc))
    told = events(pollux.get(f"/v1beta/interactions/{kept['id']}?stream=true"))
    deltas = [e["delta"] for e in told if e["event_type"] == "step.delta"]
    assert [d["type"] for d in deltas] == ["mcp_server_tool_call", "mcp_server_tool_result", "image", "text"]
    assert deltas[0]["name"] == "draw" and deltas[1]["server_name"] == "calc"


def test_a_session_is_a_requests_own(pollux, calc):
    for _ in range(2):
        got = made(pollux, "count twice", tool(calc))
        assert [s["result"] for s in got["steps"] if s["type"].endswith("_result")] == [
            "call 1 of this session", "call 2 of this session"]
        assert got["steps"][-1]["content"][0]["text"] == "It counted to two."


@pytest.mark.parametrize("headers, said", [({"Authorization": "Bearer secret"}, "I know you."), ({}, "I do not know you.")])
def test_headers_reach_the_server(pollux, calc, headers, said):
    got = made(pollux, "who am I?", tool(calc, headers=headers))
    assert got["steps"][-1]["content"][0]["text"] == said
    assert "headers" not in got["tools"][0], "what is secret is not told again"


def test_nested_arguments(pollux, calc):
    got = made(pollux, "weather", tool(calc))
    assert got["steps"][-2]["result"] == "Oslo: 21 degrees celsius, 2 day(s)"


@pytest.mark.parametrize("asked, words", [("divide", "division by zero"), ("wrong arguments", "validation error")])
def test_a_failure_is_told_to_the_model_and_shown(pollux, calc, asked, words):
    got = made(pollux, asked, tool(calc))
    result = got["steps"][1]
    assert result["is_error"] is True and words in result["result"]
    assert got["status"] == "completed" and types(got)[-1] == "model_output"


def test_allowed_tools(pollux, calc):
    one = tool(calc, allowed_tools=[{"tools": ["add"]}])
    assert made(pollux, "What is the sum of 40 and 2?", one)["status"] == "completed"
    assert types(made(pollux, "draw", tool(calc, allowed_tools=[{"mode": "auto", "tools": ["draw", "add"]}])))[0] == \
        "mcp_server_tool_call"
    other = ask(pollux, "draw", one)  # a script calls it all the same: it is nobody's, so the client's
    assert other.status != 200 or "mcp_server_tool_call" not in types(other.json)
    assert refused(ask(pollux, "hi", tool(calc, allowed_tools=[{"tools": ["subtract"]}])), "tools[0]", "subtract")
    none = made(pollux, "hello", tool(calc, allowed_tools=[{"mode": "none"}]))
    assert none["steps"][0]["content"][0]["text"] == "hello"


@pytest.mark.parametrize("choice", ["auto", "any", "none", {"allowed_tools": {"mode": "any", "tools": ["add"]}}], ids=str)
def test_tool_choice(pollux, calc, choice):
    got = made(pollux, "What is the sum of 40 and 2?", tool(calc), generation_config={"tool_choice": choice})
    assert got["status"] == "completed"


def test_tool_choice_of_what_is_not_there(pollux, calc):
    choice = {"allowed_tools": {"mode": "any", "tools": ["subtract"]}}
    assert refused(ask(pollux, "hi", tool(calc), generation_config={"tool_choice": choice}), "subtract")


def test_with_code_and_functions(pollux, calc):
    tools = [tool(calc), {"type": "code_execution"}, TIDE]
    got = made(pollux, "code, then a tool", *tools)
    assert types(got) == ["code_execution_call", "code_execution_result", "mcp_server_tool_call",
                          "mcp_server_tool_result", "model_output"]
    got = made(pollux, "mixed", *tools)
    assert types(got) == ["mcp_server_tool_call", "mcp_server_tool_result", "function_call"]
    assert got["status"] == "requires_action"
    result = {"type": "function_result", "call_id": got["steps"][2]["id"], "result": {"cm": 134}}
    after = made(pollux, [result], *tools, previous_interaction_id=got["id"])
    assert after["steps"][-1]["content"][0]["text"] == "The tide is 134 cm."


def test_two_servers_with_a_tool_of_one_name(pollux, calc):
    got = made(pollux, "both servers", tool(calc), tool(calc, name="other"))
    calls = [s for s in got["steps"] if s["type"] == "mcp_server_tool_call"]
    assert [(c["server_name"], c["name"], c["arguments"]) for c in calls] == [
        ("calc", "add", {"a": 40, "b": 2}), ("other", "add", {"a": 1, "b": 41})]
    assert [s["result"] for s in got["steps"] if s["type"].endswith("_result")] == ["42", "42"]


def test_stored_and_stateless_chains_have_the_same_prompt(pollux, calc):
    first = made(pollux, "draw", tool(calc))
    asked = "What is the sum of 40 and 2?"
    stored = made(pollux, asked, tool(calc), previous_interaction_id=first["id"])
    history = [{"type": "user_input", "content": [{"type": "text", "text": "draw"}]}, *first["steps"],
               {"type": "user_input", "content": [{"type": "text", "text": asked}]}]
    stateless = made(pollux, history, tool(calc), store=False)
    assert stored["usage"] == stateless["usage"] and stored["steps"] == stateless["steps"]
    assert made(pollux, history, store=False)["status"] == "completed"  # the tool need not be there any more


def test_in_the_background(pollux, calc):
    id = made(pollux, "What is the sum of 40 and 2?", tool(calc), background=True)["id"]
    got = until_it_is_over(pollux, id)
    assert got["status"] == "completed" and len(got["steps"]) == 4


def until_it_is_over(server, id):
    deadline = time.monotonic() + 20 * PATIENCE
    while (got := server.get(f"/v1beta/interactions/{id}").json)["status"] == "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return got


def test_headers_do_not_stay_on_the_disk(tmp_path, calc):
    secret = tool(calc, headers={"X-Key": "hush-hush"})
    with Server("--script", SCRIPT, "--fetch-allow", "127.0.0.1", "--data-dir", tmp_path / "data") as server:
        late = made(server, "What is the sum of 40 and 2?", secret, background=True)["id"]
        assert made(server, "What is the sum of 40 and 2?", secret)["status"] == "completed"
        assert until_it_is_over(server, late)["status"] == "completed"
        assert server.get(f"/v1beta/interactions/{late}").json["tools"][0]["url"] == calc.url
    kept = b"".join(f.read_bytes() for f in (tmp_path / "data").rglob("*") if f.is_file())
    assert b"the sum of 40" in kept and b"hush-hush" not in kept


def test_killed_while_a_tool_is_called(tmp_path, calc):
    """The next server says honestly that it failed, with the call that was told of; its state is kept, and goes."""
    options = ("--script", SCRIPT, "--fetch-allow", "127.0.0.1", "--data-dir", tmp_path / "data")
    first = Server(*options)
    id = made(first, "wait for 30", tool(calc), background=True)["id"]
    assert wait_for(lambda: first.get(f"/v1beta/interactions/{id}").json["steps"])
    time.sleep(0.2)  # its log is on the disk
    first.crash()
    with Server(*options) as second:
        got = second.get(f"/v1beta/interactions/{id}").json
        assert got["status"] == "failed" and got["errors"][0]["code"] == "interrupted"
        assert got["steps"][-1]["type"] == "mcp_server_tool_call" and got["steps"][-1]["arguments"] == {"seconds": 30}
        assert made(second, "What is the sum of 40 and 2?", tool(calc))["status"] == "completed"
        assert second.call("DELETE", f"/v1beta/interactions/{id}").status == 200
        assert second.get(f"/v1beta/interactions/{id}").status == 404


# ---- generateContent ----


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
def test_generate_content(pollux, calc, verb):
    """proves: G045; what was called is no part."""
    parts, finish, usage = joined(pollux.generate("sum of 40 and 2", verb=verb, fields=transport(calc)))
    assert parts == [{"text": "Let me add.The sum is 42."}] and finish == "STOP"
    assert usage["toolUsePromptTokenCount"] > 3


def test_both_spellings_and_all_fields(pollux, calc):
    fields = {"tools": {"mcp_servers": {"name": "calc", "streamable_http_transport": {
        "url": calc.url, "headers": {"authorization": "Bearer secret"}, "timeout": "20s",
        "sse_read_timeout": "30s", "terminate_on_close": False}}}}
    assert joined(pollux.generate("who am I", fields=fields))[0] == [{"text": "I know you."}]


def test_counting_asks_for_the_tools(pollux, calc):
    plain = pollux.count("hi")
    with_tools = pollux.post("/v1beta/models/gemini-2.0-flash:countTokens", {"generateContentRequest": {
        "model": "models/gemini-2.0-flash", "contents": [user("hi")], **transport(calc)}}).json["totalTokens"]
    assert with_tools > plain + 50


def test_a_time_limit_of_the_request(pollux, calc):
    since = time.monotonic()
    parts, _, _ = joined(pollux.generate("wait for 30", fields=transport(calc, timeout="0.5s")))
    assert parts == [{"text": "The tool failed."}] and time.monotonic() - since < 10 * PATIENCE


def test_a_client_that_leaves_is_not_waited_for(pollux, calc):
    with pytest.raises(TimeoutError):
        pollux.generate("wait for 5", fields=transport(calc), timeout=0.5)
    deadline = time.monotonic() + 4
    while "end=GONE" not in pollux.log and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "end=GONE" in pollux.log
    assert joined(pollux.generate("sum of 40 and 2", fields=transport(calc)))[1] == "STOP"


# ---- what is refused ----


@pytest.mark.parametrize("fields, words", [
    ({"url": "ftp://x/"}, "tools[0].url"),
    ({"url": None}, "tools[0].url"),
    ({"colour": 1}, "colour"),
    ({"headers": ["a"]}, "tools[0].headers"),
    ({"headers": {"a b": "c"}}, "a b"),
    ({"headers": {"X": "a\r\nb"}}, "'X'"),
    ({"headers": {"X": 1}}, "'X'"),
    ({"headers": {"Mcp-Session-Id": "x"}}, "protocol"),
    ({"headers": {f"X-{i}": "x" for i in range(33)}}, "32"),
    ({"allowed_tools": [{"mode": "any"}]}, "tool_choice"),
    ({"allowed_tools": [{"mode": "none", "tools": ["a"]}]}, "none"),
    ({"allowed_tools": [{"mode": "sometimes"}]}, "mode"),
    ({"streamable_http_transport": {"url": "http://a"}}, "streamable_http_transport"),
])
def test_what_is_refused(pollux, calc, fields, words):
    assert refused(ask(pollux, "hi", {**tool(calc), **fields}), words)


def test_private_addresses_are_not_asked(scripted, calc):
    server = scripted("--script", SCRIPT)
    assert refused(ask(server, "hi", tool(calc)), "tools[0]", "calc", "--fetch-allow")
    answer = server.generate("hi", fields=transport(calc))
    assert refused(answer, "tools[0].mcp_servers[0]", "--fetch-allow")


def test_a_server_that_fetches_nothing(scripted, calc):
    server = scripted("--script", SCRIPT, "--fetch", "off")
    assert refused(ask(server, "hi", tool(calc)), "--fetch off")


def test_a_cache_cannot_have_one(pollux, calc):
    answer = pollux.post("/v1beta/cachedContents", {"model": "models/gemini-2.0-flash", "contents": [user("hi")],
                                                    **transport(calc)})
    assert refused(answer, "tools")


# ---- a rude server ----


ADD = {"name": "rude", "description": "Is rude", "inputSchema": {"type": "object"}}


class RudeServer:
    """A server whose answers to each method are a function's; by default it is well behaved."""

    def __init__(self):
        rude = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                message = json.loads(self.rfile.read(length))
                rude.asked.append((message["method"], dict(self.headers), message))
                try:
                    rude.answers.get(message["method"], rude.well)(self, message)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def do_DELETE(self):
                rude.asked.append(("DELETE", dict(self.headers), None))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

            def say(self, body, status=200, mime="application/json", **headers):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", mime)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

        self.asked, self.answers = [], {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def well(self, handler, message):
        results = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "rude", "version": "1"}},
            "tools/list": {"tools": [ADD]},
            "tools/call": {"content": [{"type": "text", "text": "well"}]},
        }
        if "id" not in message:
            handler.say(b"", status=202)
            return
        headers = {"Mcp_Session_Id": "s1"} if message["method"] == "initialize" else {}
        handler.say({"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}, **headers)

    def result(self, method, value):
        self.answers[method] = lambda h, m: h.say({"jsonrpc": "2.0", "id": m["id"], "result": value})

    def body(self, method, data, **more):
        self.answers[method] = lambda h, m: h.say(data, **more)

    def methods(self):
        return [a[0] for a in self.asked]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def rude():
    server = RudeServer()
    yield server
    server.close()


def wait_for(condition):
    deadline = time.monotonic() + 5 * PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_the_protocol_is_kept_to(pollux, rude):
    got = made(pollux, "rude", tool(rude, headers={"X-Key": "k"}))
    assert got["steps"][1]["result"] == "well"
    assert wait_for(lambda: "DELETE" in rude.methods())
    assert rude.methods() == ["initialize", "notifications/initialized", "tools/list", "tools/call", "DELETE"]
    headers = [{k.lower(): v for k, v in a[1].items()} for a in rude.asked]
    assert all(h["x-key"] == "k" for h in headers)
    assert "mcp-session-id" not in headers[0] and "mcp-protocol-version" not in headers[0]
    assert all(h["mcp-session-id"] == "s1" and h["mcp-protocol-version"] == "2025-06-18" for h in headers[1:])
    assert all("application/json" in h["accept"] and "text/event-stream" in h["accept"] for h in headers[:-1])
    hello = rude.asked[0][2]["params"]
    assert hello["protocolVersion"] == "2025-11-25" and hello["clientInfo"]["name"] == "pollux"
    assert rude.asked[3][2]["params"] == {"name": "rude", "arguments": {}}
    ids = [a[2].get("id") for a in rude.asked[:4]]
    assert ids[1] is None and len({ids[0], ids[2], ids[3]}) == 3


def test_pages_of_tools(pollux, rude):
    def page(handler, message):
        at = int(message.get("params", {}).get("cursor", "0"))
        tools = [{**ADD, "name": f"t{at}"}] if at < 3 else [ADD]
        result = {"tools": tools, **({"nextCursor": str(at + 1)} if at < 3 else {})}
        handler.say({"id": message["id"], "result": result})
    rude.answers["tools/list"] = page
    assert made(pollux, "rude", tool(rude))["steps"][1]["result"] == "well"
    assert rude.methods().count("tools/list") == 4


def endless(handler, message):
    handler.say({"id": message["id"], "result": {"tools": [], "nextCursor": "again"}})


def flood(handler, _):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    for _ in range(100000):
        handler.wfile.write(b"data: {}\n\n" + b": " + b"x" * 1000 + b"\n\n")


@pytest.mark.parametrize("method, answer, words", [
    ("initialize", {"body": b"<html>", "mime": "text/html"}, "else than JSON"),
    ("initialize", {"body": b"", "status": 500}, "HTTP status 500"),
    ("initialize", {"body": b"{}", "status": 401}, "headers"),
    ("initialize", {"body": b"", "status": 202}, "rude"),
    ("initialize", {"body": b"data: {\"id\": 99}\n\n", "mime": "text/event-stream"}, "did not answer"),
    ("initialize", {"result": {"protocolVersion": "1999-01-01"}}, "1999-01-01"),
    ("initialize", {"result": {}}, "revision"),
    ("initialize", {"result": []}, "revision"),
    ("initialize", {"body": b"x" * (9 << 20)}, "longer than"),
    ("initialize", {"function": flood}, "longer than"),
    ("notifications/initialized", {"body": b"", "status": 500}, "HTTP status 500"),
    ("tools/list", {"function": endless}, "more than 32 pages"),
    ("tools/list", {"result": {"tools": [{**ADD, "name": f"t{i}"} for i in range(129)]}}, "allowed_tools"),
    ("tools/list", {"body": b'{"id": 2, "error": {"code": -32601, "message": "no tools here"}}'}, "no tools here"),
    ("tools/list", {"body": b'{"id": 2, "error": {"code": -1, "message": "bad"}}', "status": 400}, "It says: bad"),
    ("tools/list", {"body": b'[' * 300}, "else than JSON"),
], ids=lambda v: v["function"].__name__ if "function" in v else str(v)[:40])
def test_rude_beginnings(pollux, rude, method, answer, words):
    if "function" in answer:
        rude.answers[method] = answer["function"]
    elif "result" in answer:
        rude.result(method, answer["result"])
    else:
        rude.body(method, answer["body"], **{k: v for k, v in answer.items() if k != "body"})
    got = ask(pollux, "hi", tool(rude, name="rude"))
    assert refused(got, "'tools[0]'", "The MCP server 'rude'", words)
    assert pollux.get("/v1beta/models").status == 200


@pytest.mark.parametrize("result, words, is_error", [
    ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb", False),
    ({"content": [{"type": "text", "text": "no"}], "isError": True}, "no", True),
    ({"structuredContent": {"x": [1, 2]}}, '{"x":[1,2]}', False),
    ({"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "inside"}}]}, "inside", False),
    ({"content": [{"type": "resource_link", "uri": "a:b", "name": "n"}]}, "[a resource n: a:b]", False),
    ({"content": [{"type": "image", "data": "!!", "mimeType": "image/png"}]}, "[a picture that cannot be shown]", False),
    ({"content": [{"type": "image", "data": "AAAA", "mimeType": "text/html"}]}, "[a picture that cannot be shown]", False),
    ({"content": [{"type": "audio", "data": "AAAA"}]}, "[audio that cannot be shown]", False),
    ({"content": [None, 3, "x", {}]}, "\n".join(["[something that cannot be shown]"] * 4), False),
    ({"content": "x"}, "", False),
    ({}, "", False),
], ids=str)
def test_what_a_result_may_be(pollux, rude, result, words, is_error):
    rude.result("tools/call", result)
    step = made(pollux, "rude", tool(rude))["steps"][1]
    assert step["result"] == words and step["is_error"] is is_error


def test_a_long_result_is_cut_for_the_model_and_for_the_client(pollux, rude):
    rude.result("tools/call", {"content": [{"type": "text", "text": "é" * 300000}]})
    step = made(pollux, "rude", tool(rude))["steps"][1]
    assert 250000 < len(step["result"].encode()) <= 256 * 1024 and set(step["result"]) == {"é"}


@pytest.mark.parametrize("answer, words", [
    ({"body": b"oops"}, "else than JSON"),
    ({"body": b"", "status": 503}, "HTTP status 503"),
    ({"body": b'{"error": {"code": -32602, "message": "unknown tool"}}'}, "unknown tool"),
    ({"body": b"x" * (9 << 20)}, "longer than"),
])
def test_rude_answers_are_told_to_the_model(pollux, rude, answer, words):
    rude.body("tools/call", answer["body"], **{k: v for k, v in answer.items() if k != "body"})
    got = made(pollux, "rude", tool(rude))
    assert got["status"] == "completed" and got["steps"][1]["is_error"] is True
    assert words in got["steps"][1]["result"] and types(got)[-1] == "model_output"


def test_a_stream_that_does_not_end_is_not_waited_for(pollux, rude):
    def stream(handler, message):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(b": hello\n\ndata: {\"method\": \"notifications/progress\"}\n\n")
        answer = {"id": message["id"], "result": {"content": [{"type": "text", "text": "streamed"}]}}
        handler.wfile.write(b"event: message\r\ndata: " + json.dumps(answer).encode() + b"\r\n\r\n")
        handler.wfile.flush()
        time.sleep(20)
    rude.answers["tools/call"] = stream
    since = time.monotonic()
    assert made(pollux, "rude", tool(rude))["steps"][1]["result"] == "streamed"
    assert time.monotonic() - since < 10 * PATIENCE


def test_a_session_that_is_forgotten_is_begun_anew(pollux, rude):
    def forget(handler, message):
        if rude.methods().count("initialize") == 1:
            handler.say({"id": "server-error", "error": {"code": -32600, "message": "Session not found"}}, status=404)
        else:
            rude.well(handler, message)
    rude.answers["tools/call"] = forget
    assert made(pollux, "rude", tool(rude))["steps"][1]["result"] == "well"
    assert rude.methods()[:7] == ["initialize", "notifications/initialized", "tools/list", "tools/call",
                                  "initialize", "notifications/initialized", "tools/call"]


def test_a_session_that_is_always_forgotten_is_an_error(pollux, rude):
    rude.body("tools/call", b"", status=404)
    step = made(pollux, "rude", tool(rude))["steps"][1]
    assert step["is_error"] is True and "404" in step["result"]
    assert rude.methods().count("tools/call") == 2


def test_rounds_have_an_end(pollux, rude):
    rude.result("tools/list", {"tools": [{**ADD, "name": "again"}]})
    rude.result("tools/call", {"content": [{"type": "text", "text": "again"}]})
    got = made(pollux, "forever", tool(rude))
    assert got["status"] == "failed" and got["errors"][0]["code"] == "too_many_tool_calls"
    assert len(got["steps"]) == 16


def test_odd_names_and_schemas(pollux, rude):
    """A name that is no function's is made one; a schema that no grammar holds to is the server's to check."""
    rude.result("tools/list", {"tools": [
        {"name": "odd name!", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}},
        {"name": "no schema"}, {"name": ""}, {"description": "no name"}, None, {"name": "x" * 200},
        {"name": "deep", "description": "d" * 10000, "inputSchema": {"type": "string"}}]})
    got = made(pollux, "odd name", tool(rude))
    assert got["steps"][0]["name"] == "odd name!" and got["steps"][1]["result"] == "well"
    assert rude.asked[3][2]["params"]["name"] == "odd name!"


def test_a_redirect_on_the_same_server_is_followed(pollux, rude):
    def move(handler, message):
        if handler.path == "/old":
            handler.send_response(307)
            handler.send_header("Location", "/mcp")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            rude.well(handler, message)
    for method in ("initialize", "notifications/initialized", "tools/list", "tools/call"):
        rude.answers[method] = move
    old = {**tool(rude), "url": rude.url.replace("/mcp", "/old")}
    assert made(pollux, "rude", old)["steps"][1]["result"] == "well"


def test_a_redirect_elsewhere_is_not(pollux, rude, calc):
    def move(handler, _):
        handler.send_response(307)
        handler.send_header("Location", calc.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    rude.answers["initialize"] = move
    assert refused(ask(pollux, "hi", tool(rude, headers={"Authorization": "secret"})), "redirects")
