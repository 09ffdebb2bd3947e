"""The official clients made ready, and their programs run. Packages and binaries are made once and go to the
cache, keyed by the hash of what they are made from, so that a warm run starts at once.

    toolchain.py        makes all of them now (`make test` does, while the engine is being built)
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
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


def beside_packages(name, text):
    """Node looks for packages beside the file that asks: it is copied there."""
    file = node_modules() / name
    new = file.with_name(f"{name}.{os.getpid()}")  # another worker may be reading the old one
    new.write_text(text)
    new.rename(file)
    return file


def js(name):
    for source in (HERE / "js").glob("*.mjs"):
        beside_packages(source.name, source.read_text())
    return [tool("node"), str(node_modules() / f"{name}.mjs")]


def go(source=HERE / "go", kind="go"):
    tool("go")
    sources = [source / "main.go", HERE / "go" / "go.mod", HERE / "go" / "go.sum"]

    def make(folder):
        for path in sources:
            shutil.copy(path, folder)
        run("go", "build", "-trimpath", "-o", "runner", ".", cwd=folder)
    return [str(cached(kind, sources, make) / "runner")]


@cache
def go_samples(page):
    """The folder of the page's samples (seeds/samples), all in one build, each a command of the module. Page 004
    has snippets, whose frame is legacy_go/main.go."""
    tool("go")
    seeds = HERE / "seeds"
    frame = seeds / "legacy_go" / "main.go" if page == "004" else None
    module = [(seeds / "legacy_go" if frame else HERE / "go") / f for f in ("go.mod", "go.sum")]
    sources = sorted((seeds / "samples").glob(f"{page}*.go"))

    def make(folder):
        for path in module:
            shutil.copy(path, folder)
        for path in sources:
            # A sample reads a file of its author's; ours lies where it runs.
            text = path.read_text().replace("/path/to/organ.jpg", "organ.jpg")
            (folder / path.stem).mkdir()
            (folder / path.stem / "main.go").write_text(
                frame.read_text().replace("// SAMPLE", text) if frame else text)
        (folder / "bin").mkdir()
        run("go", "build", "-o", "bin/", "./...", cwd=folder)
    return cached(f"gosamples{page}", [*module, *sources, *([frame] if frame else [])], make) / "bin"


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


# ---- programs of the clients ----


def program(path):
    """The command of one in Python or JavaScript."""
    if path.suffix == ".py":
        return [sys.executable, path]
    return [tool("node"), beside_packages(f"{path.parent.name}_{path.name}", path.read_text())]


@cache
def forks():
    return subprocess.Popen([sys.executable, HERE / "py" / "forks.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


def ended(words, server, folder, seconds=180, **env):
    """The process of a client's program after its end. Those in Python share what they import (py/forks.py)."""
    words = list(map(str, words))
    env = {**os.environ, "BASE": server.base, "NODE_NO_WARNINGS": "1", "API_KEY": "k", "GOOGLE_API_KEY": "k", **env}
    if words[0] != sys.executable:
        return subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept) / "out", Path(kept) / "err"
        job = {"argv": words[1:], "env": env, "cwd": str(folder), "out": str(out), "err": str(err), "seconds": seconds}
        forks().stdin.write(json.dumps(job) + "\n")
        forks().stdin.flush()
        status = int(forks().stdout.readline())
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


def said(words, server, folder, **env):
    """What it printed; it must not fail."""
    done = ended(words, server, folder, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(words, server, folder, **env):
    """The JSON of its last line."""
    return json.loads(said(words, server, folder, **env).splitlines()[-1])


CLIENTS = {
    "python": lambda: python("genai"),
    "python-legacy": lambda: python("legacy"),
    "js": lambda: js("genai"),
    "js-legacy": lambda: js("legacy"),
    "go": go,
    "java": java,
}


def main():
    for make in (*CLIENTS.values(), lambda: go(HERE / "safety", "gosafety"), lambda: go_samples("000"),
                 lambda: go_samples("004")):
        try:
            make()
        except Missing as missing:
            print(f"sdk: {missing}: its clients are left out", file=sys.stderr)


if __name__ == "__main__":
    main()
