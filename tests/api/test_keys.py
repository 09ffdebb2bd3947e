"""A server that was given keys lets in only those."""

import pytest

from pollux import SCRIPT, Server

SAY = {"contents": [{"parts": [{"text": "Say hello"}]}]}
PATH = "/v1beta/models/gemini-2.0-flash:generateContent"


@pytest.fixture(scope="module")
def locked():
    with Server("--script", SCRIPT, "--api-key", "first-key", "--api-key", "second-key") as s:
        yield s


def ask(server, path=PATH, **headers):
    headers = {"x-goog-api-key": None, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return server.post(path, SAY, headers=headers)


@pytest.mark.parametrize("key", ["first-key", "second-key"])
def test_each_key_in_each_way(locked, key):
    """proves: A001 A002 A003 A004"""
    assert ask(locked, x_goog_api_key=key).status == 200
    assert ask(locked, X_Goog_API_Key=key).status == 200
    assert ask(locked, Authorization=f"Bearer {key}").status == 200
    assert ask(locked, authorization=f"bearer {key}").status == 200
    assert ask(locked, PATH + f"?key={key}").status == 200
    assert ask(locked, PATH + f"?alt=json&key={key}").status == 200
    assert ask(locked, PATH + f"?key={key[:-3]}%6Bey").status == 200


def test_one_valid_key_is_enough(locked):
    """proves: A001 A002"""
    assert ask(locked, PATH + "?key=wrong", x_goog_api_key="first-key").status == 200
    assert ask(locked, PATH + "?key=first-key", x_goog_api_key="wrong").status == 200


@pytest.mark.parametrize("key", ["wrong", "first-ke", "first-keyy", "FIRST-KEY", "first-key second-key", "é"])
def test_a_wrong_key(locked, key):
    """proves: A007"""
    answer = ask(locked, x_goog_api_key=key.encode())
    assert answer.status == 400, answer
    assert answer.error["status"] == "INVALID_ARGUMENT"
    assert answer.error["message"] == "API key not valid. Please pass a valid API key."
    assert answer.error["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert answer.error["details"][0]["reason"] == "API_KEY_INVALID"
    assert key not in answer.text or key == "é"
    assert ask(locked, PATH + "?key=wrong").status == 400


def test_no_key(locked):
    """proves: A008 E006"""
    for answer in (ask(locked), ask(locked, PATH + "?alt=json"), ask(locked, PATH + "?key="),
                   ask(locked, x_goog_api_key="")):
        assert answer.status == 403, answer
        assert answer.error["status"] == "PERMISSION_DENIED" and answer.error["message"]


def test_a_wrong_token(locked):
    """proves: E005"""
    answer = ask(locked, Authorization="Bearer nonsense")
    assert answer.status == 401, answer
    assert answer.error["status"] == "UNAUTHENTICATED"


def test_every_route_asks_for_the_key(locked):
    """proves: A008; what watches the server needs none."""
    none = {"x-goog-api-key": None}
    for path in ("/v1beta/models", "/v1/models/gemini-2.0-flash"):
        assert locked.get(path, headers=none).status == 403
        assert locked.get(path, headers={"x-goog-api-key": "second-key"}).status == 200
    for verb in ("countTokens", "streamGenerateContent", "streamGenerateContent?alt=sse"):
        assert locked.generate("Say hello", verb=verb, headers=none).status == 403
    assert locked.get("/healthz", headers=none).status == 200


def test_a_preflight_has_no_key(locked):
    """proves: A008"""
    answer = locked.call("OPTIONS", PATH, headers={
        "x-goog-api-key": None, "Origin": "http://app.test", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-goog-api-key"})
    assert answer.status in (200, 204), answer


def test_keys_are_not_logged(locked):
    assert "first-key" not in locked.log and "second-key" not in locked.log
