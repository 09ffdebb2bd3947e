"""google-genai: client.batches, as its documentation uses it."""

import json
import os
import time
import warnings

from google import genai
from google.genai import types

warnings.simplefilter("ignore")  # embeddings are experimental, it says
client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))


def wait(job):
    while not job.done:
        time.sleep(0.05)
        job = client.batches.get(name=job.name)
    return job


def ask(text):
    return [{"role": "user", "parts": [{"text": text}]}]


inline = client.batches.create(
    model="gemini-2.5-flash",
    src=[
        {"contents": ask("Say hello"), "metadata": {"key": "k1"}, "config": {
            "temperature": 0.5, "system_instruction": "be kind", "response_mime_type": "text/plain"}},
        types.InlinedRequest(contents="Say hello", model="gemini-2.5-flash"),
        {"contents": ask("x"), "config": {"temperature": 1.5, "stop_sequences": [""]}},
    ],
    config={"display_name": "inline"},
)
created = inline.state.name
inline = wait(inline)

with open("requests.jsonl", "w") as f:
    for i in range(3):
        f.write(json.dumps({"key": f"request-{i}", "request": {"contents": ask("Say hello")}}) + "\n")
uploaded = client.files.upload(file="requests.jsonl", config=types.UploadFileConfig(
    display_name="requests", mime_type="application/jsonl"))
by_file = wait(client.batches.create(model="models/gemini-2.5-flash", src=uploaded.name, config={"display_name": "file"}))
content = client.files.download(file=by_file.dest.file_name).decode()
lines = [json.loads(line) for line in content.splitlines()]
generated = client.files.get(name=by_file.dest.file_name)

vectors = wait(client.batches.create_embeddings(
    model="gemini-embedding-001",
    src={"inlined_requests": {"contents": ["cat", "dog"], "config": {"output_dimensionality": 8}}},
    config={"display_name": "vectors"}))
with open("texts.jsonl", "w") as f:
    f.write(json.dumps({"key": "t", "request": {"output_dimensionality": 8, "content": {"parts": [{"text": "cat"}]}}}) + "\n")
texts = client.files.upload(file="texts.jsonl", config={"mime_type": "application/jsonl"})
vectors_file = wait(client.batches.create_embeddings(model="gemini-embedding-001", src={"file_name": texts.name}))
vector_lines = client.files.download(file=vectors_file.dest.file_name).decode().splitlines()

cancelled = client.batches.create(model="gemini-2.5-flash", src=[{"contents": ask("for ever")}] * 500)
client.batches.cancel(name=cancelled.name)
cancelled = wait(cancelled)
listed = [job.name for job in client.batches.list(config={"page_size": 2})]
client.batches.delete(name=inline.name)
try:
    client.batches.get(name=inline.name)
    gone = None
except genai.errors.ClientError as error:
    gone = error.code
answers = inline.dest.inlined_responses
print(json.dumps({
    "created": created, "state": inline.state.name, "name": inline.display_name, "model": inline.model,
    "texts": [a.response.text for a in answers[:2]], "metadata": answers[0].metadata,
    "error": answers[2].error.code, "ended": inline.end_time >= inline.create_time,
    "lines": [[line["key"], line["response"]["candidates"][0]["content"]["parts"][0]["text"]] for line in lines],
    "downloadable": generated.download_uri is not None,
    "vectors": [len(a.response.embedding.values) for a in vectors.dest.inlined_embed_content_responses],
    "vector_line": len(json.loads(vector_lines[0])["response"]["embedding"]["values"]),
    "cancelled": cancelled.state.name, "gone": gone,
    "listed": {inline.name, by_file.name, vectors.name, vectors_file.name, cancelled.name} <= set(listed),
}))
