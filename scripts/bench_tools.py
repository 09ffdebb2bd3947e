#!/usr/bin/env python3
"""Whether the built-in tools help: how many of some questions are answered rightly with each of them.

    make bench-tools
    scripts/bench_tools.py --pollux build/pollux [--model NAME] [--only search,code,...] [--shown]

The facts are made up, so that no model can know them, and lie in short documents with others that
resemble them. Nothing forces a call: the model decides. For every tool four numbers are counted:
used (the tool was called at all), right (the fact is in the answer), cited (the part of the answer
that has the fact is cited, and with the document that says so), and the seconds of an answer.

search    google_search over an index of the owner's documents (generateContent)
stores    file_search over a store with the same documents (Interactions)
pages     url_context: one page of the same, named in the question (generateContent)
code      code_execution: sums that are easily wrong in the head (generateContent)
mcp       mcp_server: the same sums, by a real MCP server (Interactions)
idle      greetings and small requests with google_search and code_execution at hand: used should be 0
"""
import argparse
import os
import re
import statistics
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "api")]
import pollux  # noqa: E402

FACTS = [  # document, its text, a question, what an answer must have
    ("Harbour of Kvalvik", "The harbour of Kvalvik closes at 21:40. Its lighthouse was built in 1887 by Anna Brekke. "
     "Boats longer than 14 metres moor at the outer pier.", "When does the harbour of Kvalvik close?", "21:40"),
    ("Harbour of Torsund", "The harbour of Torsund closes at 19:15. Its lighthouse was built in 1912. A night's mooring "
     "costs 230 kroner.", "What does a night's mooring cost in Torsund?", "230"),
    ("The Merrow engine", "The Merrow engine has seven cylinders and weighs 412 kilograms. It was designed by Ida "
     "Solberg in Leeds.", "Who designed the Merrow engine?", "Solberg"),
    ("The Tamsin engine", "The Tamsin engine has four cylinders and weighs 268 kilograms. It burns kerosene.",
     "How much does the Tamsin engine weigh?", "268"),
    ("Orla Quince", "Orla Quince is a cellist from Galway. She won the Lindqvist prize in 2019 and teaches in Turku.",
     "Which prize did the cellist Orla Quince win?", "Lindqvist"),
    ("Edvard Quince", "Edvard Quince is a glass blower in Riga. His workshop burned down in 2003.",
     "In which city does the glass blower Edvard Quince work?", "Riga"),
    ("Expenses", "Employees of Brackwater Ltd may spend at most 48 euros a day on meals when they travel. Taxis need "
     "the consent of the head of the department.", "How much may an employee of Brackwater spend on meals a day?", "48"),
    ("Holidays", "Employees of Brackwater Ltd have 31 days of holiday. Up to 6 of them may be taken in the next year.",
     "How many days of holiday do employees of Brackwater have?", "31"),
    ("Pump P-77", "The filter of pump P-77 is changed every 900 hours. Its oil is Velox 30.",
     "Which oil does pump P-77 need?", "Velox"),
    ("Pump P-78", "The filter of pump P-78 is changed every 650 hours. Its oil is Velox 40.",
     "After how many hours is the filter of pump P-78 changed?", "650"),
    ("Ruddock bread", "Ruddock bread is made of rye and buttermilk and baked for 75 minutes at 190 degrees.",
     "How long is Ruddock bread baked?", "75"),
    ("The Ashby treaty", "The Ashby treaty was signed on 3 May 1746 by nine towns. It ended the salt war.",
     "How many towns signed the Ashby treaty?", "nine|9"),
]
SUMS = [("4321 plus 12345", 4321, 12345), ("987654 plus 3456", 987654, 3456), ("70707 plus 60606", 70707, 60606),
        ("123456 plus 654322", 123456, 654322), ("99999 plus 1234", 99999, 1234), ("5550 plus 44499", 5550, 44499)]
CODE = [("What is 1234 * 5678?", "7006652"), ("What is the 20th Fibonacci number, if the first two are 1 and 1?", "6765"),
        ("What is the sum of all numbers from 1 to 777?", "302253"), ("How many primes are there below 200?", "46"),
        ("What is 17 to the power of 7?", "410338673"), ("What is the greatest common divisor of 123456 and 7890?", "6")]
IDLE = ["Hello!", "Thank you, that was helpful.", "Translate 'good morning' into French.", "Write one sentence about rain.",
        "Say yes.", "How are you?", "Correct the spelling: I recieve a leter.", "Give me a rhyme for cat."]
CALM = {"temperature": 0, "seed": 1, "maxOutputTokens": 200}


class Asked:
    """What came of one question: text, whether a tool was used, and what is cited where."""

    def __init__(self, text, used, cited):
        self.text, self.used, self.cited = text, used, cited  # cited: [(piece of the text, title)]


def by_generate(server, question, tools):
    answer = server.generate(question, CALM, timeout=600, fields={"tools": tools})
    if answer.status != 200:
        sys.exit(f"bench-tools: {answer}")
    candidate = answer.json["candidates"][0]
    parts = candidate.get("content", {}).get("parts", [])
    grounds = candidate.get("groundingMetadata", {})
    titles = [chunk["web"].get("title", "") for chunk in grounds.get("groundingChunks", [])]
    cited = [(s["segment"]["text"], titles[i]) for s in grounds.get("groundingSupports", [])
             for i in s["groundingChunkIndices"]]
    used = bool(grounds.get("webSearchQueries") or any("executableCode" in p for p in parts)
                or candidate.get("urlContextMetadata"))
    return Asked("".join(p.get("text", "") for p in parts if not p.get("thought")), used, cited)


def by_interaction(server, question, tools):
    answer = server.post("/v1beta/interactions", {
        "model": "gemini-3-flash-preview", "input": question, "tools": tools, "store": False,
        "generation_config": {"temperature": 0, "seed": 1, "max_output_tokens": 200}}, timeout=600)
    if answer.status != 200:
        sys.exit(f"bench-tools: {answer}")
    steps = answer.json["steps"]
    blocks = [b for s in steps if s["type"] == "model_output" for b in s["content"] if b["type"] == "text"]
    cited = [(b["text"].encode()[a["start_index"]:a["end_index"]].decode(), a.get("file_name", a.get("title", "")))
             for b in blocks for a in b.get("annotations", [])]
    return Asked("".join(b["text"] for b in blocks), any(s["type"].endswith("_call") for s in steps), cited)


def has(wanted, text):
    return re.search(rf"(?<![\w.])({wanted})(?!\w)", text.replace(",", "")) is not None


def row(*cells):
    print("|", " | ".join(str(c) for c in cells), "|", flush=True)


def judge(options, name, questions):
    """questions: (ask, question, wanted or None, title or None)."""
    used = right = cited = 0
    seconds, with_titles = [], sum(title is not None for *_, title in questions)
    for ask, question, wanted, title in questions:
        began = time.monotonic()
        asked = ask(question)
        seconds.append(time.monotonic() - began)
        used += asked.used
        right += wanted is not None and has(wanted, asked.text)
        cited += any(of == title and has(wanted, piece) for piece, of in asked.cited)
        if options.shown:
            print(f"    {question} -> {asked.text!r} {'used' if asked.used else 'NOT USED'} {asked.cited}", file=sys.stderr)
    n = len(questions)
    judged = questions[0][2] is not None
    row(name, n, f"{used} of {n}", f"{right} of {n}" if judged else "-", f"{cited} of {n}" if with_titles else "-",
        " / ".join(f"{f(seconds):.1f}" for f in (min, statistics.median, max)))


# ---- the six ----

def search(server, options):
    for title, text, *_ in FACTS:
        server.add_document(title, text, f"https://intranet.example/{title.replace(' ', '-')}")
    ask = partial(by_generate, server, tools=[{"googleSearch": {}}])
    judge(options, "search", [(ask, q, wanted, title) for title, _, q, wanted in FACTS])


def stores(server, options):
    import test_search
    store = test_search.create(server)["name"]
    for title, text, *_ in FACTS:
        test_search.put(server, store, text, displayName=title)
    ask = partial(by_interaction, server, tools=[{"type": "file_search", "file_search_store_names": [store]}])
    judge(options, "stores", [(ask, q, wanted, title) for title, _, q, wanted in FACTS])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def pages(server, options):
    with TemporaryDirectory() as folder:
        for i, (title, text, *_) in enumerate(FACTS):
            (Path(folder) / f"{i}.html").write_text(f"<title>{title}</title><h1>{title}</h1><p>{text}</p>")
        web = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
        threading.Thread(target=web.serve_forever, daemon=True).start()
        ask = partial(by_generate, server, tools=[{"urlContext": {}}])
        judge(options, "pages", [(ask, f"{q} It is said on http://127.0.0.1:{web.server_port}/{i}.html", wanted, title)
                                 for i, (title, _, q, wanted) in enumerate(FACTS)])
        web.shutdown()


def code(server, options):
    ask = partial(by_generate, server, tools=[{"codeExecution": {}}])
    judge(options, "code", [(ask, q, wanted, None) for q, wanted in CODE])


def mcp(server, options):
    import test_mcp
    calc = test_mcp.RealServer()
    try:
        ask = partial(by_interaction, server, tools=[test_mcp.tool(calc, allowed_tools=[{"tools": ["add"]}])])
        judge(options, "mcp", [(ask, f"What is {words}?", str(a + b), None) for words, a, b in SUMS])
    finally:
        calc.close()


def idle(server, options):
    if "search" not in options.only:
        server.add_document(*FACTS[0][:2], "https://intranet.example/a")
    ask = partial(by_generate, server, tools=[{"googleSearch": {}}, {"codeExecution": {}}])
    judge(options, "idle", [(ask, q, None, None) for q in IDLE])


TOOLS = {f.__name__: f for f in (search, stores, pages, code, mcp, idle)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pollux", default=ROOT / "build/pollux")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(TOOLS), help="of " + ",".join(TOOLS))
    parser.add_argument("--shown", action="store_true", help="print the answers")
    options = parser.parse_args()
    pollux.BINARY = Path(options.pollux).resolve()
    print(f"Built-in tools with {options.model}, {os.cpu_count()} cores.\n")
    print("| tool | questions | used | right | cited | seconds of an answer: minimum / median / maximum |")
    row(*["---"] * 6)
    with pollux.Server("--model", options.model, "--ctx", 4096, "--fetch-allow", "127.0.0.1", start_s=120) as server:
        for name in options.only:
            TOOLS[name](server, options)


if __name__ == "__main__":
    main()
