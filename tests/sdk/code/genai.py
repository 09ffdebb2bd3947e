"""google-genai: code execution, whole, streamed, in a chat, as an interaction."""

import json
import os
import warnings

from google import genai
from google.genai import types

warnings.simplefilter("ignore")
client = genai.Client(api_key="test", http_options={"base_url": os.environ["BASE"]})
ASKED = "What is the sum of the first 50 prime numbers? Use code."
config = types.GenerateContentConfig(tools=[types.Tool(code_execution=types.ToolCodeExecution())])

whole = client.models.generate_content(model="gemini-2.0-flash", contents=ASKED, config=config)
parts = whole.candidates[0].content.parts
chunks = list(client.models.generate_content_stream(model="gemini-2.0-flash", contents=ASKED, config=config))
chat = client.chats.create(model="gemini-2.0-flash", config=config)
first = chat.send_message(ASKED)
second = chat.send_message("Say hello")
made = client.interactions.create(model="gemini-3-flash-preview", input=ASKED, tools=[{"type": "code_execution"}])
call, result = made.steps[1:3]
chained = client.interactions.create(model="gemini-3-flash-preview", input="Say hello", previous_interaction_id=made.id)
events = list(client.interactions.create(model="gemini-3-flash-preview", input=ASKED, tools=[{"type": "code_execution"}], stream=True))
deltas = [e.delta.type for e in events if e.event_type == "step.delta"]
print(json.dumps({
    "code": "print(" in whole.executable_code, "output": whole.code_execution_result, "outcome": parts[2].code_execution_result.outcome,
    "language": parts[1].executable_code.language, "text": parts[-1].text,
    "streamed": "".join(p.text or "" for c in chunks for p in c.candidates[0].content.parts),
    "first": first.candidates[0].content.parts[-1].text, "second": second.text,
    "call": call.arguments.language, "result": [result.result, result.is_error, result.call_id == call.id],
    "said": made.output_text, "chained": chained.output_text, "deltas": deltas,
}))
