"""Conversations in which functions have been called: is another call needed, or is it time for words?

CASES: (functions, request, calls so far, name of the next function or None). Each request comes in both
halves where that makes sense: the result, or what was done already, decides.
contents_of(case) and tools_of(case) are the API's; needs(case) is what is right.
"""

FUNCTIONS = {
    "get_brightness": ("How bright it is outside, in lux.", {}),
    "set_light": ("Turns the light of a room on or off.", {"room": "STRING", "on": "BOOLEAN"}),
    "find_user": ("Finds the id of a user by name.", {"name": "STRING"}),
    "send_message": ("Sends a message to a user.", {"user_id": "STRING", "text": "STRING"}),
    "search_flights": ("Searches flights between two cities.", {"start": "STRING", "end": "STRING"}),
    "book_flight": ("Books a flight by its number.", {"number": "STRING"}),
    "get_weather": ("Current weather of a city.", {"city": "STRING"}),
    "get_stock": ("How many pieces of a product are in stock.", {"product": "STRING"}),
    "order_product": ("Orders a product from the supplier.", {"product": "STRING", "pieces": "INTEGER"}),
    "read_file": ("Reads a file.", {"path": "STRING"}),
    "delete_file": ("Deletes a file.", {"path": "STRING"}),
    "list_files": ("Lists the files of a folder.", {"path": "STRING"}),
    "get_exchange_rate": ("Exchange rate of two currencies.", {"base": "STRING", "to": "STRING"}),
    "get_share_price": ("Current price of a share in dollars.", {"ticker": "STRING"}),
    "get_calendar": ("Appointments of a day.", {"date": "STRING"}),
    "create_event": ("Creates an appointment.", {"date": "STRING", "time": "STRING", "title": "STRING"}),
    "open_window": ("Opens a window.", {"room": "STRING"}),
    "get_temperature": ("Temperature of a room in degrees Celsius.", {"room": "STRING"}),
}
LIGHT = ("get_brightness", "set_light"), "Turn on the light in the kitchen if it is dark outside."
MESSAGE = ("find_user", "send_message"), "Send Anna the message 'dinner at eight'."
FLIGHT = ("search_flights", "book_flight"), "Book the cheapest flight from Oslo to Rome."
SEARCH = ("search_flights", "book_flight"), "Which flights are there from Oslo to Rome?"
STOCK = ("get_stock", "order_product"), "If fewer than 10 lamps are in stock, order 20."
FILES = ("list_files", "read_file", "delete_file"), "Delete the largest file in /tmp."
SHOW = ("list_files", "read_file", "delete_file"), "What is in the file notes.txt in /home?"
SHARE = ("get_share_price", "get_exchange_rate"), "What is a share of AAPL in euros?"
CALENDAR = ("get_calendar", "create_event"), "Add lunch with Bob at noon on 2026-03-02 if I am free then."
WINDOW = ("get_temperature", "open_window"), "If the bedroom is warmer than 24 degrees, open its window."
CITIES = ("get_weather", "send_message"), "Where is it warmer, in Paris or in Oslo?"
TELL = ("get_weather", "find_user", "send_message"), "What is the weather in Paris?"

DARK = ("get_brightness", {}, {"lux": 2})
SUNNY = ("get_brightness", {}, {"lux": 50000})
FOUND = ("find_user", {"name": "Anna"}, {"user_id": "u17"})
FLIGHTS = ("search_flights", {"start": "Oslo", "end": "Rome"},
           {"flights": [{"number": "SK47", "price": 120}, {"number": "DY18", "price": 95}]})
FOLDER = ("list_files", {"path": "/tmp"}, {"files": [{"name": "a.log", "bytes": 12}, {"name": "b.iso", "bytes": 900000}]})
PRICE = ("get_share_price", {"ticker": "AAPL"}, {"price": 231.5, "currency": "USD"})
PARIS = ("get_weather", {"city": "Paris"}, {"celsius": 17})

CASES = (
    # another call is needed
    (*LIGHT, [DARK], "set_light"),
    (*MESSAGE, [FOUND], "send_message"),
    (*FLIGHT, [FLIGHTS], "book_flight"),
    (*STOCK, [("get_stock", {"product": "lamp"}, {"pieces": 3})], "order_product"),
    (*FILES, [FOLDER], "delete_file"),
    (*SHOW, [("list_files", {"path": "/home"}, {"files": ["notes.txt", "todo.txt"]})], "read_file"),
    (*SHARE, [PRICE], "get_exchange_rate"),
    (*CALENDAR, [("get_calendar", {"date": "2026-03-02"}, {"appointments": []})], "create_event"),
    (*WINDOW, [("get_temperature", {"room": "bedroom"}, {"celsius": 27})], "open_window"),
    (*CITIES, [PARIS], "get_weather"),
    (("get_weather", "find_user", "send_message"), "Tell Anna what the weather in Paris is.", [PARIS], "find_user"),
    (("get_weather", "find_user", "send_message"), "Tell Anna what the weather in Paris is.", [PARIS, FOUND], "send_message"),
    (("get_stock", "order_product"), "Order as many lamps as there are tables in stock.",
     [("get_stock", {"product": "table"}, {"pieces": 6})], "order_product"),
    (("list_files", "read_file"), "Read the first file in /etc/app to me.",
     [("list_files", {"path": "/etc/app"}, {"files": ["main.conf"]})], "read_file"),
    # it is time for words
    (*LIGHT, [SUNNY], None),
    (*LIGHT, [DARK, ("set_light", {"room": "kitchen", "on": True}, {"ok": True})], None),
    (*MESSAGE, [FOUND, ("send_message", {"user_id": "u17", "text": "dinner at eight"}, {"sent": True})], None),
    (*FLIGHT, [FLIGHTS, ("book_flight", {"number": "DY18"}, {"booked": True, "seat": "12A"})], None),
    (*SEARCH, [FLIGHTS], None),
    (*STOCK, [("get_stock", {"product": "lamp"}, {"pieces": 42})], None),
    (*FILES, [FOLDER, ("delete_file", {"path": "/tmp/b.iso"}, {"deleted": True})], None),
    (*SHOW, [("read_file", {"path": "/home/notes.txt"}, {"text": "buy milk"})], None),
    (*SHARE, [PRICE, ("get_exchange_rate", {"base": "USD", "to": "EUR"}, {"rate": 0.9})], None),
    (*CALENDAR, [("get_calendar", {"date": "2026-03-02"},
                  {"appointments": [{"time": "12:00", "title": "dentist"}]})], None),
    (*WINDOW, [("get_temperature", {"room": "bedroom"}, {"celsius": 19})], None),
    (*CITIES, [PARIS, ("get_weather", {"city": "Oslo"}, {"celsius": 4})], None),
    (*TELL, [PARIS], None),
    (("get_brightness", "set_light"), "How bright is it outside?", [SUNNY], None),
)


def contents_of(case):
    _, request, calls, _ = case
    contents = [{"role": "user", "parts": [{"text": request}]}]
    for name, args, result in calls:
        contents.append({"role": "model", "parts": [{"functionCall": {"name": name, "args": args}}]})
        contents.append({"role": "user", "parts": [{"functionResponse": {"name": name, "response": result}}]})
    return contents


def declaration(name):
    description, args = FUNCTIONS[name]
    form = {"name": name, "description": description}
    if args:
        form["parameters"] = {"type": "OBJECT", "properties": {k: {"type": t} for k, t in args.items()},
                              "required": list(args)}
    return form


def tools_of(case):
    return [{"functionDeclarations": [declaration(name) for name in case[0]]}]
