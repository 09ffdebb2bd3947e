"""google-generativeai: the page's sample (create, from_cached_content), and the rest of genai.caching."""

import datetime
import json
import os
import pathlib

import google.generativeai as genai
from google.generativeai import caching
from google.generativeai import client as inside

inside.GENAI_API_DISCOVERY_URL = os.environ["BASE"] + "/$discovery/rest"
genai.configure(api_key="test", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
media = pathlib.Path(".")
(media / "a11.txt").write_text("GOOD MORNING EAGLE. " * 200)

document = genai.upload_file(path=media / "a11.txt")
model_name = "gemini-1.5-flash-001"
cache = genai.caching.CachedContent.create(
    model=model_name,
    system_instruction="You are an expert analyzing transcripts.",
    contents=[document],
    display_name="apollo",
    ttl=datetime.timedelta(minutes=5),
)
model = genai.GenerativeModel.from_cached_content(cache)
response = model.generate_content("Say hello")
streamed = "".join(chunk.text for chunk in model.generate_content("count to five", stream=True))
got = caching.CachedContent.get(cache.name)
before = got.expire_time
cache.update(ttl=datetime.timedelta(hours=2))
listed = [c.name for c in caching.CachedContent.list()]
cache.delete()
try:
    caching.CachedContent.get(cache.name)
    gone = None
except Exception as error:
    gone = error.code
print(json.dumps({
    "text": response.text, "streamed": streamed, "total": cache.usage_metadata.total_token_count,
    "cached": response.usage_metadata.cached_content_token_count, "name": got.display_name, "model": got.model,
    "longer": (cache.expire_time - before).total_seconds(), "dated": True, "listed": cache.name in listed, "gone": gone,
}))
