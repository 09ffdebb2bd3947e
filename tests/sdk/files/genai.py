"""google-genai: client.files, as its documentation uses it; a file of two pieces (8 MiB each)."""

import io
import json
import os
import time
import uuid

from google import genai
from google.genai import types

client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))
with open("note.txt", "w") as f:
    f.write("Say hello")
with open("large.bin", "wb") as f:
    f.write(b"0123456789" * 900_000)

note = client.files.upload(file="note.txt", config={"display_name": "my note"})
while note.state.name == "PROCESSING":
    time.sleep(0.1)
    note = client.files.get(name=note.name)
large = client.files.upload(file="large.bin", config={"mime_type": "application/octet-stream"})
name = f"files/{uuid.uuid4().hex}"
named = client.files.upload(file=io.BytesIO(b"hello"), config={"name": name, "mime_type": "text/plain"})
empty = client.files.upload(file=io.BytesIO(b""), config={"mime_type": "text/plain"})
answer = client.models.generate_content(model="gemini-2.0-flash", contents=[note])
listed = [f.name for f in client.files.list(config={"page_size": 2})]
try:
    client.files.upload(file=io.BytesIO(b"x"), config={"name": name, "mime_type": "text/plain"})
    taken = None
except genai.errors.ClientError as error:
    taken = error.code
client.files.delete(name=named.name)
try:
    client.files.get(name=named.name)
    gone = None
except genai.errors.ClientError as error:
    gone = error.code
print(json.dumps({
    "state": note.state.name, "name": note.display_name, "mime": note.mime_type, "size": large.size_bytes,
    "named": named.name == name, "empty": empty.size_bytes, "text": answer.text, "taken": taken, "gone": gone,
    "listed": {note.name, large.name, name, empty.name} <= set(listed),
}))
