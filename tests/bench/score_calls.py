"""Scores function calls by the rules of the Berkeley leaderboard's AST checker.

score(case, calls): case is a line of function-calls.jsonl, calls a list of {"name", "args"}
(args: a dict). Returns (right, why): why is "" when right.

Rules: irrelevance expects no call. Otherwise as many calls as accepted, in any order, each
pairing with one expected call: same name (dots and underscores alike), required arguments there,
no argument that the function does not declare or that is not expected, the declared type (an integer is a
number, a whole float is not an integer), a value among those accepted. Strings are compared without case,
spaces and , . / - _ * ^ and with ' as ". An accepted value "" means the argument may be left out.
"""
import re

TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list,
         "object": dict}


def norm(v):
    if isinstance(v, str):
        return re.sub(r"[ ,./\-_*^]", "", v).lower().replace("'", '"')
    if isinstance(v, list):
        return [norm(x) for x in v]
    if isinstance(v, dict):
        return {k: norm(x) for k, x in v.items()}
    return v


def same(a, b):
    a, b = norm(a), norm(b)
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def typed(value, schema):
    t = (schema or {}).get("type")
    if isinstance(t, list):
        return any(typed(value, {**schema, "type": x}) for x in t)
    if t not in TYPES:
        return True
    if t == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if t == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, TYPES[t]):
        return False
    if t == "array" and isinstance(schema.get("items"), dict):
        return all(typed(x, schema["items"]) for x in value)
    return True


def dict_ok(value, want):
    """want: {key: [accepted values]}"""
    for k, v in value.items():
        if k not in want:
            return False
        opts = want[k] if isinstance(want[k], list) else [want[k]]
        if not value_ok(v, opts):
            return False
    return all(k in value or "" in (o if isinstance(o, list) else [o]) for k, o in want.items())


def value_ok(value, options):
    for o in options:
        if isinstance(value, dict) and isinstance(o, dict):
            if dict_ok(value, o):
                return True
        elif isinstance(value, list) and isinstance(o, list) and any(
                isinstance(x, dict) for x in value):
            if len(value) == len(o) and all(
                    isinstance(x, dict) and isinstance(y, dict) and dict_ok(x, y)
                    for x, y in zip(value, o)):
                return True
        elif same(value, o):
            return True
    return False


def flat(name):
    return name.replace(".", "_")


def one(functions, call, want):
    (name, args), = want.items()
    if flat(call["name"]) != flat(name):
        return "name: %s, not %s" % (call["name"], name)
    f = next((f for f in functions if flat(f["name"]) == flat(name)), None)
    schema = (f or {}).get("parameters") or {}
    props = schema.get("properties") or {}
    got = call["args"]
    for r in schema.get("required") or []:
        if r not in got:
            return "missing required: %s" % r
    for k, v in got.items():
        if k not in props or k not in args:
            return "unexpected: %s=%r" % (k, v)
        if not typed(v, props[k]):
            return "type: %s=%r" % (k, v)
        if not value_ok(v, args[k]):
            return "value: %s=%r, not %r" % (k, v, args[k])
    for k, options in args.items():
        if k not in got and "" not in options:
            return "left out: %s=%r" % (k, options)
    return ""


def score(case, calls):
    wanted = case.get("accepted") or []
    if case["category"] == "irrelevance":
        return (not calls, "" if not calls else "called %s" % calls[0]["name"])
    if not calls:
        return False, "no call"
    if len(calls) != len(wanted):
        return False, "count: %d, not %d" % (len(calls), len(wanted))
    why = [[one(case["functions"], c, w) for w in wanted] for c in calls]
    taken = {}

    def place(i, seen):
        for j in range(len(wanted)):
            if not why[i][j] and j not in seen:
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    for i in range(len(calls)):
        if not place(i, set()):
            reasons = [w for w in why[i] if w and not w.startswith("name:")] or why[i]
            return False, next((r for r in reasons if r), "twice the same call")
    return True, ""
