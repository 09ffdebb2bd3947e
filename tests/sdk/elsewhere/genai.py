"""google-genai: search in files, and an MCP server's tools, on both dialects; histories sent back."""

import json
import os
import time
import warnings

from google import genai
from google.genai import types

warnings.simplefilter("ignore")
client = genai.Client(api_key="test", http_options={"base_url": os.environ["BASE"]})
MODEL = "gemini-3-flash-preview"

store = client.file_search_stores.create(config={"display_name": "Library"})
with open("tides.txt", "w") as file:
    file.write("The moon raises the tides of the sea. Harbours know it well.")
operation = client.file_search_stores.upload_to_file_search_store(
    file_search_store_name=store.name, file="tides.txt", config={"display_name": "tides.txt"})
while not operation.done:
    time.sleep(0.05)
    operation = client.operations.get(operation)
config = types.GenerateContentConfig(tools=[types.Tool(file_search=types.FileSearch(
    file_search_store_names=[store.name], top_k=3))])
found = client.models.generate_content(model=MODEL, contents="What raises the tides?", config=config)
grounds = found.candidates[0].grounding_metadata
cited = client.interactions.create(model=MODEL, input="What raises the tides?", tools=[
    {"type": "file_search", "file_search_store_names": [store.name]}])
note = cited.steps[-1].content[0].annotations[0]

calc = {"type": "mcp_server", "name": "calc", "url": os.environ["MCP"], "allowed_tools": [{"tools": ["add"]}]}
summed = client.interactions.create(model=MODEL, input="What is the sum of 40 and 2?", tools=[calc])
call, result = summed.steps[1:3]
history = [{"type": "user_input", "content": [{"type": "text", "text": "What is the sum of 40 and 2?"}]},
           *(s.model_dump() for s in summed.steps),
           {"type": "user_input", "content": [{"type": "text", "text": "And the sum of 40 and 2?"}]}]
again = client.interactions.create(model=MODEL, input=history, tools=[calc], store=False)
events = list(client.interactions.create(model=MODEL, input="What is the sum of 40 and 2?", tools=[calc], stream=True))
plain = client.models.generate_content(model=MODEL, contents="What is the sum of 40 and 2?", config=types.GenerateContentConfig(
    tools=[types.Tool(mcp_servers=[types.McpServer(name="calc", streamable_http_transport=types.StreamableHttpTransport(
        url=os.environ["MCP"], timeout="20s"))])]))
print(json.dumps({
    "found": found.candidates[0].content.parts[-1].text, "title": grounds.grounding_chunks[0].retrieved_context.title,
    "segment": grounds.grounding_supports[0].segment.text,
    "note": [note.type, note.file_name, note.source == store.name],
    "call": [call.type, call.name, call.server_name, call.arguments], "result": [result.result, result.call_id == call.id],
    "said": summed.output_text, "again": again.output_text,
    "deltas": [e.delta.type for e in events if e.event_type == "step.delta" and e.delta.type != "text"], "plain": plain.text,
}))
