"""The command line under test: what it finds in its environment, and a terminal for it."""

import os
import pty
import re
import select
import signal
import struct
import termios
import time
from fcntl import ioctl

from pollux import BINARY, PATIENCE

COMPLAINT = re.compile(r"(Sanitizer|runtime error:|Assertion .* failed)")


def environment(tmp_path, **more):
    """Nothing of the tester's own: no keys, no history, no colours."""
    keep = {k: v for k, v in os.environ.items()
            if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_")) or k in ("PATH", "LANG")}
    return {**keep, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"),
            "TERM": "xterm", **more}


class Terminal:
    """The binary on a pseudo-terminal of its own."""

    def __init__(self, env, *args):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(str(BINARY), [str(BINARY), *args], env)
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def key(self, text, seconds=10):
        """Typed when the line editor has the terminal: before that, the terminal itself would
        take Ctrl-D, and the editor would find a NUL in its place."""
        deadline = time.monotonic() + seconds * PATIENCE
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < deadline, "no line is being edited"
            self.more(0.02)
        self.send(text)

    def line(self, text):
        self.send(text + "\n")

    def more(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, mark, seconds=10):
        """What was printed up to and with the mark (a regular expression)."""
        deadline = time.monotonic() + seconds * PATIENCE
        while not (found := re.search(mark, self.seen)):
            assert time.monotonic() < deadline, f"no {mark!r} in {self.seen!r}"
            self.more(0.1)
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return before

    def end(self, seconds=10):
        """What is left to read, and the exit status."""
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            self.more(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                while self.more(0.05):
                    pass
                assert not COMPLAINT.search(self.seen), self.seen
                return self.seen, os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it does not end: {self.seen!r}")

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
