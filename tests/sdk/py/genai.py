"""google-genai, as its documentation uses it."""

import enum as enums
import json
import os
import sys

import pydantic
from google import genai
from google.genai import errors, types

client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))
MODEL = os.environ.get("MODEL", "gemini-2.0-flash")


def ask(prompt, model=MODEL, **config):
    return client.models.generate_content(
        model=model, contents=prompt, config=types.GenerateContentConfig(**config) if config else None)


def joined(chunks):
    n, text, finish = 0, "", None
    for chunk in chunks:
        n += 1
        text += chunk.text or ""
        finish = chunk.candidates[0].finish_reason or finish
    return {"text": text, "chunks": n, "finish": finish.name}


def text():
    return {"text": ask("Say hello").text}


def system():
    return {"text": ask("Hello there", system_instruction="You are a parrot.").text}


def stream():
    return joined(client.models.generate_content_stream(model=MODEL, contents=["count to five"]))


def chat():
    chat = client.chats.create(model=MODEL)
    texts = [chat.send_message(m).text for m in ("I own 2 dogs.", "How many paws is that?")]
    return {"texts": texts, "history": len(chat.get_history(curated=True))}


def chat_stream(turns=("I own 2 dogs.", "How many paws is that?"), **config):
    chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(**config))
    texts = [joined(chat.send_message_stream(m))["text"] for m in turns]
    roles = [c.role for c in chat.get_history(curated=True)]  # each chunk is an entry of its own
    return {"texts": texts, "history": 1 + sum(a != b for a, b in zip(roles, roles[1:]))}


def config():
    got = ask("count to five", temperature=0.5, top_p=0.9, top_k=40, candidate_count=1,
              max_output_tokens=800, stop_sequences=["three"], seed=7, presence_penalty=0.1,
              frequency_penalty=-0.2, response_logprobs=True, logprobs=2)
    assert got.candidates[0].logprobs_result.chosen_candidates
    return {"text": got.text, "finish": got.candidates[0].finish_reason.name}


def max_tokens():
    got = ask("count to five", max_output_tokens=2)
    return {"finish": got.candidates[0].finish_reason.name,
            "tokens": got.usage_metadata.candidates_token_count}


def usage():
    u = ask("count to five").usage_metadata
    return {"prompt": u.prompt_token_count, "candidates": u.candidates_token_count,
            "total": u.total_token_count}


def count():
    return {"total": client.models.count_tokens(model=MODEL, contents="Say hello").total_tokens,
            "prompt": ask("Say hello").usage_metadata.prompt_token_count}


def embed():
    def vectors(contents, **config):
        got = client.models.embed_content(model="gemini-embedding-001", contents=contents,
                                          config=types.EmbedContentConfig(**config) if config else None)
        return [e.values for e in got.embeddings]

    return {"one": vectors("What is the meaning of life?")[0],
            "many": vectors(["What is the meaning of life?", "What is the purpose of existence?"]),
            "short": vectors("The tide is high.", task_type="RETRIEVAL_DOCUMENT", title="Tides",
                             output_dimensionality=8)[0]}


def models_list():
    return {"names": [m.name for m in client.models.list()]}


def models_get():
    m = client.models.get(model=MODEL)
    return {"name": m.name, "input_limit": m.input_token_limit, "output_limit": m.output_token_limit}


def refused(*args, **config):
    try:
        ask(*args, **config)
    except errors.APIError as e:
        return {"error": {"type": type(e).__name__, "code": e.code, "message": e.message}}


def not_found():
    return refused("hi", "no-such-model")


def bad_argument():
    return refused("hi", temperature=9)


def exhausted():
    return refused("fault RESOURCE_EXHAUSTED")


def failed():
    return refused("fault INTERNAL")


called = {}
QUESTION = "How high is the tide in Bergen at 9?"


def get_tide(harbour: str, hour_of_day: int) -> dict:
    """Tells the height of the tide.

    Args:
        harbour: The harbour's name.
        hour_of_day: From 0 to 23.
    """
    called.update(harbour=harbour, hour_of_day=hour_of_day)
    return {"height_in_cm": 134}


def functions():
    return {"text": ask(QUESTION, tools=[get_tide]).text, "called": called}


def function_chat():
    chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[get_tide]))
    texts = [chat.send_message(m).text for m in (QUESTION, "Say hello")]
    return {"texts": texts, "called": called, "history": len(chat.get_history(curated=True))}


def function_stream():
    chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[get_tide]))
    chunks = list(chat.send_message_stream(QUESTION))
    text = "".join(p.text for c in chunks for p in c.candidates[0].content.parts if p.text)
    return {"text": text, "called": called}


def forced():
    tide = {"name": "get_tide", "parameters_json_schema": {
        "type": "object", "properties": {"harbour": {"type": "string"}, "hour_of_day": {"type": "integer"}}}}
    got = ask(QUESTION, tools=[types.Tool(function_declarations=[tide, {"name": "get_wind"}])],
              tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
                  mode="ANY", allowed_function_names=["get_tide"])))
    [call] = got.function_calls
    return {"name": call.name, "args": call.args, "id": call.id}


class Recipe(pydantic.BaseModel):
    recipeName: str
    minutes: int


def json_schema():
    got = ask("List popular cookie recipes", response_mime_type="application/json", response_schema=list[Recipe])
    return {"parsed": [recipe.model_dump() for recipe in got.parsed]}


class Kind(enums.Enum):
    FRUIT = "fruit"
    VEGETABLE = "vegetable"


def enum():
    got = ask("Is a tomato a fruit?", response_mime_type="text/x.enum", response_schema=Kind)
    assert got.parsed is Kind.FRUIT
    return {"text": got.text}


def thoughts():
    got = ask("Think it over", thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=64))
    thought = "".join(p.text for p in got.candidates[0].content.parts if p.thought)
    return {"thought": thought, "text": got.text, "tokens": got.usage_metadata.thoughts_token_count}


def smoke():
    config = types.GenerateContentConfig(max_output_tokens=12, seed=7, temperature=1)
    call = {"model": MODEL, "contents": "Name three rivers.", "config": config}
    got = joined(client.models.generate_content_stream(**call))
    return {"text": client.models.generate_content(**call).text,
            "again": client.models.generate_content(**call).text,
            "streamed": got["text"], "chunks": got["chunks"]}


def remembers():
    return chat_stream(("My name is Ingeborg. Say hi.", "What is my name?"), temperature=0)


for name in sys.argv[1:]:
    try:
        print(json.dumps({"case": name, "got": globals()[name]()}), flush=True)
    except Exception as e:
        print(json.dumps({"case": name, "broke": repr(e)}), flush=True)
