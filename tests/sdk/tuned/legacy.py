"""google-generativeai: everything that it can do with tuned models."""

import csv
import json
import os

import google.generativeai as genai
from google.generativeai.types import permission_types  # noqa: F401

genai.configure(api_key="test", transport="rest", client_options={"api_endpoint": os.environ["BASE"]})
PAIRS = [{"text_input": "1", "output": "2"}, {"text_input": "seven", "output": "eight"}, {"text_input": "-3", "output": "-2"}]
got = {}

operation = genai.create_tuned_model(
    source_model="models/gemini-1.5-flash-001-tuning", training_data=PAIRS, id="legacy-1", display_name="increment",
    description="adds one", temperature=0.5, top_p=0.9, top_k=5, epoch_count=20, batch_size=4, learning_rate=0.001)
got["total"] = operation.metadata.total_steps
got["statuses"] = [s.completed_steps for s in operation.wait_bar(disable=True)]
model = operation.result()
got["model"] = [model.name, model.state.name, model.base_model, model.temperature, model.top_k]
got["snapshots"] = [[s["step"], s["epoch"], round(s["mean_loss"], 4)] if isinstance(s, dict) else [s.step, s.epoch, round(s.mean_loss, 4)]
                    for s in model.tuning_task.snapshots]
got["hyper"] = [model.tuning_task.hyperparameters.epoch_count, model.tuning_task.hyperparameters.batch_size,
                round(model.tuning_task.hyperparameters.learning_rate, 6)]
got["said"] = genai.GenerativeModel(model_name=model.name).generate_content("Say hello").text
got["streamed"] = "".join(c.text for c in genai.GenerativeModel(model.name).generate_content("Say hello", stream=True))
got["get"] = genai.get_model("tunedModels/legacy-1").display_name == genai.get_tuned_model("tunedModels/legacy-1").display_name

with open("data.csv", "w") as file:
    csv.writer(file).writerows([("in", "out"), ("1", "2"), ("2", "3")])
further = genai.create_tuned_model(source_model="tunedModels/legacy-1", training_data="data.csv", input_key="in",
                                   output_key="out", id="legacy-2")
got["further"] = [further.result().source_model, further.result().base_model]
got["listed"] = sorted(m.name for m in genai.list_tuned_models())

updated = genai.update_tuned_model("tunedModels/legacy-1", {"description": "new words"})
got["updated"] = [updated.description, updated.display_name]

mine = genai.get_tuned_model("tunedModels/legacy-1")
grant = mine.permissions.create(role="READER", grantee_type="USER", email_address="friend@example.com")
got["grant"] = [grant.role.name, grant.grantee_type.name, grant.email_address]
got["raised"] = str(grant.update({"role": "WRITER"}).role)
got["permissions"] = sorted(p.role.name for p in mine.permissions.list())
grant.delete()
got["after"] = len(list(mine.permissions.list()))
mine.permissions.transfer_ownership("other@example.com")
got["owner"] = [p.email_address for p in mine.permissions.list() if p.role.name == "OWNER"]

slow = genai.create_tuned_model(source_model="models/gemini-pro", training_data=[("!ms 50", "x")], epoch_count=400, id="legacy-3")
slow.cancel()
try:
    slow.result(timeout=20)
except Exception as error:
    got["cancelled"] = type(error).__name__
bad = genai.create_tuned_model(source_model="models/gemini-pro", training_data=[("!error INVALID_ARGUMENT No.", "x")])
try:
    bad.result(timeout=20)
except Exception as error:
    got["failed"] = [type(error).__name__, "No." in str(error)]
try:
    genai.create_tuned_model(source_model="models/gemini-pro", training_data=PAIRS, id="Bad_ID")
except Exception as error:
    got["refused"] = error.code
genai.delete_tuned_model("tunedModels/legacy-2")
try:
    genai.get_tuned_model("tunedModels/legacy-2")
except Exception as error:
    got["gone"] = error.code
print(json.dumps(got))
