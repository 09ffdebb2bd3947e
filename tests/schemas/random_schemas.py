#!/usr/bin/env python3
"""Schemas that nobody would write, for tests/schemas/check.py: random_schemas.py N [SEED] > FILE

Each puts keywords together that are rewritten on the way to a grammar (oneOf, not, if, required,
dependencies, counts); what is drawn from it must validate.
"""
import json
import random
import sys

NAMES = ["a", "b", "c"]
WORDS = ["x", "xy", "y", "no", ""]


def value(r):
    return r.choice([0, 1, 2, 3.5, -1, True, False, None, *WORDS, [], [1], {"a": 1}])


def leaf(r):
    return r.choice([
        lambda: {"type": r.choice(["string", "integer", "number", "boolean", "null", "object"])},
        lambda: {"const": value(r)},
        lambda: {"enum": [value(r) for _ in range(r.randint(1, 3))]},
        lambda: {"type": "string", "enum": r.sample(WORDS, r.randint(1, 3))},
        lambda: {"type": "integer", "minimum": r.randint(-2, 2), "maximum": r.randint(2, 5)},
        lambda: {"type": ["string", "null"], "maxLength": r.randint(0, 3)},
        lambda: {"type": "string", "pattern": r.choice(["^x", "y$", "^[xy]*$", "^x?y?$"])},
        lambda: {"minLength": r.randint(0, 2)},
        lambda: r.choice([True, False, {}]),
    ])()


def thing(r, depth):
    out = {"properties": {n: schema(r, depth - 1) for n in r.sample(NAMES, r.randint(1, 3))}}
    if r.random() < 0.7:
        out["type"] = "object"
    if r.random() < 0.5:
        out["required"] = r.sample(NAMES, r.randint(1, 2))
    if r.random() < 0.5:
        out["additionalProperties"] = r.choice([False, False, leaf(r)])
    if r.random() < 0.15:
        out["minProperties"] = r.randint(0, 2)
    if r.random() < 0.15:
        out["maxProperties"] = r.randint(1, 3)
    if r.random() < 0.15:
        out["dependentRequired"] = {r.choice(NAMES): [r.choice(NAMES)]}
    if r.random() < 0.1:
        out["propertyNames"] = r.choice([{"pattern": "^[ab]"}, {"enum": ["a", "b"]},
                                         {"maxLength": 1}])
    if r.random() < 0.1:
        out["patternProperties"] = {r.choice(["^a", "^[bc]$", "^x"]): leaf(r)}
    return out


def items(r, depth):
    out = {"type": "array", "items": schema(r, depth - 1), "maxItems": r.randint(0, 3)}
    if r.random() < 0.4:
        out["prefixItems"] = [schema(r, depth - 1) for _ in range(r.randint(1, 2))]
    if r.random() < 0.3:
        out["minItems"] = r.randint(0, 2)
    return out


def schema(r, depth):
    if depth <= 0 or r.random() < 0.3:
        return leaf(r)
    out = r.choice([leaf, lambda r: thing(r, depth), lambda r: thing(r, depth),
                    lambda r: items(r, depth), lambda r: {}])(r)
    if not isinstance(out, dict):
        return out
    roll = r.random()
    few = [schema(r, depth - 1) for _ in range(r.randint(2, 3))]
    if roll < 0.2:
        out["oneOf"] = few
    elif roll < 0.3:
        out["anyOf"] = few
    elif roll < 0.38:
        out["allOf"] = few[:2]
    elif roll < 0.5:
        out["not"] = few[0]
    elif roll < 0.6:
        out |= {"if": few[0], "then": few[1]}
        if len(few) > 2:
            out["else"] = few[2]
    elif roll < 0.65:
        out["oneOf"] = [{"required": [n]} for n in r.sample(NAMES, 2)]
    elif roll < 0.7:
        out["$ref"] = "#/$defs/d"
    keys = list(out)
    r.shuffle(keys)
    return {k: out[k] for k in keys}


def main():
    r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for i in range(int(sys.argv[1])):
        made = schema(r, 3)
        if isinstance(made, dict):
            made["$defs"] = {"d": schema(r, 2)}
            print(json.dumps({"id": f"random {i}", "schema": made, "tests": []}))


if __name__ == "__main__":
    main()
