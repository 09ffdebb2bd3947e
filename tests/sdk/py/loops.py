"""Automatic function calling and chats against a real model. Prints a JSON list: what was called, and
the last words, of each conversation. BASE names the server."""

import json
import os

from google import genai
from google.genai import types

client = genai.Client(api_key="any", http_options={"base_url": os.environ["BASE"]})
called = []


def get_weather(city: str) -> dict:
    """Returns the current weather of a city.

    Args:
        city: The name of the city.
    """
    called.append(["get_weather", city])
    degrees = {"Paris": 17, "Oslo": 4}.get(city, 30)
    return {"city": city, "temperature_celsius": degrees, "sky": "cloudy"}


def set_light(room: str, on: bool) -> dict:
    """Turns the light of a room on or off.

    Args:
        room: Which room.
        on: Whether it is to shine.
    """
    called.append(["set_light", room, on])
    return {"ok": True}


def get_share_price(ticker: str) -> dict:
    """Current price of a share in dollars.

    Args:
        ticker: Ticker symbol, for example AAPL.
    """
    called.append(["get_share_price", ticker])
    return {"price": 231.5, "currency": "USD"}


def config(*tools):
    return types.GenerateContentConfig(tools=list(tools), temperature=0)


def once(question):
    called.clear()
    answer = client.models.generate_content(model="gemini-2.5-flash", contents=question,
                                            config=config(get_weather, set_light))
    return {"asked": question, "called": list(called), "said": answer.text}


def chat(tool, *questions):
    session = client.chats.create(model="gemini-2.5-flash", config=config(tool))
    for question in questions:
        called.clear()
        answer = session.send_message(question)
        yield {"asked": question, "called": list(called), "said": answer.text}


print(json.dumps([
    once("What is the temperature in Paris right now?"),
    once("Compare the weather in Paris and in Oslo."),
    once("Turn on the light in the kitchen."),
    once("What is the capital of Italy?"),
    *chat(get_share_price, "What is the price of an Apple share?", "Thank you! And what is two times that?"),
    *chat(get_weather, "What is the weather in Paris?", "And in Oslo?"),
]))
