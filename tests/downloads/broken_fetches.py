"""Fetches frames in many processes that are killed, from an archive on which nothing is sure.

Run it for the figure of the README:

    python tests/downloads/broken_fetches.py --fetches 10000
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import selectors
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fetching import Ground, work

import calrecords
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.testing import Fault, ScienceArchive

FRAMES = 24
HUNG_S = 60.0
"""A fetch that takes longer hangs; nothing that is waited for in it may take as long."""
FILE_FAULTS = (
    *(Fault("500"), Fault("503"), Fault("429"), Fault("403"), Fault("reset")),
    *(Fault("lost-answer"), Fault("delay", seconds=0.05), Fault("drip", seconds=0.002)),
    *(Fault("login-page"), Fault("not-json"), Fault("truncated"), Fault("unannounced-end")),
    *(Fault("no-length"), Fault("short-length"), Fault("corrupted"), Fault("truncated")),
)
FRAME_FAULTS = (
    *(Fault("500"), Fault("503"), Fault("reset"), Fault("login-page"), Fault("not-json")),
    *(Fault("truncated"), Fault("corrupted"), Fault("stale", seconds=3600.0)),
)


@dataclass
class Figure:
    """What came out."""

    fetches: int = 0
    returned: int = 0
    wrong: list = field(default_factory=list)
    gone: int = 0
    refused: Counter = field(default_factory=Counter)
    messages: dict = field(default_factory=dict)
    foreign: list = field(default_factory=list)
    ways: Counter = field(default_factory=Counter)
    damages: Counter = field(default_factory=Counter)
    met: Counter = field(default_factory=Counter)
    kills: int = 0
    killed_in_a_fetch: int = 0
    died: list = field(default_factory=list)
    hung: list = field(default_factory=list)
    slowest_s: float = 0.0
    strays: int = 0
    strays_left: list = field(default_factory=list)
    not_had_at_last: list = field(default_factory=list)
    took_s: float = 0.0

    @property
    def is_perfect(self):
        bad = (self.wrong, self.gone, self.foreign, self.died, self.hung)
        return not any((*bad, self.strays_left, self.not_had_at_last))

    def add(self, said):
        """Count what a process said of one fetch."""
        self.fetches += 1
        self.ways[said["way"]] += 1
        self.slowest_s = max(self.slowest_s, said["took_s"])
        if "error" in said:
            self.refused[said["error"]] += 1
            self.messages.setdefault(said["error"], said["message"])
        elif "foreign" in said:
            self.foreign.append(said["foreign"])
        else:
            self.returned += 1
            self.gone += said["found"] == "gone"
            if not said["is_right"] and said["found"] != "gone":
                self.wrong.append(said)


@contextmanager
def served(folder):
    """Give a pipe to an archive in a process of its own, so that this one has no threads."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, theirs, ours))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(30)


def _serve(folder, pipe, theirs):
    theirs.close()
    with ScienceArchive(files=folder / "store", database=folder / "archive.db") as archive:
        pipe.send((archive.root, archive.token))
        with suppress(EOFError):
            while True:
                seed = pipe.recv()
                pipe.send(archive.faults.met())
                archive.faults.clear()
                if seed is None:
                    continue
                elsewhere = archive.root + "frames/1/"
                faults = (*FILE_FAULTS, Fault("redirect", location=elsewhere))
                for some, path, rate in (
                    (faults, "/files/*", 0.4),
                    (FRAME_FAULTS, "/frames/*", 0.1),
                ):
                    some = [Fault(f.kind, "GET", path, 1, 0, f.seconds, f.location) for f in some]
                    archive.faults.scatter(some, rate=rate, seed=seed)


def make_ground(folder, pipe):
    """Fill an archive with frames that one site has in its store, and another knows of."""
    root, token = pipe.recv()
    os.environ["AUTH_TOKEN"] = token
    md5s, size = {}, 0
    for name in ("tmp", "frames", "no-store"):
        (folder / name).mkdir()
    with (
        calrecords.connect(
            db=folder / "home.sqlite", archive=root, store=folder / "store", cache=folder / "cache"
        ) as home,
        calrecords.connect(
            db=folder / "away.sqlite",
            archive=root,
            store=folder / "no-store",
            cache=folder / "cache",
        ) as away,
    ):
        for number in range(FRAMES):
            side = (30, 100, 300)[number % 3]
            path = write_synthetic_frame(
                folder / "frames", basename=f"frame-{number}", seed=number, shape=(side, side)
            )
            frame = home.ingest(path, is_master=True).frame
            away.adopt(frame.frame_id)
            md5s[frame.basename] = hashlib.md5(path.read_bytes()).hexdigest()
            size += path.stat().st_size
    return Ground(folder, root, token, md5s, size * 2 // 3)


class Worker:
    """A process that fetches, until it is killed or told to stop."""

    def __init__(self, ground, seed):
        self.answers, theirs = os.pipe()
        stop, self._stop = os.pipe()
        os.set_blocking(stop, False)
        self.begun = None
        self._rest = b""
        self.pid = os.fork()
        if self.pid == 0:
            self._work(ground, seed, theirs, stop)
        os.close(theirs)
        os.close(stop)

    def _work(self, ground, seed, answers, stop):
        code = 1
        try:
            os.close(self._stop)
            os.environ["TMPDIR"] = tempfile.tempdir = str(ground.temporary)
            work(ground, seed, answers, lambda: _is_closed(stop))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def said(self):
        """Return what the process said since; None once it has ended."""
        data = os.read(self.answers, 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        said = [json.loads(line) for line in lines]
        for one in said:
            self.begun = time.monotonic() if "begin" in one else None
        return said if data else None

    def stop(self):
        """Let it stop after what it is at."""
        os.close(self._stop)

    def end(self, *, kill):
        """Return how it ended."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
            os.close(self._stop)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.answers)
        return os.waitstatus_to_exitcode(status)


def _is_closed(stop):
    try:
        return os.read(stop, 1) == b""
    except BlockingIOError:
        return False


class Monitor:
    """Keeps processes at work, kills them at random, and counts what they say.

    Parameters
    ----------
    ground : Ground
        Where everything is.
    figure : Figure
        What it counts in.
    seed : int
        Which fetches, and which kills.
    workers : int
        How many processes at a time.
    kill_every_s : float
        Seconds between two kills, on average.
    """

    def __init__(self, ground, figure, *, seed, workers, kill_every_s):
        self._ground = ground
        self._figure = figure
        self._rng = random.Random(seed)
        self._kill_every_s = kill_every_s
        self._selector = selectors.DefaultSelector()
        self._workers = []
        for _ in range(workers):
            self._begin()

    def run(self, fetches):
        """Go on until so many fetches have come to an end, and every process is gone."""
        kill_at = time.monotonic() + self._kill_every_s
        while self._figure.fetches < fetches:
            self._listen(0.02)
            if time.monotonic() >= kill_at:
                at_work = [worker for worker in self._workers if worker.begun is not None]
                likely = at_work if at_work and self._rng.random() < 0.5 else self._workers
                self._kill(self._rng.choice(likely))
                kill_at = time.monotonic() + self._rng.expovariate(1 / self._kill_every_s)
            for worker in list(self._workers):
                if worker.begun is not None and time.monotonic() - worker.begun > HUNG_S:
                    self._figure.hung.append(f"process {worker.pid}")
                    self._kill(worker)
        for worker in self._workers:
            worker.stop()
        while self._workers:
            self._listen(1.0, again=False)

    def _begin(self):
        worker = Worker(self._ground, self._rng.getrandbits(32))
        self._workers.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _listen(self, timeout_s, *, again=True):
        for key, _ in self._selector.select(timeout_s):
            said = key.data.said()
            if said is None:
                self._ended(key.data, again=again)
            for one in said or ():
                self._count(one)

    def _count(self, said):
        if "damage" in said:
            self._figure.damages[said["damage"]] += 1
        elif "way" in said:
            self._figure.add(said)

    def _kill(self, worker):
        self._figure.kills += 1
        self._figure.killed_in_a_fetch += worker.begun is not None
        self._forget(worker)
        worker.end(kill=True)
        self._begin()

    def _ended(self, worker, *, again):
        self._forget(worker)
        code = worker.end(kill=False)
        if code:
            self._figure.died.append(f"process {worker.pid} ended with {code}")
        if again:
            self._begin()

    def _forget(self, worker):
        self._selector.unregister(worker.answers)
        self._workers.remove(worker)


def strays(ground):
    """Return what is in the cache and among temporary files that is no frame."""
    names = {f"{basename}.fits" for basename in ground.md5s}
    files = [path for path in ground.cache.rglob("*") if path.is_file() and path.name not in names]
    return [str(path.relative_to(ground.folder)) for path in files] + [
        str(path.relative_to(ground.folder)) for path in ground.temporary.rglob("*")
    ]


def look_after(ground, figure):
    """Clean the cache, and fetch everything once more while nothing breaks."""
    figure.strays = len(strays(ground))
    tempfile.tempdir = str(ground.temporary)
    with ground.client() as client, ground.connect("away", client) as cal:
        cal.cache.verify()
        figure.strays_left = strays(ground)
        assert cal.cache.verify() == []
        for basename, md5 in ground.md5s.items():
            if hashlib.md5(cal.fetch(basename).read_bytes()).hexdigest() != md5:
                figure.not_had_at_last.append(basename)
        figure.strays_left += strays(ground)


def measure(folder, fetches, *, seed=0, workers=4, kill_every_s=0.25):
    """Return what comes of so many fetches; records, cache and store are made in a folder."""
    figure, began = Figure(), time.monotonic()
    with served(folder) as pipe:
        ground = make_ground(folder, pipe)
        pipe.send(seed)
        pipe.recv()
        monitor = Monitor(ground, figure, seed=seed, workers=workers, kill_every_s=kill_every_s)
        monitor.run(fetches)
        pipe.send(None)
        figure.met.update(pipe.recv())
        look_after(ground, figure)
    figure.took_s = time.monotonic() - began
    return figure


def said(figure):
    """Yield the lines of a figure."""

    def counted(counter):
        return ", ".join(f"{count} {name}" for name, count in counter.most_common())

    yield (
        f"{figure.fetches} fetches, {figure.kills} kills, {figure.killed_in_a_fetch} of them in a "
        f"fetch; {figure.met.total()} faults met, {figure.damages.total()} damages to the cache"
    )
    yield (
        f"returned {figure.returned}, wrong {len(figure.wrong)}, gone before it was read "
        f"{figure.gone}; hung {len(figure.hung)}, slowest {figure.slowest_s:.1f} s of {HUNG_S:g}"
    )
    yield (
        f"errors {figure.refused.total()}, not ours {len(figure.foreign)}; strays {figure.strays}, "
        f"left after cleaning {len(figure.strays_left)}; all took {figure.took_s:.0f} s"
    )
    yield f"ways: {counted(figure.ways)}"
    yield f"faults: {counted(figure.met)}"
    yield f"damages: {counted(figure.damages)}"
    yield f"errors: {counted(figure.refused)}"
    yield from (f"for example {name}: {one}" for name, one in figure.messages.items())
    for name in ("wrong", "foreign", "died", "hung", "strays_left", "not_had_at_last"):
        yield from (f"{name}: {one}" for one in getattr(figure, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fetches", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4, help="processes at a time")
    parser.add_argument("--kill-every", type=float, default=0.25, help="seconds, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figure = measure(
            Path(folder),
            asked.fetches,
            seed=asked.seed,
            workers=asked.workers,
            kill_every_s=asked.kill_every,
        )
    if asked.json:
        print(json.dumps({**vars(figure), "is_perfect": figure.is_perfect}, indent=2))
    else:
        print(*said(figure), sep="\n")
    sys.exit(0 if figure.is_perfect else 1)


if __name__ == "__main__":
    main()
