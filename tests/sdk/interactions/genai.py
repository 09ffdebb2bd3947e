"""google-genai: client.interactions, every method of it that a resource has."""

import json
import os
import time

from google import genai

client = genai.Client(api_key="test", http_options={"base_url": os.environ["BASE"]})
interactions = client.interactions
MODEL = "gemini-3-flash-preview"
TIDE = {"type": "function", "name": "get_tide", "description": "Tide height", "parameters": {
    "type": "object", "properties": {"harbour": {"type": "string"}, "hour_of_day": {"type": "integer"}}}}


def failing(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return None


plain = interactions.create(model=MODEL, input="Say hello", labels={"a": "b"})
got = interactions.get(plain.id, include_input=True)
chained = interactions.create(model=MODEL, input="How many paws is that?", previous_interaction_id=plain.id)

events = list(interactions.create(model=MODEL, input="count to five", stream=True))
streamed = "".join(e.delta.text for e in events if e.event_type == "step.delta" and e.delta.type == "text")
id = next(e.interaction.id for e in events if e.event_type == "interaction.created")
again = list(interactions.get(id, stream=True, last_event_id=events[4].event_id))
resumed = [e.event_id for e in again] == [e.event_id for e in events[5:]]

asked = interactions.create(model=MODEL, input="How high is the tide in Bergen at 9?", tools=[TIDE])
call = next(s for s in asked.steps if s.type == "function_call")
told = interactions.create(model=MODEL, tools=[TIDE], previous_interaction_id=asked.id, input=[
    {"type": "function_result", "name": call.name, "call_id": call.id, "result": [{"type": "text", "text": '{"cm": 134}'}]}])

events = list(interactions.create(model=MODEL, input="Tide in pieces", tools=[TIDE], stream=True))
pieces = [e.delta.arguments for e in events if e.event_type == "step.delta" and e.delta.type == "arguments_delta" and e.index == 1]

slow = interactions.create(model=MODEL, input="slowly", background=True)
time.sleep(0.5)
cancelled = interactions.cancel(slow.id)
background = interactions.create(model=MODEL, input="count to five", background=True)
while (done := interactions.get(background.id)).status == "in_progress":
    time.sleep(0.05)

interactions.delete(plain.id)
print(json.dumps({
    "text": plain.output_text, "same": got.output_text == plain.output_text, "input": got.input is not None, "chained": chained.output_text,
    "streamed": streamed, "resumed": resumed, "asked": asked.status, "arguments": call.arguments, "told": told.output_text,
    "slow": slow.status, "cancelled": cancelled.status, "partly": cancelled.output_text, "done": done.output_text,
    "gone": failing(lambda: interactions.get(plain.id)), "bad": failing(lambda: interactions.create(model=MODEL, input="")),
    "tokens": plain.usage.total_tokens, "pieces": [len(pieces), json.loads("".join(pieces))],
}))
