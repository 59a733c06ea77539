"""A process that forks when it is told to; each child does one thing, and may die on the way.

It has no threads, so that its forks are safe, and it has read all modules, so that they are
fast. It reads one JSON object a line, and answers with one.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import CalRecordsError
from calrecords.workflows.results import IngestStep


def ends_of(verb, results):
    """Return how a verb ended, as it can be compared; `resume` gives one end for each."""
    if verb != "resume":
        return str(results.outcome)
    return [
        [Path(one.path).name.partition(".")[0], one.error and type(one.error).__name__]
        for one in results
    ]


def _warm_up():
    """Do once what every child does, for all that is only read when it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in ("db", "store", "cache")}
        with calrecords.connect(**places, archive="http://127.0.0.1:1/", token="0" * 40) as cal:
            cal.open_file(write_synthetic_frame(folder, shape=(4, 4))).digest()
            cal.query()
            cal.resume()


def opened(how, path):
    """Return what a verb is given: a path, or the bytes that are there, without a path."""
    if how == "path":
        return path
    data = io.BytesIO(Path(path).read_bytes())
    data.name = Path(path).name
    return data


def _do(asked):
    step = IngestStep(asked["step"])
    given = [opened(*one) for one in asked["given"]]
    os.environ["CALRECORDS_SPOOL_DIR"] = asked["spool"]

    def die(reached):
        if reached is step:
            os.kill(os.getpid(), signal.SIGKILL)

    with calrecords.connect(**asked["places"], on_step=die) as cal:
        try:
            return ends_of(asked["verb"], getattr(cal, asked["verb"])(*given))
        except CalRecordsError as error:
            return type(error).__name__


def _serve(line):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            os.write(writing, json.dumps(_do(json.loads(line))).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "said": json.loads(said or "null")}


class Children:
    """Lets children do things, from any process."""

    def __init__(self):
        self._parent = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, **asked):
        """Return how a child ended, and whether it was killed at the step.

        Parameters
        ----------
        **asked
            ``verb``, what it is ``given`` (pairs for `opened`), the ``step``, and in which
            ``places`` and ``spool``.
        """
        self._parent.stdin.write(json.dumps(asked) + "\n")
        self._parent.stdin.flush()
        answer = json.loads(self._parent.stdout.readline())
        assert answer["code"] in (0, -signal.SIGKILL), answer
        return answer["said"], answer["code"] != 0

    def close(self):
        self._parent.stdin.close()
        self._parent.wait(30)
        self._parent.stdout.close()


if __name__ == "__main__":
    _warm_up()
    for each in sys.stdin:
        print(json.dumps(_serve(each)), flush=True)
