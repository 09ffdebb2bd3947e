"""google-generativeai and its shorthands for safety settings."""

import json
import os

import google.generativeai as genai

genai.configure(api_key="test", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
model = genai.GenerativeModel("gemini-1.5-flash")


def ask(prompt, **more):
    return model.generate_content(prompt, safety_settings={"HARASSMENT": "MEDIUM", "HATE": "LOW"}, **more)


blocked, fine, bad = ask("You idiot"), ask("Say hello"), ask("an insult")
chunks = list(ask("an insult", stream=True))
print(json.dumps({
    "blocked": blocked.prompt_feedback.block_reason.name,
    "text": fine.text,
    "ratings": [[r.category.name, r.probability.name] for r in fine.candidates[0].safety_ratings],
    "finish": bad.candidates[0].finish_reason.name,
    "said": "".join(p.text for p in bad.parts),
    "blockedFor": [r.category.name for r in bad.candidates[0].safety_ratings if r.blocked],
    "streamed": "".join(p.text for c in chunks for p in c.parts),
    "end": chunks[-1].candidates[0].finish_reason.name,
}))
