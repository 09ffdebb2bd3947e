"""Media that the tests of readers are about, made by the programs that the readers use."""

import base64
import os
import struct
import subprocess
import zlib
from functools import cache
from pathlib import Path

CURRENT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pollux" / "readers" / "current"
QUESTION = "What is the capital of France?"


def blob(data, mime):
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def run(*command, data=b""):
    done = subprocess.run(list(map(str, command)), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


PICTURE = """
import io, sys
from PIL import Image, ImageDraw, ImageFont
import pillow_heif; pillow_heif.register_heif_opener()
kind, ground, ink, text = sys.argv[1:5]
image = Image.new("RGB", (640, 160), ground)
ImageDraw.Draw(image).text((30, 50), text, fill=ink, font=ImageFont.load_default(44))
out = io.BytesIO()
image.save(out, format=kind)
sys.stdout.buffer.write(out.getvalue())
"""


@cache
def picture(text, kind="PNG", ground="white", ink="black"):
    return run(CURRENT / "venv/bin/python", "-c", PICTURE, kind, ground, ink, text)


@cache
def speech(text=QUESTION):
    return run("espeak-ng", "-s", "140", "-v", "en-us", "--stdout", text)


@cache
def sound(kind, text=QUESTION):
    """kind: ffmpeg's name of a container that can be written to a pipe."""
    return run("ffmpeg", "-v", "error", "-i", "-", "-f", kind, "-", data=speech(text))


@cache
def film(kind, folder, spoken=True, signs=("FIRST SIGN", "SECOND SIGN")):
    """Two seconds of one sign, two of another, the question spoken from the beginning, or no sound."""
    folder = Path(folder)
    (folder / "one.png").write_bytes(picture(signs[0]))
    (folder / "two.png").write_bytes(picture(signs[1], ground="yellow"))
    (folder / "q.wav").write_bytes(speech())
    path = folder / f"film.{kind}"
    # Each frame is coded for itself: the same picture has the same bits in every film.
    codecs = ["-c:v", "libvpx", "-c:a", "libvorbis"] if kind == "webm" else ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "1", "-qp", "20"]
    run("ffmpeg", "-v", "error", "-y", "-loop", "1", "-t", "2", "-i", folder / "one.png", "-loop", "1", "-t", "2",
        "-i", folder / "two.png", "-i", folder / "q.wav", "-filter_complex",
        "[0:v]fps=10,setsar=1[a];[1:v]fps=10,setsar=1[b];[a][b]concat=n=2:v=1[v]", "-map", "[v]",
        *(["-map", "2:a"] if spoken else []), *codecs, path)
    return path.read_bytes()


def pdf(*pages):
    """A page for each text, in a font that every reader has."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
               "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for i, text in enumerate(pages):
        words = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {5 + 2 * i} 0 R"
                       "/Resources<</Font<</F1 3 0 R>>>>>>")
        objects.append(f"<</Length {len(words)}>>stream\n{words}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{at:010} 00000 n \n" for at in places)
    return out + (f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n"
                  f"startxref\n{len(out)}\n%%EOF\n").encode()


def scan(text):
    return run(CURRENT / "venv/bin/python", "-c", PICTURE.replace("640, 160", "1200, 1600"), "PDF", "white", "black", text)


def png(width, height, rows):
    """A PNG whose header says `width` by `height`, and whose data are `rows` bytes of black."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b""))
