"""google-genai: client.file_search_stores, as its documentation uses it."""

import io
import json
import os
import time

from google import genai
from google.genai import types

client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=os.environ["BASE"]))


def wait(operation):
    while not operation.done:
        time.sleep(0.05)
        operation = client.operations.get(operation)
    return operation


store = client.file_search_stores.create(config={"display_name": "Our notes"})
with open("tides.txt", "w") as f:
    f.write("The moon raises the tides.")
uploaded = wait(client.file_search_stores.upload_to_file_search_store(
    file="tides.txt", file_search_store_name=store.name, config={
        "display_name": "Tides", "custom_metadata": [{"key": "year", "numeric_value": 1999},
                                                     {"key": "tags", "string_list_value": {"values": ["sea", "moon"]}}],
        "chunking_config": {"white_space_config": {"max_tokens_per_chunk": 200, "max_overlap_tokens": 20}}}))
from_memory = wait(client.file_search_stores.upload_to_file_search_store(
    file=io.BytesIO(b"Bread needs flour."), file_search_store_name=store.name, config={"mime_type": "text/plain"}))
file = client.files.upload(file="tides.txt", config={"display_name": "again"})
imported = wait(client.file_search_stores.import_file(
    file_search_store_name=store.name, file_name=file.name,
    config={"custom_metadata": [types.CustomMetadata(key="who", string_value="me")]}))
broken = wait(client.file_search_stores.upload_to_file_search_store(
    file=io.BytesIO(b"\x89PNG\r\n\x1a\n\0"), file_search_store_name=store.name, config={"mime_type": "image/png"}))

documents = list(client.file_search_stores.documents.list(parent=store.name, config={"page_size": 2}))
document = client.file_search_stores.documents.get(name=uploaded.response.document_name)
now = client.file_search_stores.get(name=store.name)
listed = store.name in [s.name for s in client.file_search_stores.list(config={"page_size": 3})]
client.file_search_stores.documents.delete(name=document.name, config={"force": True})
left = len(list(client.file_search_stores.documents.list(parent=store.name)))
try:
    client.file_search_stores.delete(name=store.name)
    refused = None
except genai.errors.ClientError as error:
    refused = error.code
client.file_search_stores.delete(name=store.name, config={"force": True})
try:
    client.file_search_stores.get(name=store.name)
    gone = None
except genai.errors.ClientError as error:
    gone = error.code
print(json.dumps({
    "display": store.display_name, "title": document.display_name, "state": document.state.name,
    "size": document.size_bytes, "mime": document.mime_type, "year": document.custom_metadata[0].numeric_value,
    "tags": document.custom_metadata[1].string_list_value.values,
    "documents": len(documents), "active": now.active_documents_count, "failed": now.failed_documents_count,
    "parent": imported.response.parent == store.name, "memory": from_memory.response.document_name is not None,
    "error": broken.error["code"], "listed": listed, "left": left, "refused": refused, "gone": gone,
}))
