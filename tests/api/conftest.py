"""Stories: tests/api/stories/*.http, each a list of exchanges with a scripted Pollux.

    ### an unknown field is named with its path
    # proves: J039
    # in: v1 v1beta                     run for each, as {v} in the path; v1beta when absent
    POST :generateContent               ':verb' is a method of models/gemini-2.0-flash
    X-Header: value                     'X-Header:' alone removes a header that is sent by default

    {"contents": ...}                   sent byte for byte; \\xNN stands for one byte

    => 400 application/json             status and media type
    x-header: ~regex
    {"error": {"code": 400}}            see `differences`

What is expected is the least that must be there: an object may have more members, a list may not.
A string "~..." is a regular expression that must be found; "<absent>" is a member that must not
be there; "<any>" is any value. An expectation that is not JSON is text that must be found.
"""

import json
import re

import pytest


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".http":
        return Stories.from_parent(parent, path=file_path)


class Stories(pytest.File):
    def collect(self):
        seen = set()
        for text in re.split(r"^### ", self.path.read_text(), flags=re.M)[1:]:
            name, _, rest = text.partition("\n")
            assert name not in seen, f"two stories are called {name}"
            seen.add(name)
            facts = dict(re.findall(r"^# (\w+): (.*)$", rest, flags=re.M))
            rest = re.sub(r"^#.*\n", "", rest, flags=re.M)
            versions = facts.get("in", "v1beta").split()
            for v in versions:
                yield Story.from_parent(self, name=name + (f" [{v}]" if len(versions) > 1 else ""),
                                        text=rest, version=v)


class Story(pytest.Function):
    def __init__(self, *, text, version, **more):
        super().__init__(callobj=lambda server: tell(server, text, version), **more)

    def reportinfo(self):
        return self.path, None, self.name


def tell(server, text, version):
    asked, wanted = re.split(r"^=> ", text, maxsplit=1, flags=re.M)
    head, _, body = asked.strip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, path = first.split(None, 1)
    if path.startswith(":"):
        path = "/{v}/models/gemini-2.0-flash" + path
    headers = {}
    for line in lines:
        key, _, value = line.partition(":")
        headers[key.strip()] = value.strip() or None
    data = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), body.strip("\n").encode())
    answer = server.call(method, path.replace("{v}", version), data or None, headers)

    first, *lines = wanted.strip("\n").splitlines()
    status, _, media = first.partition(" ")
    assert answer.status == int(status), answer
    if media:
        assert answer.headers.get("content-type", "").split(";")[0] == media, answer.headers
    while lines and re.match(r"[\w-]+: ", lines[0]):
        key, _, value = lines.pop(0).partition(": ")
        problem = differences(value, answer.headers.get(key.lower(), "<absent>"), key)
        assert not problem, problem
    expected = "\n".join(lines).strip()
    if not expected:
        return
    try:
        expected = json.loads(expected)
    except ValueError:
        assert expected in answer.text, answer
        return
    got = answer.events if answer.is_sse else answer.json
    problem = differences(expected, got)
    assert not problem, problem + "\n" + answer.text


def differences(want, got, at="answer"):
    """What is wrong with `got`, in words; None when nothing is."""
    if want == "<any>":
        return None
    if isinstance(want, str) and want.startswith("~"):
        found = isinstance(got, str) and re.search(want[1:], got, re.S)
        return None if found else f"{at} is {got!r}; wanted something like {want[1:]!r}"
    if isinstance(want, dict) and isinstance(got, dict):
        for key, value in want.items():
            if value == "<absent>":
                if key in got:
                    return f"{at}.{key} is there: {got[key]!r}"
            elif key not in got:
                return f"{at}.{key} is missing"
            elif problem := differences(value, got[key], f"{at}.{key}"):
                return problem
        return None
    if isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            return f"{at} has {len(got)} elements, not {len(want)}"
        problems = (differences(w, g, f"{at}[{i}]") for i, (w, g) in enumerate(zip(want, got)))
        return next((p for p in problems if p), None)
    if type(want) is not type(got) or want != got:
        return f"{at} is {got!r}, not {want!r}"
    return None
