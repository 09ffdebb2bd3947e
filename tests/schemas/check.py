#!/usr/bin/env python3
"""Whether answers keep to schemas, by a validator that knows nothing of ours.

    check.py [--model GGUF] [--samples N] [--verbose] [FILE.jsonl ...]

A line of a file: {"id", "schema", "tests": [{"valid", "data"}]}; "own": true where the schema is
in the API's own language; "error": the path that a refusal must name. build/hold holds every
instance to the schema, token by token (written with our separators, its properties in the
schema's order), and draws answers of random tokens; those, jsonschema validates. The files are
tests/data/schemas.jsonl and ../shared/data/json-schemas.jsonl, where it is there.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import jsonschema

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = ROOT / "tests" / "data" / "schemas.jsonl"
WILD = Path(os.environ.get("SCHEMAS_JSONL",
                           ROOT / ".." / "shared" / "data" / "json-schemas.jsonl"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pollux" / "models"
MODEL = CACHE / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


# ---- instances, as an answer would write them ----

class Order:
    """Puts an instance's properties in the order in which its schema tells them."""

    def __init__(self, root, validator):
        self.root, self.validator = root, validator

    def target(self, ref):
        at = self.root
        for step in unquote(ref.lstrip("#")).split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            at = at[int(step)] if isinstance(at, list) else at.get(step, True)
        return at

    def holds(self, schema, value):
        return self.validator.evolve(schema=schema).is_valid(value)

    def flat(self, schema, value, depth=0):
        """The schema and those beside it that the value keeps to."""
        if not isinstance(schema, dict) or depth > 20:
            return
        beside = []
        for key, inner in schema.items():
            if key == "properties":
                beside.append(schema)
            elif key == "$ref" and inner.startswith("#"):
                beside.append(self.target(inner))
            elif key == "allOf":
                beside += inner
            elif key in ("anyOf", "oneOf"):
                beside += [s for s in inner if self.holds(s, value)]
            elif key in ("if", "then", "else") and self.holds(inner, value):
                beside.append(inner)
        if schema not in beside:
            beside.append(schema)
        for one in beside:
            if one is schema:
                yield schema
            else:
                yield from self.flat(one, value, depth + 1)

    def of_property(self, schemas, name):
        for schema in schemas:
            known = False
            if name in (schema.get("properties") or {}):
                known = True
                yield schema["properties"][name]
            for pattern, inner in (schema.get("patternProperties") or {}).items():
                if re.search(pattern, name):
                    known = True
                    yield inner
            if not known and "additionalProperties" in schema:
                yield schema["additionalProperties"]

    def of_item(self, schemas, i):
        for schema in schemas:
            tuple_ = schema.get("prefixItems") or schema.get("items")
            if isinstance(tuple_, list):
                rest = schema.get("items" if "prefixItems" in schema else "additionalItems", True)
                yield tuple_[i] if i < len(tuple_) else rest
            else:
                yield schema.get("items", True)

    def put(self, value, schemas):
        flat = [s for schema in schemas for s in self.flat(schema, value)]
        if isinstance(value, list):
            return [self.put(v, list(self.of_item(flat, i))) for i, v in enumerate(value)]
        if not isinstance(value, dict):
            whole = isinstance(value, float) and value.is_integer()
            return int(value) if whole and abs(value) < 2**53 else value
        names = {}
        for schema in flat:
            names.update(dict.fromkeys(schema.get("properties") or {}))
        for schema in flat:
            required = schema.get("required")
            names.update(dict.fromkeys(required if isinstance(required, list) else []))
        names.update(dict.fromkeys(value))
        return {name: self.put(value[name], list(self.of_property(flat, name)))
                for name in names if name in value}


def plain(schema):
    """The API's own Schema as JSON Schema, for the validator."""
    if not isinstance(schema, dict):
        return schema
    camel = {re.sub("_(.)", lambda m: m[1].upper(), k): v for k, v in schema.items()}
    numbers = ["", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"]
    out = {}
    for key, value in camel.items():
        if key == "type":
            out["type"] = (numbers[value] if isinstance(value, int) else value).lower()
        elif key in ("properties", "defs", "$defs"):
            out["$" + key.strip("$") if "defs" in key else key] = {
                k: plain(v) for k, v in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = plain(value)
        elif key == "anyOf":
            out[key] = [plain(v) for v in value]
        elif key in ("ref", "$ref"):
            out["$ref"] = value.replace("#/defs/", "#/$defs/")
        elif key in ("minItems", "maxItems", "minLength", "maxLength"):
            out[key] = int(value)
        elif key in ("minimum", "maximum"):
            out[key] = float(value)
        elif key not in ("nullable", "propertyOrdering", "example", "default", "title"):
            out[key] = value
    if "properties" in out:
        out.setdefault("additionalProperties", False)
        order = camel.get("propertyOrdering", [])
        names = dict.fromkeys([*(n for n in order if n in out["properties"]), *out["properties"]])
        out["properties"] = {n: out["properties"][n] for n in names}
    if out.get("type") in ("integer", "number") and "enum" in out:
        out["enum"] = [float(v) for v in out["enum"]]
    return {"anyOf": [out, {"type": "null"}],
            **({"$defs": out.pop("$defs")} if "$defs" in out else {})} if camel.get(
        "nullable") else out


def validator_of(row):
    schema = plain(row["schema"]) if row.get("own") else row["schema"]
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    return kind(schema)


def question(row, samples):
    validator = validator_of(row)
    order = Order(validator.schema, validator)
    texts = []
    for test in row["tests"]:
        data = test["data"]
        try:
            data = order.put(data, [validator.schema])
        except Exception as e:  # an instance that is not even of the schema's making
            if test["valid"]:
                print(f"{row['id']}: {type(e).__name__} {e}")
        texts.append(json.dumps(data, ensure_ascii=False))
    return {"id": row["id"], "schema": row["schema"], "own": row.get("own", False),
            "texts": texts, "samples": samples}


# ---- what came of it ----

class Report:
    def __init__(self):
        self.rows = self.to_refuse = self.compiled = self.valid = self.invalid = self.drawn = 0
        self.refused, self.wrongly_refused, self.wrongly_held = [], [], []
        self.not_valid, self.wrong_error = [], []
        self.ms = []

    def add(self, row, asked, answer):
        if "error" in row:
            self.to_refuse += 1
            if row["error"] != answer.get("field"):
                self.wrong_error.append((row["id"], row["error"], answer.get("field"),
                                         answer.get("error")))
            return
        self.rows += 1
        if "error" in answer:
            self.refused.append((row["id"], answer["field"], answer["error"]))
            return
        self.compiled += 1
        self.ms.append((len(json.dumps(row["schema"])), answer["ms"], row["id"]))
        for test, text, held, at in zip(row["tests"], asked["texts"], answer["held"],
                                        answer["at"]):
            self.valid += test["valid"]
            self.invalid += not test["valid"]
            if test["valid"] and not held:
                self.wrongly_refused.append((row["id"], text[:at] + " >>> " + text[at:at + 80]))
            if held and not test["valid"]:
                self.wrongly_held.append((row["id"], text[:300]))
        validator = validator_of(row)
        for text in answer["samples"]:
            self.drawn += 1
            try:
                errors = [e.message for e in validator.iter_errors(json.loads(text))]
            except (ValueError, re.error) as e:
                errors = [str(e)]
            if errors:
                self.not_valid.append((row["id"], errors[0][:200], text[:200]))

    def lines(self, verbose):
        share = 100 * self.compiled / max(1, self.rows)
        yield (f"{self.rows} schemas: {self.compiled} compiled ({share:.1f} %); "
               f"{self.valid} valid instances, {len(self.wrongly_refused)} wrongly refused; "
               f"{self.invalid} invalid ones, {len(self.wrongly_held)} wrongly accepted; "
               f"{self.drawn} answers drawn, {len(self.not_valid)} not valid")
        if self.to_refuse:
            yield (f"{self.to_refuse} more to refuse: {len(self.wrong_error)} were not, or with "
                   "another path")
        near = sorted(ms for size, ms, _ in self.ms if 1500 <= size <= 3000)
        if near:
            yield (f"compiling 1.5 to 3 KB: median {near[len(near) // 2]:.1f} ms, "
                   f"most {near[-1]:.1f} ms ({len(near)} schemas)")
        if self.ms:
            worst = max(self.ms, key=lambda m: m[1])
            yield f"slowest: {worst[1]:.1f} ms for {worst[0]} bytes ({worst[2]})"
        if verbose:
            for name in ("refused", "wrongly_refused", "wrongly_held", "not_valid",
                         "wrong_error"):
                for one in getattr(self, name):
                    yield f"  {name}: " + " | ".join(map(str, one))


def check(paths, model=MODEL, samples=5, hold=ROOT / "build" / "hold"):
    """Returns a Report for each path, and the times of masks in microseconds."""
    all_rows = [[(row, question(row, samples)) for row in read(Path(p))] for p in paths]
    flat = [asked for rows in all_rows for _, asked in rows]
    done = subprocess.run([hold, model], input="\n".join(map(json.dumps, flat)) + "\n",
                          stdout=subprocess.PIPE, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    reports, at = [], 0
    for rows in all_rows:
        report = Report()
        for row, asked in rows:
            report.add(row, asked, answers[at])
            at += 1
        reports.append(report)
    return reports, answers[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    paths = options.files or [p for p in (OWN, WILD) if p.exists()]
    reports, times = check(paths, options.model, options.samples)
    for path, report in zip(paths, reports):
        print(f"{Path(path).name}: " + "\n".join(report.lines(options.verbose)))
    masks = sorted(times["masks"])
    print(f"{len(masks)} masks: median {masks[len(masks) // 2]} us, "
          f"99 % {masks[len(masks) * 99 // 100]} us, most {masks[-1]} us; "
          f"the vocabulary takes {times['vocabulary_ms']} ms once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
