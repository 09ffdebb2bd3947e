"""google-genai: what it still can do with tuned models of this API."""

import json
import os
import urllib.request

from google import genai
from google.genai import errors, types

client = genai.Client(api_key="test", http_options={"base_url": os.environ["BASE"]})
got = {}
try:
    client.tunings.tune(base_model="models/gemini-1.5-flash-001-tuning",
                        training_dataset=types.TuningDataset(examples=[types.TuningExample(text_input="1", output="2")]),
                        config=types.CreateTuningJobConfig(epoch_count=1, tuned_model_display_name="inc"))
except errors.ClientError as error:
    got["tune"] = [error.code, "google-genai" in str(error)]


def create(id, first):
    body = {"baseModel": "models/gemini-pro", "displayName": id, "tuningTask": {"trainingData": {"examples": {
        "examples": [{"textInput": first, "output": "2"}]}}, "hyperparameters": {"epochCount": 300}}}
    request = urllib.request.Request(f"{os.environ['BASE']}/v1/tunedModels?tunedModelId={id}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["name"]


name = create("genai-1", "1")
urllib.request.urlopen(urllib.request.Request(f"{os.environ['BASE']}/v1/{name}:wait", b"{}")).read()
job = client.tunings.get(name="tunedModels/genai-1")
got["job"] = [job.state.name, job.tuned_model.model, bool(job.start_time), bool(job.end_time)]
got["said"] = client.models.generate_content(model="tunedModels/genai-1", contents="Say hello").text
got["streamed"] = "".join(c.text for c in client.models.generate_content_stream(model="tunedModels/genai-1", contents="Say hello"))
got["listed"] = "tunedModels/genai-1" in [m.name for m in client.models.list(config={"query_base": False})]
got["updated"] = client.models.update(model="tunedModels/genai-1", config={"display_name": "n", "description": "d"}).display_name
got["get"] = client.models.get(model="tunedModels/genai-1").display_name
create("genai-2", "!ms 50")
client.tunings.cancel(name="tunedModels/genai-2")
got["cancelled"] = client.tunings.get(name="tunedModels/genai-2").state.name
client.models.delete(model="tunedModels/genai-1")
try:
    client.models.get(model="tunedModels/genai-1")
except errors.ClientError as error:
    got["gone"] = error.code
print(json.dumps(got))
