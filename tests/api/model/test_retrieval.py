"""Search with the real embedding model: sense, not only words; passages longer than the model takes."""

import pytest

from pollux import SCRIPT, Server
from test_search import create, put, query, titles

NOTES = {
    "tides": "The gravity of the moon pulls the water of the oceans, and so the sea rises and falls twice a day.",
    "bread": "Mix flour with water, salt and yeast. Let the dough rest overnight and bake it in a hot oven.",
    "engine": "A four-stroke engine takes in fuel, compresses it, burns it and pushes out the exhaust.",
    "tax": "Income is declared once a year. Whoever works abroad may deduct double housekeeping.",
    "cats": "Cats sleep for up to sixteen hours, mostly in the daytime, and hunt at dusk.",
}


@pytest.fixture(scope="module")
def real_words():
    with Server("--script", SCRIPT, "--embedding-model", "all-minilm-l6-v2", start_s=60) as server:
        yield server


pytestmark = pytest.mark.model


def test_sense(real_words):
    """Questions that share no telling word with their answer."""
    store = create(real_words)["name"]
    for name, text in NOTES.items():
        put(real_words, store, text, displayName=name)
    for question, wanted in (("Why is there ebb and flow at the beach?", "tides"), ("How do I make a loaf?", "bread"),
                             ("How does a car's motor run?", "engine"), ("When must I pay the state?", "tax"),
                             ("Are kittens awake at night?", "cats")):
        assert titles(query(real_words, store, question))[0] == wanted, question


def test_a_passage_that_is_too_long_for_the_model(real_words):
    """512 words of long words are more than 512 tokens: the vector is its parts' mean."""
    store = create(real_words)["name"]
    words = "incomprehensibilities internationalization harbour lighthouse " * 128
    name = put(real_words, store, words, displayName="long",
               chunkingConfig={"whiteSpaceConfig": {"maxTokensPerChunk": 512, "maxOverlapTokens": 0}})
    found = query(real_words, store, "a lighthouse in the harbour")
    assert [p["document"] for p in found] == [name] and found[0]["similarity"] > 0.2
