"""google-genai and safety settings: what is blocked, and how it is told."""

import json
import os

from google import genai
from google.genai import types

client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))
config = types.GenerateContentConfig(safety_settings=[
    types.SafetySetting(category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                        threshold=types.HarmBlockThreshold.BLOCK_MEDIUM_AND_ABOVE),
    types.SafetySetting(category=types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
                        threshold=types.HarmBlockThreshold.BLOCK_LOW_AND_ABOVE),
])


def ask(prompt):
    return client.models.generate_content(model="gemini-2.0-flash", contents=prompt, config=config)


blocked, fine, bad = ask("You idiot"), ask("Say hello"), ask("an insult")
chunks = list(client.models.generate_content_stream(model="gemini-2.0-flash", contents="an insult", config=config))
print(json.dumps({
    "blocked": blocked.prompt_feedback.block_reason.name,
    "text": fine.text,
    "ratings": [[r.category.name, r.probability.name] for r in fine.candidates[0].safety_ratings],
    "finish": bad.candidates[0].finish_reason.name,
    "said": bad.text or "",
    "blockedFor": [r.category.name for r in bad.candidates[0].safety_ratings if r.blocked],
    "streamed": "".join(c.text or "" for c in chunks),
    "end": chunks[-1].candidates[0].finish_reason.name,
}))
