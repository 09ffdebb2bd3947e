"""Runs Python programs as if each were started by itself, but for the second or two that it takes to import
the clients: that is done once, here, and each program gets a fork of this process.

On standard input comes a line of JSON for each, {"argv", "env", "cwd", "out", "err", "seconds"}: what it is started
with, the files of its standard output and error, and when it is ended. On standard output goes its exit status.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import sys
import threading
import traceback
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import google.genai
    import google.generativeai  # noqa: F401

# What it only gets ready when it is first used.
google.genai.Client(api_key="k").interactions  # noqa: B018
for message in ("GenerateContentConfig", "GenerateContentResponse", "Content"):
    getattr(google.genai.types, message).model_rebuild()


def become(job):
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for fd, path in enumerate((os.devnull, job["out"], job["err"])):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, fd)
        os.close(file)
    sys.argv = job["argv"]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    signal.alarm(job["seconds"])


def serve():
    """The program to run, in a fork; None when no more comes."""
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            become(job)
            return job["argv"][0]
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


def run_whole(program):
    """As the interpreter does, but for taking itself apart in the end: that would copy all that is shared."""
    status = 0
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:  # as it would end the program
        traceback.print_exc()
        status = 1
    threading._shutdown()  # waits for its threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


gc.freeze()  # what was imported stays shared memory
if program := serve():
    run_whole(program)
