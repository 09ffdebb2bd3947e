"""What every official client is asked to do, and what must come of it.

Each client has a runner (py/genai.py, js/genai.mjs, go/main.go, ...): a small program in its own
language that uses the client as its documentation shows, with only the base URL (env BASE) and
the model (env MODEL) changed. `runner CASE...` prints one line of JSON for each case. The
prompts are written in the runners; the answers come from tests/api/script.json.
"""

COUNT = "One, two, three, four, five."


def text(got):
    """A prompt, an answer. proves: G001 T019 T020"""
    assert got["text"] == "Hello there."


def system(got):
    """A system instruction. proves: G009 G128"""
    assert got["text"] == "Squawk!"


def stream(got):
    """A streamed answer: deltas that add up. proves: G002 S001 S007"""
    assert got["text"] == COUNT
    assert got["chunks"] > 1
    assert got["finish"] == "STOP"


def chat(got):
    """Two turns; the client sends the history. proves: G015"""
    assert got["texts"] == ["Lovely!", "Eight paws."]
    assert got["history"] == 4


def chat_stream(got):
    """The same, streamed. proves: S014"""
    assert got["texts"] == ["Lovely!", "Eight paws."]
    assert got["history"] == 4


def config(got):
    """All sampler fields at once, and a stop sequence that works. proves: G010 G064 G072-G077"""
    assert got["text"] == "One, two, "
    assert got["finish"] == "STOP"


def max_tokens(got):
    """proves: G071 T032"""
    assert got["finish"] == "MAX_TOKENS"
    assert got["tokens"] == 2


def usage(got):
    """proves: T003 T009 T011 T013"""
    assert got["prompt"] > 0 and got["candidates"] > 0
    assert got["total"] == got["prompt"] + got["candidates"]


def count(got):
    """countTokens says what the call will use. proves: M005 M006"""
    assert got["total"] == got["prompt"] > 0


def embed(got):
    """One text, and several in order; a task, a title, fewer dimensions. proves: M007 M008 M009"""
    assert len(got["one"]) == 384 and abs(sum(x * x for x in got["one"]) - 1) < 1e-4
    assert len(got["many"]) == 2 and got["many"][0] != got["many"][1]
    assert max(abs(a - b) for a, b in zip(got["many"][0], got["one"], strict=True)) < 1e-6
    assert len(got["short"]) == 8 and abs(sum(x * x for x in got["short"]) - 1) < 1e-4


def models_list(got):
    """proves: M002 M003"""
    assert got["names"] and all(n.startswith("models/") for n in got["names"])
    assert len(set(got["names"])) == len(got["names"])


def models_get(got):
    """proves: M001"""
    assert got["name"] == "models/gemini-2.0-flash"
    assert got["input_limit"] > 0 and got["output_limit"] > 0


def not_found(got):
    """proves: M010 E007"""
    error = got["error"]
    assert error["code"] == 404 and "no-such-model" in error["message"], error


def bad_argument(got):
    """proves: E002"""
    error = got["error"]
    assert error["code"] == 400 and "temperature" in error["message"], error


def exhausted(got):
    """proves: E010"""
    error = got["error"]
    assert error["code"] == 429 and "Too many requests" in error["message"], error


def failed(got):
    """proves: E012"""
    assert got["error"]["code"] == 500, got


TIDE = {"harbour": "Bergen", "hour_of_day": 9}
RECIPES = [{"recipeName": "Snickerdoodle", "minutes": 12}]


def functions(got):
    """A call, its function's result, words about it: automatic where the client can do that,
    otherwise by a chat. proves: G006 G037 G046-G050 G059 G060 G061"""
    assert got["called"] == TIDE
    assert got["text"] == "The tide is 134 cm."


def function_chat(got):
    """A chat goes on after a call; its history holds call and result. proves: G015 G016 G022 G023"""
    assert got["called"] == TIDE
    assert got["texts"] == ["The tide is 134 cm.", "Hello there."]
    assert got["history"] == 6


def function_stream(got):
    """The same, streamed. proves: S010 S014"""
    assert got["called"] == TIDE
    assert got["text"] == "The tide is 134 cm."


def forced(got):
    """A call that must be made, of two functions the one that is allowed. proves: G007 G030 G055 G058"""
    assert got["name"] == "get_tide" and got["args"] == TIDE
    assert got.get("id") is None or len(got["id"]) == 9


def json_schema(got):
    """An answer by a schema, read by the client. proves: G066 G068 G083"""
    assert got["parsed"] == RECIPES


def enum(got):
    """proves: G067 G113"""
    assert got["text"] == "fruit"


def thoughts(got):
    """proves: G027 G084 G085 T014"""
    assert got["thought"] == "Compare both options." and got["text"] == "Option B."
    assert got["tokens"] > 0


def smoke(got):
    """On the real model: a streamed answer, a whole one, and the same bytes for the same seed."""
    assert got["text"] and got["text"] == got["again"] == got["streamed"]
    assert got["chunks"] > 1


def remembers(got):
    """On the real model: a streamed chat, whose second answer needs the first turn. proves: S014"""
    assert got["history"] == 4
    assert "Ingeborg" in got["texts"][1]


REAL = [smoke, remembers]
SCRIPTED = [text, system, stream, chat, chat_stream, config, max_tokens, usage, count, embed, models_list,
            models_get, not_found, bad_argument, exhausted, failed, functions, function_chat, function_stream,
            forced, json_schema, enum, thoughts]

# The class of the client's own exception, by HTTP code.
ERRORS = {
    "python": {400: "ClientError", 404: "ClientError", 429: "ClientError", 500: "ServerError"},
    "python-legacy": {400: "InvalidArgument|BadRequest", 404: "NotFound",
                      429: "ResourceExhausted|TooManyRequests", 500: "InternalServerError"},
    "js": {400: "ApiError", 404: "ApiError", 429: "ApiError", 500: "ApiError"},
    "js-legacy": dict.fromkeys((400, 404, 429, 500), "GoogleGenerativeAIFetchError"),
    "go": dict.fromkeys((400, 404, 429, 500), "genai.APIError"),
    "java": {400: "ClientException", 404: "ClientException", 429: "ClientException",
             500: "ServerException"},
}

# What a client cannot do.
LACKS = {
    "python-legacy": {"thoughts"},
    "js-legacy": {"models_list", "models_get", "thoughts"},
}
