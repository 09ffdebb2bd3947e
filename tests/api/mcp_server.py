"""A real MCP server for the tests: the reference implementation's, over streamable HTTP.

    python mcp_server.py PORT [json] [stateless]

What it was asked stands on its standard output, a line each."""

import asyncio
import base64
import sys
from typing import Literal

from mcp.server.fastmcp import Context, FastMCP, Image
from pydantic import BaseModel, Field

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")

server = FastMCP("calculator", host="127.0.0.1", port=int(sys.argv[1]), log_level="WARNING",
                 json_response="json" in sys.argv, stateless_http="stateless" in sys.argv)
counts = {}


class Place(BaseModel):
    city: str
    country: str | None = None


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers. Of use for sums of whole numbers."""
    return a + b


@server.tool()
def weather(place: Place, unit: Literal["celsius", "fahrenheit"] = "celsius",
            days: int = Field(default=1, ge=1, le=7, description="how many days")) -> str:
    """Tells the weather of a place."""
    return f"{place.city}: 21 degrees {unit}, {days} day(s)"


@server.tool()
def divide(a: float, b: float) -> float:
    """Divides two numbers."""
    return a / b


@server.tool()
def draw() -> list:
    """Draws a picture."""
    return ["drawn", Image(data=base64.b64decode(PIXEL), format="png")]


@server.tool()
async def wait(seconds: float) -> str:
    """Waits for so many seconds."""
    await asyncio.sleep(seconds)
    return "waited"


@server.tool()
def who_asks(context: Context) -> str:
    """Tells the caller's authorization."""
    return context.request_context.request.headers.get("authorization", "nobody")


@server.tool()
async def count(context: Context) -> str:
    """Counts how often it was called in this session."""
    session = id(context.session)
    counts[session] = counts.get(session, 0) + 1
    await context.report_progress(1, 2, "half of it")
    await context.info("counting")
    return f"call {counts[session]} of this session"


server.run("streamable-http")
