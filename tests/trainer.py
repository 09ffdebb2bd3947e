#!/usr/bin/env python3
"""A stand-in for the trainer (POLLUX_TRAINER): the same lines and files, and nothing learned.

Its adapter has random values that depend on the examples, or, where the base is no GGUF (a script),
is a file that only has to be there. The first example's input may say what is to happen:

    !ms 50             a step takes so long (else no time)
    !little            adapts one layer only: it is made at once
    !die 3             kills itself before step 3, once
    !die-always 3      whenever it comes to step 3
    !exit 7            ends with that status at once
    !error NAME words  reports that error
    !oom               ends as one whose memory does not suffice
    !noise             writes lines that are no events
    !stubborn          ignores SIGTERM
"""

import datetime
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf_files  # noqa: E402


def say(**event):
    print(json.dumps(event), flush=True)


def main(folder):
    job = json.loads((folder / "job.json").read_text())
    examples = [json.loads(line) for line in (folder / job["examples"]).read_text().splitlines()]
    assert all(set(e) == {"textInput", "output"} for e in examples)
    wish = {}
    for example in examples:
        if example["textInput"].startswith("!"):
            word, _, rest = example["textInput"][1:].partition(" ")
            wish[word] = rest
    if "exit" in wish:
        print("it would not go", file=sys.stderr)
        sys.exit(int(wish["exit"]))
    if "oom" in wish:
        print("pollux: out of memory for 12345 bytes", file=sys.stderr, flush=True)
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()
    if "error" in wish:
        status, _, words = wish["error"].partition(" ")
        say(event="error", status=status, message=words)
        sys.exit(1)
    if "stubborn" in wish:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    total = math.ceil(len(examples) * job["epochCount"] / job["batchSize"])
    state = folder / "checkpoint.json"
    done = json.loads(state.read_text())["step"] if state.exists() else 0
    say(event="start", totalSteps=total, completedSteps=done)
    for step in range(done + 1, total + 1):
        if "noise" in wish:
            print("nothing of importance", flush=True)
        time.sleep(float(wish.get("ms", 0)) / 1000)
        if wish.get("die-always") == str(step):
            os.kill(os.getpid(), signal.SIGKILL)
        if wish.get("die") == str(step) and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        new = folder / "checkpoint.new"
        new.write_text(json.dumps({"step": step, "pid": os.getpid()}))
        new.rename(state)
        now = datetime.datetime.now(datetime.timezone.utc)
        say(event="step", step=step, epoch=(step * job["batchSize"] - 1) // len(examples) + 1,
            meanLoss=2.0 * 0.9 ** step, computeTime=now.isoformat().replace("+00:00", "Z"))
    adapter = folder / "adapter.gguf"
    if job["base"].endswith(".gguf"):
        layers = "blk.0." if "little" in wish else "blk."
        gguf_files.write_lora(adapter, job["base"], json.dumps(examples), only=lambda name: name.startswith(layers))
    else:
        adapter.write_text(json.dumps({"seen": len(examples), "from": job.get("adapter"),
                                       "nice": os.nice(0), "rate": job["learningRate"]}))
    say(event="done", adapter="adapter.gguf")


main(Path(sys.argv[1]))
