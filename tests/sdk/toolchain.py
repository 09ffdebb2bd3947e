"""The runners of cases.py, made ready once: packages and binaries go to the cache, keyed by the
hash of what they are made from, so that a warm run starts at once."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pollux" / "sdk"


class Missing(Exception):
    """The language's own tools are not on this machine."""


def tool(name):
    if not shutil.which(name):
        raise Missing(f"{name} is not installed")
    return name


def cached(kind, sources, make):
    """The folder CACHE/kind-HASH, filled by make(folder) when it is not there yet."""
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = CACHE / f"{kind}-{digest.hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{kind}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            make(new)
            new.rename(folder)
    return folder


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, timeout=900, **more)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def python(name):
    return [sys.executable, str(HERE / "py" / f"{name}.py")]


def node_modules():
    tool("npm")
    pins = [HERE / "js" / f for f in ("package.json", "package-lock.json", ".npmrc")]

    def make(folder):
        for pin in pins:
            shutil.copy(pin, folder)
        run("npm", "ci", cwd=folder)
    return cached("js", pins, make)


def js(name):
    """Node looks for packages beside the file that asks: the runners are copied there."""
    folder = node_modules()
    for source in (HERE / "js").glob("*.mjs"):
        new = folder / f"{source.name}.{os.getpid()}"  # another worker may be reading the old one
        shutil.copy(source, new)
        new.rename(folder / source.name)
    return [tool("node"), str(folder / f"{name}.mjs")]


def go(source=HERE / "go", kind="go"):
    tool("go")
    sources = [source / "main.go", HERE / "go" / "go.mod", HERE / "go" / "go.sum"]

    def make(folder):
        for path in sources:
            shutil.copy(path, folder)
        run("go", "build", "-trimpath", "-o", "runner", ".", cwd=folder)
    return [str(cached(kind, sources, make) / "runner")]


def java():
    tool("java"), tool("javac"), tool("mvn")
    sources = [HERE / "java" / f for f in ("pom.xml", "libs.sha256", "Runner.java")]

    def libraries(folder):
        run("mvn", "-B", "-q", "-ntp", "-f", HERE / "java" / "pom.xml",
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
            "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
        wanted = dict(reversed(line.split()) for line in
                      (HERE / "java" / "libs.sha256").read_text().splitlines())
        came = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.jar")}
        if came != wanted:
            raise RuntimeError(f"not what libs.sha256 pins: {sorted(set(came.items()) ^ set(wanted.items()))}")
    jars = cached("javalib", sources[:2], libraries)

    def make(folder):
        run("javac", "-encoding", "UTF-8", "-cp", f"{jars}/*", "-d", folder, sources[2])
    classes = cached("java", sources, make)
    return [tool("java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
            "-cp", f"{classes}:{jars}/*", "Runner"]


CLIENTS = {
    "python": lambda: python("genai"),
    "python-legacy": lambda: python("legacy"),
    "js": lambda: js("genai"),
    "js-legacy": lambda: js("legacy"),
    "go": go,
    "java": java,
}
