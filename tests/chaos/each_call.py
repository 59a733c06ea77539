"""Ingestions that are killed before each call to the world outside, one call after the other.

Where random kills seldom strike, this strikes for sure: before every file that is opened,
written, synced, renamed or removed, every statement, and every piece that goes over the network
or comes from it. What was killed is resumed, and everything is counted:

    python tests/chaos/each_call.py --store S3
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

from connecting import connect
from counting import FIGURES, judge, look
from killing import Told
from planning import Content, Templates
from run import audited
from serving import servers

from calrecords.errors import CalRecordsError

OUTSIDE = {
    "posix": {
        *("open", "write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir"),
    },
    "fcntl": {"flock"},
    "_io": {"open", "flush", "close"},
    "sqlite3": {"execute", "executemany", "commit"},
    "_socket": {"connect", "send", "sendall", "recv_into"},
}
MOST_CALLS = 2000


def is_outside(function):
    """Return whether a built-in function does something that others can see, or waits for it."""
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None) or type(owner).__module__
    names = OUTSIDE.get(module)
    if names is None and owner is not None:
        names = next(
            (
                OUTSIDE[kind.__module__]
                for kind in type(owner).__mro__
                if kind.__module__ in OUTSIDE
            ),
            None,
        )
    return names is not None and function.__name__ in names


def killed_before(number, work):
    """Do something in a process of its own that is killed before a call; return whether it was."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _do_and_die(number, work)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status:
        msg = f"before call {number} it ended with status {status}"
        raise RuntimeError(msg)
    return False


def _do_and_die(number, work):
    left = number

    def count(_frame, event, function):
        nonlocal left
        if event == "c_call" and is_outside(function):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.setprofile(count)
        work()
        sys.setprofile(None)
        code = 0
    except CalRecordsError as error:
        sys.setprofile(None)
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


class World:
    """Contents of a kind of ingestion, each new."""

    def __init__(self, folder):
        self._folder = folder
        self._templates = Templates(folder)
        self.cal = None
        self.dies_at = None
        self.contents = []
        self.told = []

    def reached(self, step):
        """Die when that is the step to die at."""
        if step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def make(self, basename=None):
        """Return a content, of a frame of its own or as another version of one."""
        number = len(self.contents)
        name = basename or f"chaos-{number:06d}"
        data = self._templates.bytes_of(number, kind=int(name.rpartition("-")[2]))
        path = self._folder / f"{number:06d}" / f"{name}.fits"
        path.parent.mkdir()
        path.write_bytes(data)
        made = Content(number, name, path, _md5(data))
        self.contents.append(made)
        return made

    def ingest(self, content):
        """Ingest, and keep what was told."""
        result = self.cal.ingest(content.path, is_master=True)
        told = Told(SimpleNamespace(content=content), 0.0, str(result.outcome), result.frame_id)
        self.told.append(told)


def _md5(data):
    from hashlib import md5

    return md5(data).hexdigest()


def new_frame(world):
    """A file that is ingested for the first time."""
    content = world.make()
    return lambda: world.cal.ingest(content.path, is_master=True)


def new_version(world):
    """Other bytes of a frame that is there."""
    older = world.make()
    world.ingest(older)
    content = world.make(older.basename)
    return lambda: world.cal.ingest(content.path, is_master=True)


def from_memory(world):
    """A file object, which is spooled."""
    content = world.make()
    data = BytesIO(content.path.read_bytes())
    return lambda: world.cal.ingest(data, filename=content.path.name, is_master=True)


def resumption(step):
    """Return a way: what was killed when it had reached a step is killed again when resumed."""

    def resume(world):
        content = world.make()

        def die():
            world.dies_at = step
            world.cal.ingest(content.path, is_master=True)

        assert killed_before(MOST_CALLS, die)
        return lambda: world.cal.resume(basename=content.basename)

    return resume


WAYS = {way.__name__.replace("_", " "): way for way in (new_frame, new_version, from_memory)}
WAYS |= {f"resumed when {step}": resumption(step) for step in ("intended", "stored", "archived")}


def kill_at_each(world, way, stride):
    """Kill one ingestion before each call; return how many were killed."""
    for number in range(0, MOST_CALLS, stride):
        if not killed_before(number, way(world)):
            return number // stride
    msg = f"after {MOST_CALLS} calls it has not ended"
    raise RuntimeError(msg)


def run(folder, asked):
    """Return what came out, as it is printed."""
    (folder / "frames").mkdir()
    with servers(folder, with_s3=asked.store == "S3", rate=0.0, seed=0) as served:
        db = str(folder / "records.sqlite")
        world = World(folder / "frames")
        with connect(folder, served, db, 0.0, world.reached) as cal:
            world.cal = cal
            world.ingest(world.make())
            kills = {
                name: kill_at_each(world, way, asked.stride)
                for name, way in WAYS.items()
                if name in (asked.way or WAYS)
            }
            cal.resume()
            verdict = judge(world.contents, look(folder, served, db), world.told, audited(cal))
            for one in verdict.never_begun:
                world.ingest(one)
            whole = judge(world.contents, look(folder, served, db), world.told, audited(cal))
    wrong = {name: sorted({*verdict.wrong[name], *whole.wrong[name]}) for name in FIGURES}
    wrong["lost"] += [str(one) for one in whole.never_begun]
    return {
        "store": asked.store,
        "contents": len(world.contents),
        "kills": kills,
        "never_begun": len(verdict.never_begun),
        "recorded": whole.recorded,
        "unreferenced": len(whole.unreferenced),
        "wrong": wrong,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=["file system", "S3"], default="file system")
    parser.add_argument("--way", action="append", choices=list(WAYS), help="by default all")
    parser.add_argument("--stride", type=int, default=1, help="kill before each so many calls")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        came_out = run(Path(folder), asked)
    print(json.dumps(came_out, indent=2))
    sys.stdout.flush()
    os._exit(1 if any(came_out["wrong"].values()) else 0)


if __name__ == "__main__":
    main()
