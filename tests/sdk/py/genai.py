"""google-genai, as its documentation uses it."""

import json
import os
import sys

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
