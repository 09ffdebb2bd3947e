"""Answers that are lists, of as many items as the model likes: how many of them end by themselves?

CASES: (prompt, schema in the API's own words, n): n items are asked for, or 0: as many as there are to say.
measure(ask, temperature, n_tokens) asks all of them, eight at once, ask(contents, config) being one call that
returns the API's answer; it returns a Counter and the answers, a dict each.
"""
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

TEXT, NUMBER = {"type": "STRING"}, {"type": "NUMBER"}


def array(items):
    return {"type": "ARRAY", "items": items}


def record(**properties):
    return {"type": "OBJECT", "properties": properties, "required": list(properties)}


CASES = (
    # strings
    ("List a few popular cookie recipes using this JSON schema.", array(TEXT), 0),
    ("Name some animals that live in the desert.", array(TEXT), 0),
    ("Which programming languages are good for writing operating systems?", array(TEXT), 0),
    ("What should I pack for a weekend in the mountains?", array(TEXT), 0),
    ("Give me synonyms for the word happy.", array(TEXT), 0),
    ("List the days of the week.", array(TEXT), 7),
    ("List the months of the year.", array(TEXT), 12),
    ("Extract the names of all people: Anna met Bob and Carla in Paris, where David works.", array(TEXT), 4),
    ("Write the steps to change a bicycle tyre.", array(TEXT), 0),
    ("Name the planets of the solar system.", array(TEXT), 8),
    ("Count from 1 to 40.", array(NUMBER), 40),
    # objects
    ("List a few popular cookie recipes.", array(record(recipeName=TEXT)), 0),
    ("Suggest some books for a ten year old.", array(record(title=TEXT, author=TEXT)), 0),
    ("List some rivers of Europe with their lengths.", array(record(river=TEXT, kilometres=NUMBER)), 0),
    ("Make a quiz about history.", array(record(question=TEXT, answer=TEXT)), 0),
    ("Give me three ideas for a birthday present.", array(record(idea=TEXT, price=NUMBER)), 3),
    ("Find the products in this order: 2 lamps, 1 table and 4 chairs.", array(record(product=TEXT, count=NUMBER)), 3),
    ("Translate red, green and blue to French and Spanish.", array(record(english=TEXT, french=TEXT, spanish=TEXT)), 3),
    # nested
    ("Give me a recipe for tomato soup.", record(name=TEXT, ingredients=array(TEXT), steps=array(TEXT)), 0),
    ("Describe a small library.", record(name=TEXT, books=array(record(title=TEXT, subjects=array(TEXT)))), 0),
    ("Plan a day in Rome for a tourist.", record(city=TEXT, activities=array(record(time=TEXT, place=TEXT))), 0),
    ("Write a short work plan for a week in a bakery.", record(days=array(record(day=TEXT, tasks=array(TEXT)))), 0),
    ("Summarize what photosynthesis is and give keywords.", record(summary=TEXT, keywords=array(TEXT)), 0),
    ("Draw up a family: parents, children and their hobbies.",
     record(parents=array(TEXT), children=array(record(name=TEXT, hobbies=array(TEXT)))), 0),
)


def lists_in(value):
    if isinstance(value, list):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from lists_in(one)


def says_twice(value):
    """Whether a list holds the same twice."""
    return any(len({json.dumps(v) for v in one}) < len(one) for one in lists_in(value))


def measure(ask, temperature, n_tokens):
    def one(case):
        prompt, schema, n = case
        config = {"maxOutputTokens": n_tokens, "responseMimeType": "application/json", "responseSchema": schema}
        if temperature is not None:
            config["temperature"] = temperature
        answer = ask([{"role": "user", "parts": [{"text": prompt}]}], config)
        candidate = answer["candidates"][0]
        text = "".join(p.get("text", "") for p in candidate["content"].get("parts", []))
        ended = candidate["finishReason"] == "STOP"
        tree = json.loads(text) if ended else None
        return {"prompt": prompt, "ended": ended, "text": text, "tokens": answer["usageMetadata"]["candidatesTokenCount"],
                "twice": ended and says_twice(tree), "asked": n,
                "right_number": ended and n > 0 and isinstance(tree, list) and len(tree) == n}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, CASES))
    total = Counter(asked=len(answers), counted=sum(a["asked"] > 0 for a in answers))
    for answer in answers:
        total.update({k: int(answer[k]) for k in ("ended", "twice", "tokens", "right_number")})
    return total, answers
