"""google-generativeai: upload_file, which discovers its method first (that address is a constant)."""

import json
import os
import time

import google.generativeai as genai
from google.generativeai import client as inside

inside.GENAI_API_DISCOVERY_URL = os.environ["BASE"] + "/$discovery/rest"
genai.configure(api_key="test", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
with open("note.txt", "w") as f:
    f.write("Say hello")
with open("large.bin", "wb") as f:
    f.write(b"0123456789" * 900_000)

note = genai.upload_file("note.txt", display_name="my note")
while note.state.name == "PROCESSING":
    time.sleep(0.1)
    note = genai.get_file(note.name)
large = genai.upload_file("large.bin", mime_type="application/octet-stream", resumable=True)
named = genai.upload_file("note.txt", resumable=False)
answer = genai.GenerativeModel("gemini-1.5-flash").generate_content([note])
listed = [f.name for f in genai.list_files(page_size=2)]
named.delete()
try:
    genai.get_file(named.name)
    gone = None
except Exception as error:
    gone = error.code
print(json.dumps({
    "state": note.state.name, "name": note.display_name, "mime": note.mime_type, "size": large.size_bytes,
    "text": answer.text, "gone": gone, "listed": {note.name, large.name, named.name} <= set(listed),
}))
