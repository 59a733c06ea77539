"""Processes that use hostile files, each file with a limit of time and of memory."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 2.0
"""What one use of one file may take."""
BYTES = 200 << 20
"""What a process that uses them may have in memory at any time, all that it is made of included."""
HUNG_S = 20.0
"""When a process is ended that does not answer."""
_LOOK_S = 0.5
_MOST_FILES = 2_000
"""After so many a process is replaced, as its peak of memory says nothing of one file."""


@dataclass
class Use:
    """What came of one use of one file.

    Attributes
    ----------
    verb : str
        What was done with it.
    outcome : str
        ``taken``, or the name of the error.
    message : str
        Of the error.
    faults : list of str
        What was not as it should be.
    seconds, cpu_seconds : float
        How long it took, by the clock and by the processor.
    peak_bytes : int
        The most that the process had resident so far.
    """

    verb: str
    outcome: str
    message: str = ""
    faults: list = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def judged(self):
        """Return it with the limits that it broke among its faults.

        Time is that of the processor, so that a busy machine is not taken for a slow program.
        """
        if self.cpu_seconds > SECONDS:
            self.faults.append(f"it took {self.cpu_seconds:.1f} s of computing")
        if self.peak_bytes > BYTES:
            self.faults.append(f"the process had {self.peak_bytes / 2**20:.0f} MiB in memory")
        return self


class Child:
    """One process at a time that uses files, and another when that has ended.

    Parameters
    ----------
    folder : Path
        Where it may write, with a folder for temporary files in it.
    places : mapping
        Arguments of `calrecords.connect`.
    """

    def __init__(self, folder, places):
        self._folder = folder
        self._places = places
        self._process = None
        self._used = 0
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()

    def use(self, path, verbs):
        """Return what came of each use of a file; the last one may have ended the process."""
        process = self.start()
        question = json.dumps({"path": str(path), "verbs": list(verbs)})
        process.stdin.write(question.encode() + b"\n")
        process.stdin.flush()
        began = time.monotonic()
        answer = self._line(process, HUNG_S * len(verbs))
        took = time.monotonic() - began
        self._used += 1
        if answer is None:
            process.kill()
            ended = process.wait()
            said = "it hung" if ended == -signal.SIGKILL else f"the process ended with {ended}"
            self.end()
            return [Use("/".join(verbs), "ended", faults=[said], seconds=took)]
        used = [Use(**one).judged() for one in json.loads(answer)]
        if any(one.faults for one in used) or self._used >= _MOST_FILES:
            self.end()
        return used

    def end(self):
        """End the process, by force where it does not of itself."""
        process, self._process, self._used = self._process, None, 0
        if process is None:
            return
        process.stdin.close()
        try:
            process.wait(HUNG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def start(self):
        """Return the process, ready to use files."""
        if self._process is None or self._process.poll() is not None:
            self.end()
            script = Path(__file__).with_name("child.py")
            command = [sys.executable, str(script), str(self._folder), json.dumps(self._places)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=self._folder,
                env={**os.environ, "TMPDIR": str(self.temporary), "HOME": str(self._folder)},
            )
            assert self._line(self._process, 600.0) is not None, "no child can be started"
        return self._process

    def _line(self, process, timeout_s):
        """Return a line of a process; None where it ends, or none comes in time.

        Looks are counted, not seconds: if this process was stopped, so was that one.
        """
        line, looks = b"", timeout_s / _LOOK_S
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], _LOOK_S)[0]:
                looks -= 1
                if looks <= 0:
                    return None
                continue
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                return None
            line += piece
        return line
