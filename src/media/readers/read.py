"""Reads one piece of media inside the sandbox and says in JSON what it found.

    read.py WHAT TYPE PATH OPTIONS      WHAT: text, html, pdf, image, sound, video

The answer is one object on standard output (src/media/reading.c takes it):

    {"kind": "IMAGE", "reader": "Pillow 13.0.0, tesseract 5.3.0",
     "facts": ["PNG", "640 x 480 pixels"], "found": [{"at": "page 1", "text": "..."}],
     "notes": ["Only the first 20 scanned pages were read."]}
or  {"error": "the image is cut short"}

With the option pixels, images, films and PDFs are for a model that sees: then things found may have a width and a
height, and descriptor 3 gets the pixels of those pictures (RGB), one behind the other. With the option sound, sound is
for a model that hears: its number of samples, and they by the same descriptor (16 bits, 16000 a second).

OPTIONS is JSON: start and end in seconds, fps, charset, ocr (tesseract's languages), pixels, sound; absent or null where not
asked for. Everything is bounded here as well as by the sandbox; what was left out is said in a note.
"""
import json
import os
import re
import subprocess
import sys

MOST_TEXT = 400_000  # characters in all
MOST_FOUND = 20_000  # pieces of it: what src/media/reading.c takes
MOST_PIXELS = 50_000_000
MOST_SIDE = 1536  # pixels of a picture for a model that sees
MOST_SHOWN = 4_000_000  # pixels of all pictures for it: what src/media/media.c takes, and src/engine/sight.c keeps
MOST_SHOWN_PAGES = 10
PAGE_SIDE = 1024  # pixels of those: its words come as text as well
MOST_PAGES = 1000
MOST_SCANS = 20
MOST_FRAMES = 120
MOST_SOUND_S = 1800
MOST_HEARD_S = 300  # by a model that hears: what src/media/reading.h takes
WHISPER = "/opt/readers/whisper"
OCR = []  # tesseract's options
COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (220, 30, 30),
    "orange": (245, 140, 20), "yellow": (250, 230, 40), "green": (40, 160, 60), "cyan": (60, 210, 220),
    "blue": (40, 70, 210), "purple": (130, 40, 160), "pink": (245, 150, 190), "brown": (120, 75, 40),
}


class Bad(Exception):
    """A sentence for the caller: what is wrong with the media."""


def run(*command, most=64 << 20, say=None):
    """Standard output of a program of the system; `say`: what it means when it fails."""
    done = subprocess.run(command, stdin=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode in (126, 127):
        raise RuntimeError(f"{command[0]} does not run: {done.stderr.decode(errors='replace')[:300]}")
    if done.returncode != 0 and say:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        why = re.sub(r"^\[[^]]*\]\s*|/dev/stdin:?\s*", "", why[-1])[:160] if why else ""
        raise Bad(f"{say} ({why})" if why else say)
    return done.stdout[:most]


def version(command, option, pattern):
    done = subprocess.run([command, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    found = re.search(pattern, done.stdout.decode(errors="replace"))
    return f"{command} {found[1]}" if found else command


def clock(seconds):
    seconds = int(seconds)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


# ---- text ----

CHARSETS = {  # those that are taken; Python's names on the right
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "utf-16": "utf-16",
    "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "utf-32": "utf-32", "iso-8859-1": "cp1252",
    "utf-32le": "utf-32-le", "utf-32be": "utf-32-be",
    "latin1": "cp1252", "iso-8859-2": "iso8859-2", "iso-8859-5": "iso8859-5", "iso-8859-7": "iso8859-7",
    "iso-8859-9": "cp1254", "iso-8859-15": "iso8859-15", "windows-1250": "cp1250", "windows-1251": "cp1251",
    "windows-1252": "cp1252", "windows-1253": "cp1253", "windows-1254": "cp1254", "windows-1255": "cp1255",
    "windows-1256": "cp1256", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "macintosh": "mac-roman",
    "shift_jis": "cp932", "shift-jis": "cp932", "euc-jp": "euc-jp", "iso-2022-jp": "iso2022-jp",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5", "euc-kr": "cp949",
}
BOMS = [(b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")]


def decode(data, charset):
    """By its mark, else as declared, else UTF-8, else what Windows writes."""
    for mark, codec in BOMS:
        if data.startswith(mark):
            charset = codec
            break
    else:
        if charset and charset.lower() not in CHARSETS:
            raise Bad(f"the charset {charset[:40]!r} is not known")
        charset = CHARSETS[charset.lower()] if charset else None
    try:
        text = data.decode(charset or "utf-8")
    except UnicodeDecodeError as e:
        if charset:
            raise Bad(f"the text is not {charset}") from e
        charset = "cp1252"
        text = data.decode("cp1252", errors="replace")
    if re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
        raise Bad("the data is not text")
    return text, charset or "utf-8"


def slurp(path):
    with open(path, "rb") as f:
        return f.read(64 << 20)


def read_text(path, kind, options):
    text, charset = decode(slurp(path), options.get("charset"))
    return {"kind": "TEXT", "reader": f"Python {sys.version.split()[0]}",
            "facts": [] if charset in ("utf-8", "ascii") else [charset], "found": [{"at": "", "text": text}]}


def read_html(path, kind, options):
    from html.parser import HTMLParser
    block = set("address article aside blockquote br dd div dl dt fieldset figcaption footer form h1 h2 h3 h4 h5 "
                "h6 header hr li main nav ol p pre section table tr ul option title".split())
    hidden = set("script style template noscript svg math head".split())

    class Page(HTMLParser):
        def __init__(self):
            super().__init__(convert_charrefs=True)
            self.out, self.title, self.hidden, self.in_title, self.pre = [], [], [], False, 0

        def handle_starttag(self, tag, attrs):
            if tag == "title":
                self.in_title = True
            elif tag in hidden:
                self.hidden.append(tag)
            elif tag == "body":
                self.hidden.clear()
            elif not self.hidden:
                self.pre += tag == "pre"
                if tag in ("td", "th"):
                    self.out.append("\t")
                elif tag == "li":
                    self.out.append("\n- ")
                elif re.fullmatch("h[1-6]", tag):
                    self.out.append("\n\n" + "#" * int(tag[1]) + " ")
                elif tag in block:
                    self.out.append("\n")
                elif tag == "img" and dict(attrs).get("alt"):
                    self.out.append(f"[picture: {dict(attrs)['alt']}]")

        def handle_endtag(self, tag):
            if tag == "title":
                self.in_title = False
            elif tag in self.hidden:
                while self.hidden and self.hidden.pop() != tag:
                    pass
            elif not self.hidden and tag in block:
                self.pre -= tag == "pre" and self.pre > 0
                self.out.append("\n")

        def handle_data(self, data):
            if self.in_title:
                self.title.append(data)
            elif not self.hidden:
                self.out.append(data if self.pre else re.sub(r"\s+", " ", data))

    data = slurp(path)
    charset = options.get("charset")
    if not charset and (meta := re.search(rb"""<meta[^>]{0,200}charset=["']?([\w.:-]{1,40})""", data[:4096], re.I)):
        charset = meta[1].decode()
        charset = charset if charset.lower() in CHARSETS else None
    page = Page()
    page.feed(decode(data, charset)[0])
    page.close()
    lines = [line.strip(" ") for line in "".join(page.out).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    title = " ".join("".join(page.title).split())
    return {"kind": "TEXT", "reader": f"Python {sys.version.split()[0]}",
            "facts": [f"title: {title[:300]}"] if title else [], "found": [{"at": "", "text": text}]}


# ---- pictures ----

def open_image(path, kind):
    import warnings
    from PIL import Image
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    formats = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]
    if kind in ("image/heic", "image/heif"):
        import pillow_heif
        pillow_heif.register_heif_opener(thumbnails=False)
        formats = ["HEIF"]
    try:
        image = Image.open(path, formats=formats)
        if image.width * image.height > MOST_PIXELS:
            raise Bad(f"the image has {image.width} x {image.height} pixels; at most {MOST_PIXELS // 1_000_000} "
                      "million can be read")
        image.load()
    except Bad:
        raise
    except Image.DecompressionBombError as e:
        raise Bad(f"the image has more than {MOST_PIXELS // 1_000_000} million pixels") from e
    except MemoryError as e:
        raise Bad("the image takes more memory than a reader may use") from e
    except Exception as e:  # Pillow's plugins raise nearly anything over broken files
        words = str(e).replace(path, "it")[:160]
        raise Bad(f"the image is broken or cut short ({words})") from e
    return image


def flat(image):
    """On white, with no palette and no transparency."""
    from PIL import Image
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def colours(image):
    """The colours that make up most of it, in words."""
    small = image.resize((48, 48))
    counts = {}
    raw = small.tobytes()
    for pixel in zip(raw[0::3], raw[1::3], raw[2::3]):
        name = min(COLOURS, key=lambda c: sum((a - b) ** 2 for a, b in zip(COLOURS[c], pixel)))
        counts[name] = counts.get(name, 0) + 1
    ranked = sorted(counts.items(), key=lambda c: -c[1])
    main = [name for name, n in ranked if n > 0.1 * 48 * 48][:3] or [ranked[0][0]]
    if counts[main[0]] > 0.98 * 48 * 48:
        return f"all {main[0]}"
    return f"mostly {main[0]}" + (f", with {' and '.join(main[1:])}" if main[1:] else "")


def image_text(image):
    """Words of which tesseract is fairly sure, in lines."""
    width, height = image.size
    scale = min(2.0 if max(width, height) < 1000 else 1.0, 2600 / max(width, height))
    if scale != 1.0:
        image = image.resize((max(1, int(width * scale)), max(1, int(height * scale))))
    image.convert("L").save("/tmp/page.png", compress_level=1)
    for mode in ("3", "11"):  # a page; else words that stand anywhere
        table = run("tesseract", "/tmp/page.png", "-", *OCR, "--psm", mode, "tsv")
        lines = {}
        for row in table.decode(errors="replace").splitlines()[1:]:
            cells = row.split("\t")
            if len(cells) == 12 and cells[11].strip() and float(cells[10]) >= 45:
                lines.setdefault(tuple(map(int, cells[1:5])), []).append(cells[11])
        text = "\n".join(" ".join(words) for _, words in sorted(lines.items()))
        if re.search(r"\w", text):
            return text
    return ""


def ffmpeg():
    return version("ffmpeg", "-version", r"version (\d+[.\d]*)")


def tesseract():
    return version("tesseract", "--version", r"tesseract v?(\S+)")


def take(name):
    """The picture in a file that is not needed any more."""
    from PIL import Image
    with Image.open(name) as image:
        image = image.convert("RGB")
    os.unlink(name)
    return image


def fitted(image, n):
    """One of n pictures for a model that sees: no larger than such models look at, and they share MOST_SHOWN."""
    width, height = image.size
    scale = min(1.0, MOST_SIDE / max(width, height), (MOST_SHOWN / n / (width * height)) ** 0.5)
    if scale == 1.0:
        return image
    return image.resize((max(1, int(width * scale)), max(1, int(height * scale))), reducing_gap=2.0)


def read_image(path, kind, options):
    import PIL
    if options.get("pixels"):
        return show_image(path, kind)
    image = open_image(path, kind)
    facts = [image.format, f"{image.width} x {image.height} pixels"]
    frames = getattr(image, "n_frames", 1)
    notes = []
    if frames > 1:
        facts.append(f"{frames} frames")
        notes.append("Only the first frame was read.")
    image = flat(image)
    facts.append(colours(image))
    text = image_text(image)
    return {"kind": "IMAGE", "reader": f"Pillow {PIL.__version__}, {tesseract()}", "facts": facts,
            "found": [{"at": "", "text": text}] if text else [], "notes": notes}


def show_image(path, kind):
    import PIL
    image = fitted(flat(open_image(path, kind)), 1)
    return {"kind": "IMAGE", "reader": f"Pillow {PIL.__version__}", "facts": [],
            "found": [{"at": "", "text": "", "picture": image}]}


# ---- PDF ----

def drawn(path, page, side, *how):
    """A page as a picture; None where it cannot be one."""
    run("pdftoppm", "-f", str(page), "-l", str(page), "-scale-to", str(side), *how, "-singlefile", path, "/tmp/drawn")
    try:
        return take("/tmp/drawn.pgm" if "-gray" in how else "/tmp/drawn.ppm")
    except OSError:
        return None


def read_pdf(path, kind, options):
    told = run("pdfinfo", path, say="the PDF is broken, cut short or needs a password").decode(errors="replace")
    info = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    n = int(info.get("Pages", "0").strip() or 0)
    if n < 1:
        raise Bad("the PDF has no pages")
    if n > MOST_PAGES:
        raise Bad(f"the PDF has {n} pages; at most {MOST_PAGES} can be read")
    facts = ["PDF", f"{n} page" + "s" * (n > 1)]
    title = info.get("Title", "").strip()
    if title:
        facts.append(f"title: {title[:300]}")
    pages = run("pdftotext", "-enc", "UTF-8", path, "-", say="the PDF's text cannot be read")
    pages = pages.decode(errors="replace").split("\f")[:n]
    pages += [""] * (n - len(pages))
    found, notes, scanned, reader = [], [], 0, version("pdftotext", "-v", r"version (\S+)")
    shown = min(n, MOST_SHOWN_PAGES) if options.get("pixels") else 0
    if 0 < shown < n:
        notes.append(f"Only the first {shown} pages are shown as pictures.")
    for i, text in enumerate(pages, 1):
        text = text.strip()
        if len(re.sub(r"\W", "", text)) < 3 and scanned < MOST_SCANS:
            scanned += 1
            image = drawn(path, i, 2200, "-gray")
            text = image and image_text(image) or text
        elif not text:
            notes.append(f"Page {i} has no text and was not looked at as a picture.")
        page = {"at": f"page {i}", "text": text}
        if i <= shown and (image := drawn(path, i, PAGE_SIDE)):
            page["picture"] = fitted(image, shown)
        elif i <= shown:
            notes.append(f"Page {i} cannot be shown as a picture.")
        found.append(page)
    if scanned:
        reader += ", " + tesseract()
    return {"kind": "DOCUMENT", "reader": reader, "facts": facts, "found": found, "notes": notes[:5]}


# ---- sound and film ----

DEMUXERS = {
    "audio/wav": "wav", "audio/mpeg": "mp3", "audio/aac": "aac", "audio/ogg": "ogg", "audio/flac": "flac",
    "audio/aiff": "aiff", "audio/mp4": "mov", "audio/webm": "matroska", "video/mp4": "mov",
    "video/quicktime": "mov", "video/webm": "matroska", "video/avi": "avi", "video/mpeg": "mpeg",
    "video/wmv": "asf", "video/x-flv": "flv",
}


def source(path, kind, start=0):
    """The demuxer is named, so that no file can be a playlist that names other files. Some files cannot even be sought
    to their beginning."""
    seek = ["-ss", f"{start:.3f}"] if start else []
    return ["-protocol_whitelist", "file", *seek, "-f", DEMUXERS[kind], "-i", f"file:{path}"]


def probe(path, kind):
    told = run("ffprobe", "-v", "error", "-max_pixels", str(MOST_PIXELS), "-show_format", "-show_streams", "-of",
               "json", *source(path, kind), say=f"the data is not {kind}, or is broken or cut short")
    told = json.loads(told)
    streams = told.get("streams", [])
    pictures = [s for s in streams if s.get("codec_type") == "video" and
                not s.get("disposition", {}).get("attached_pic")]
    sounds = [s for s in streams if s.get("codec_type") == "audio"]
    try:
        length = float(told["format"]["duration"])
    except (KeyError, ValueError):
        length = 0.0
    return pictures, sounds, length


def span(options, length):
    start = options.get("start") or 0
    end = options.get("end")
    if length and start >= length:
        raise Bad(f"startOffset is {start:g} s; it is only {length:.1f} s long")
    return start, end


def sound_of(path, kind, start, end, most):
    """Samples of 16 bits, 16000 a second, of at most so many seconds."""
    length = min(end - start, most) if end is not None else most
    sound = run("ffmpeg", "-v", "error", "-nostdin", "-threads", "1", *source(path, kind, start),
                "-t", f"{length:.3f}", "-vn", "-sn", "-dn", "-ac", "1", "-ar", "16000", "-f", "s16le", "-",
                most=most * 32000, say="the sound is broken or cut short")
    return sound[:len(sound) & ~1]


def sound_itself(path, kind, start, end, notes):
    """For a model that hears; None where there is too much of it, or next to nothing."""
    sound = sound_of(path, kind, start, end, MOST_HEARD_S + 1)
    if len(sound) > MOST_HEARD_S * 32000:
        notes.append(f"Of the sound only what is said: it is longer than {MOST_HEARD_S} seconds.")
        return None
    return sound if len(sound) >= 1600 else None


def transcript(path, kind, start, end, notes, needed=True):
    """What is said, as marks with times; the languages and sizes are Whisper's."""
    import numpy
    sound = sound_of(path, kind, start, end, MOST_SOUND_S)
    samples = numpy.frombuffer(sound, numpy.int16).astype(numpy.float32) / 32768
    seconds = len(samples) / 16000
    if seconds < 0.05 and not needed:
        return [], seconds, None
    if seconds < 0.05:
        raise Bad("there is no sound in it")
    if end is None and seconds >= MOST_SOUND_S - 0.1:
        notes.append(f"Only the first {MOST_SOUND_S // 60} minutes of the sound were listened to.")
    if numpy.abs(samples).max() < 0.003:
        return [], seconds, None
    # Threads that wait must not spin: the model's own threads share these cores.
    os.environ.update(OMP_WAIT_POLICY="PASSIVE", KMP_BLOCKTIME="0")
    from faster_whisper import WhisperModel
    model = WhisperModel(WHISPER, device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1,
                         local_files_only=True)
    segments, told = model.transcribe(samples, vad_filter=True, condition_on_previous_text=False)
    found = [{"at": f"{clock(start + s.start)}-{clock(start + s.end)}", "text": s.text.strip()} for s in segments]
    return [f for f in found if f["text"]], seconds, told.language if found else None


def listener():
    from importlib.metadata import version as package
    return f"{ffmpeg()}, faster-whisper {package('faster-whisper')} (base)"


def read_sound(path, kind, options):
    pictures, sounds, length = probe(path, kind)
    if not sounds:
        raise Bad("there is no sound in it")
    start, end = span(options, length)
    notes = []
    if options.get("sound") and (sound := sound_itself(path, kind, start, end, notes)):
        return {"kind": "AUDIO", "reader": ffmpeg(), "found": [{"at": "", "text": "", "sound": sound}],
                "facts": [sounds[0].get("codec_name", "sound"), f"{len(sound) / 32000:.1f} seconds"]}
    found, heard, language = transcript(path, kind, start, end, notes)
    facts = [sounds[0].get("codec_name", "sound"), f"{length or heard:.1f} seconds"]
    if language:
        facts.append(f"language: {language}")
    if not found:
        notes.append("No speech was heard.")
    return {"kind": "AUDIO", "reader": listener(), "facts": facts, "found": found, "notes": notes}


def frames(path, kind, start, end, length, fps, notes):
    """Files of pictures, with their times."""
    stop = min(x for x in (end, length or None, start + 24 * 3600) if x is not None)
    wanted = max(1, int((stop - start) * fps + 0.999))
    if wanted > MOST_FRAMES:
        fps = MOST_FRAMES / (stop - start)
        notes.append(f"{MOST_FRAMES} frames were looked at, evenly spread, not {wanted}.")
    run("ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-max_pixels", str(MOST_PIXELS),
        *source(path, kind, start), "-t", f"{max(stop - start, 0.04):.3f}", "-an", "-sn", "-dn",
        "-vf", f"fps={fps:.6f}:start_time=0:round=near,scale=w='min(1280,iw)':h=-2", "-frames:v", str(MOST_FRAMES),
        "/tmp/frame%04d.bmp", say="the video's pictures are broken or cut short")
    names = sorted(n for n in os.listdir("/tmp") if n.startswith("frame"))
    if not names:
        raise Bad("the video has no picture there")
    return [(start + i / fps, f"/tmp/{name}") for i, name in enumerate(names)]


def look_at(frames):
    """In words, those that differ from the one before."""
    from PIL import ImageChops
    found, before, last = [], None, None
    for at, name in frames:
        image = take(name)
        small = image.convert("L").resize((64, 64))
        if before is not None and max(ImageChops.difference(small, before).tobytes()) < 12:
            continue
        before = small
        text = image_text(image)
        look = (text, "" if text else colours(image))
        if look != last:
            found.append({"at": clock(at), "text": f"text: {text}" if text else f"picture: {look[1]}"})
        last = look
    return found


def show(frames):
    """All of them, for a model that sees. Where there are several in a second the marks have tenths."""
    close = len(frames) > 1 and frames[1][0] - frames[0][0] < 0.99
    mark = lambda at: clock(at) + (f".{int(at * 10 + 1e-6) % 10}" if close else "")
    return [{"at": mark(at), "text": "", "picture": fitted(take(name), len(frames))} for at, name in frames]


def read_video(path, kind, options):
    pictures, sounds, length = probe(path, kind)
    if not pictures:
        return read_sound(path, kind, options)
    start, end = span(options, length)
    notes = []
    facts = [pictures[0].get("codec_name", "video"),
             f"{pictures[0].get('width')} x {pictures[0].get('height')} pixels", f"{length:.1f} seconds"]
    taken = frames(path, kind, start, end, length, options.get("fps") or 1, notes)
    seen = show(taken) if options.get("pixels") else look_at(taken)
    reader = "" if options.get("pixels") else f"{tesseract()}, "
    heard = []
    if sounds and options.get("sound") and (sound := sound_itself(path, kind, start, end, notes)):
        heard = [{"at": "sound", "text": "", "sound": sound}]
        reader += ffmpeg()
    elif sounds:
        said, _, language = transcript(path, kind, start, end, notes, needed=False)
        heard = [{"at": s["at"], "text": f"said: {s['text']}"} for s in said]
        reader += listener()
        if language:
            facts.append(f"spoken language: {language}")
    else:
        reader += ffmpeg()
        facts.append("no sound")
    return {"kind": "VIDEO", "reader": reader, "facts": facts, "found": seen + heard, "notes": notes}


READERS = {"text": read_text, "html": read_html, "image": read_image, "pdf": read_pdf, "sound": read_sound,
           "video": read_video}


def bounded(answer):
    room, kept, cut = MOST_TEXT, [], len(answer["found"]) > MOST_FOUND
    for found in answer["found"][:MOST_FOUND]:
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", found["text"].replace("\r\n", "\n"))
        cut |= len(text) > room
        if text and not room:
            break
        found["text"] = text[:room]
        room -= len(found["text"])
        kept.append(found)
    answer["found"] = kept
    if cut:
        answer.setdefault("notes", []).append(f"It was cut after {MOST_TEXT - room} characters.")
    return answer


def send_pictures(answer):
    """Of what was found each has its size, and the pixels go by a descriptor of their own."""
    shown = [found for found in answer.get("found", []) if found.keys() & {"picture", "sound"}]
    if not shown:
        return
    with open(3, "wb") as out:
        for found in shown:
            if sound := found.pop("sound", None):
                found["samples"] = len(sound) // 2
                out.write(sound)
            else:
                image = found.pop("picture")
                found["width"], found["height"] = image.size
                out.write(image.tobytes())


def main():
    what, kind, path, options = sys.argv[1:5]
    try:
        options = json.loads(options)
        if options.get("ocr"):
            OCR.extend(["-l", options["ocr"]])
        answer = bounded(READERS[what](path, kind, options))
        send_pictures(answer)
    except Bad as e:
        answer = {"error": str(e)}
    except MemoryError:
        answer = {"error": "it takes more memory than a reader may use"}
    sys.stdout.buffer.write(json.dumps(answer).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
