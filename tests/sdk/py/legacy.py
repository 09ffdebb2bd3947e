"""google-generativeai over REST, as its documentation uses it."""

import enum as enums
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
import google.generativeai as genai
from google.api_core import exceptions
from typing_extensions import TypedDict

genai.configure(api_key="test", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
MODEL = os.environ.get("MODEL", "gemini-2.0-flash")


def model(**more):
    return genai.GenerativeModel(more.pop("name", MODEL), **more)


def finish(got):
    return got.candidates[0].finish_reason.name


def joined(stream):
    chunks = list(stream)
    return {"text": "".join(p.text for c in chunks for p in c.parts), "chunks": len(chunks),
            "finish": finish(chunks[-1])}


def text():
    return {"text": model().generate_content("Say hello").text}


def system():
    return {"text": model(system_instruction="You are a parrot.").generate_content("Hello there").text}


def stream():
    return joined(model().generate_content("count to five", stream=True))


def chat():
    chat = model().start_chat()
    texts = [chat.send_message(m).text for m in ("I own 2 dogs.", "How many paws is that?")]
    return {"texts": texts, "history": len(chat.history)}


def chat_stream(turns=("I own 2 dogs.", "How many paws is that?"), **config):
    chat = model(generation_config=config).start_chat()
    texts = [joined(chat.send_message(m, stream=True))["text"] for m in turns]
    return {"texts": texts, "history": len(chat.history)}


def config():
    got = model(safety_settings={"HATE": "BLOCK_NONE"}).generate_content(
        "count to five", generation_config=genai.GenerationConfig(
            temperature=0.5, top_p=0.9, top_k=40, candidate_count=1, max_output_tokens=800,
            stop_sequences=["three"], presence_penalty=0.1, frequency_penalty=-0.2))
    return {"text": got.text, "finish": finish(got)}


def max_tokens():
    got = model().generate_content("count to five", generation_config={"max_output_tokens": 2})
    return {"finish": finish(got), "tokens": got.usage_metadata.candidates_token_count}


def usage():
    u = model().generate_content("count to five").usage_metadata
    return {"prompt": u.prompt_token_count, "candidates": u.candidates_token_count,
            "total": u.total_token_count}


def count():
    return {"total": model().count_tokens("Say hello").total_tokens,
            "prompt": model().generate_content("Say hello").usage_metadata.prompt_token_count}


def embed():
    def vectors(content, **more):
        return genai.embed_content(model="models/text-embedding-004", content=content, **more)["embedding"]

    return {"one": vectors("What is the meaning of life?"),
            "many": vectors(["What is the meaning of life?", "What is the purpose of existence?"]),
            "short": vectors("The tide is high.", task_type="retrieval_document", title="Tides",
                             output_dimensionality=8)}


def models_list():
    return {"names": [m.name for m in genai.list_models()]}


def models_get():
    m = genai.get_model(f"models/{MODEL}")
    return {"name": m.name, "input_limit": m.input_token_limit, "output_limit": m.output_token_limit}


def refused(prompt, **more):
    config = more.pop("generation_config", None)
    try:
        model(**more).generate_content(prompt, generation_config=config)
    except exceptions.GoogleAPICallError as e:
        return {"error": {"type": type(e).__name__, "code": int(e.code), "message": e.message}}


def not_found():
    return refused("hi", name="no-such-model")


def bad_argument():
    return refused("hi", generation_config={"temperature": 9})


def exhausted():
    return refused("fault RESOURCE_EXHAUSTED")


def failed():
    return refused("fault INTERNAL")


called = {}
QUESTION = "How high is the tide in Bergen at 9?"


def get_tide(harbour: str, hour_of_day: int):
    """Tells the height of the tide."""
    called.update(harbour=harbour, hour_of_day=int(hour_of_day))
    return {"height_in_cm": 134}


def functions():
    chat = model(tools=[get_tide]).start_chat(enable_automatic_function_calling=True)
    return {"text": chat.send_message(QUESTION).text, "called": called}


def function_chat():
    chat = model(tools=[get_tide]).start_chat(enable_automatic_function_calling=True)
    texts = [chat.send_message(m).text for m in (QUESTION, "Say hello")]
    return {"texts": texts, "called": called, "history": len(chat.history)}


def respond(chat, send):
    """By hand: the client does not call functions of its own when it streams."""
    got = send(chat, QUESTION)
    call = got.parts[0].function_call
    return send(chat, genai.protos.Part(function_response=genai.protos.FunctionResponse(
        name=call.name, response=get_tide(**call.args))))


def function_stream():
    def send(chat, what):
        got = chat.send_message(what, stream=True)
        got.resolve()
        return got
    return {"text": respond(model(tools=[get_tide]).start_chat(), send).text, "called": called}


def forced():
    got = model(tools=[get_tide, {"function_declarations": [{"name": "get_wind", "description": "d"}]}],
                tool_config={"function_calling_config": {
                    "mode": "ANY", "allowed_function_names": ["get_tide"]}}).generate_content(QUESTION)
    call = got.parts[0].function_call
    return {"name": call.name, "args": {k: int(v) if isinstance(v, float) else v for k, v in call.args.items()}}


class Recipe(TypedDict):
    recipeName: str
    minutes: int


def json_schema():
    got = model().generate_content("List popular cookie recipes", generation_config=genai.GenerationConfig(
        response_mime_type="application/json", response_schema=list[Recipe]))
    return {"parsed": json.loads(got.text)}


class Kind(enums.Enum):
    FRUIT = "fruit"
    VEGETABLE = "vegetable"


def enum():
    got = model().generate_content("Is a tomato a fruit?", generation_config=genai.GenerationConfig(
        response_mime_type="text/x.enum", response_schema=Kind))
    return {"text": got.text}


def smoke():
    config = {"max_output_tokens": 12, "temperature": 0}  # it knows no seed

    def go(**more):
        return model().generate_content("Name three rivers.", generation_config=config, **more)
    got = joined(go(stream=True))
    return {"text": go().text, "again": go().text, "streamed": got["text"], "chunks": got["chunks"]}


def remembers():
    return chat_stream(("My name is Ingeborg. Say hi.", "What is my name?"), temperature=0)


for name in sys.argv[1:]:
    try:
        print(json.dumps({"case": name, "got": globals()[name]()}), flush=True)
    except Exception as e:
        print(json.dumps({"case": name, "broke": repr(e)}), flush=True)
