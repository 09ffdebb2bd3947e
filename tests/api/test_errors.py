"""The table of errors: status, HTTP code, shape."""

import pytest

from pollux import request_bytes

# proves: E001 E002 E003 E004 E005 E006 E007 E008 E009 E010 E011 E012 E013 E014 E015
TABLE = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409,
    "ABORTED": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500, "UNKNOWN": 500,
    "DATA_LOSS": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
}


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent",
                                  "streamGenerateContent?alt=sse"])
def test_a_row(server, status, verb):
    answer = server.generate(f"fault {status}", verb=verb)
    assert answer.status == TABLE[status], answer
    assert answer.headers["content-type"].lower() == "application/json; charset=utf-8"
    assert list(answer.json) == ["error"]
    assert answer.error["code"] == TABLE[status] and answer.error["status"] == status
    assert answer.error["message"]
    for detail in answer.error.get("details", []):
        assert detail["@type"].startswith("type.googleapis.com/google.rpc.")


def test_reasons_keep_coming_in_json_after_many_errors(server):
    """proves: E001; the same connection goes on after each error."""
    with server.wire() as wire:
        for body in (b"{", b"{}", b"[]", b'{"x":1}'):
            wire.send(request_bytes("POST", "/v1/models/gemini-2.0-flash:generateContent", body))
            assert wire.answer().status == 400
        wire.send(request_bytes("GET", "/v1/models"))
        assert wire.answer().status == 200


def test_deep_nesting(server):
    """proves: E016; 10,000 levels, as lists and as objects, whole and cut short."""
    path = "/v1beta/models/gemini-2.0-flash:generateContent"
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}"), (b'{"contents":[', b"]}")):
        for body in (opened * 10000 + b"1" + closed * 10000, opened * 10000):
            answer = server.post(path, body)
            assert answer.status == 400 and answer.error["status"] == "INVALID_ARGUMENT", answer
    assert server.generate("Say hello").status == 200


def test_deep_nesting_where_anything_goes(server):
    """proves: E016; the arguments of a call are the client's own."""
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    answer = server.post("/v1beta/models/gemini-2.0-flash:generateContent",
                         b'{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":%s}}]}]}' % deep)
    assert answer.status == 400, answer


def test_many_of_everything(server):
    """proves: E016; wide instead of deep: answered, and soon."""
    path = "/v1beta/models/gemini-2.0-flash:generateContent"
    parts = [{"text": "x"}] * 20000
    assert server.post(path, {"contents": [{"parts": parts}]}).status in (200, 400)
    assert server.post(path, {"contents": [{"parts": [{"text": "Say hello"}]}],
                              **{f"k{i}": 1 for i in range(20000)}}).status == 400
    assert server.post(path, b'{"contents":' + b" " * 1000000 + b"[]}").status == 400
