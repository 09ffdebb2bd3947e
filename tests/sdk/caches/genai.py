"""google-genai: client.caches, as its documentation uses it."""

import datetime
import json
import os

from google import genai
from google.genai import types

client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))
with open("a11.txt", "w") as f:
    f.write("GOOD MORNING EAGLE. " * 200)
MODEL = "gemini-1.5-flash-001"

document = client.files.upload(file="a11.txt", config={"mime_type": "text/plain"})
cache = client.caches.create(model=MODEL, config=types.CreateCachedContentConfig(
    contents=[document], system_instruction="You are an expert analyzing transcripts.", ttl="300s",
    display_name="apollo"))
answer = client.models.generate_content(
    model=MODEL, contents="Say hello", config=types.GenerateContentConfig(cached_content=cache.name))
stream = client.models.generate_content_stream(
    model=MODEL, contents="count to five", config=types.GenerateContentConfig(cached_content=cache.name))
streamed = "".join(chunk.text or "" for chunk in stream)
got = client.caches.get(name=cache.name)
longer = client.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl="7200s"))
until = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)
dated = client.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(expire_time=until))
listed = [c.name for c in client.caches.list(config={"page_size": 1})]
client.caches.delete(name=cache.name)
try:
    client.caches.get(name=cache.name)
    gone = None
except genai.errors.ClientError as error:
    gone = error.code
print(json.dumps({
    "text": answer.text, "streamed": streamed, "total": cache.usage_metadata.total_token_count,
    "cached": answer.usage_metadata.cached_content_token_count, "name": got.display_name, "model": got.model,
    "longer": (longer.expire_time - got.expire_time).total_seconds(), "dated": dated.expire_time == until,
    "listed": cache.name in listed, "gone": gone,
}))
