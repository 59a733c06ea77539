"""Processes that fetch, and a monitor that kills them and begins others in their place."""

import json
import os
import random
import selectors
import signal
import tempfile
import time
import traceback

from fetching import work

_LONGEST_LOOK_S = 1.0
"""More does not count: if this process was stopped meanwhile, so were the others."""
HUNG_S = 60.0
"""A fetch that takes longer hangs; nothing that is waited for in it may take as long."""


class Worker:
    """A process that fetches, until it is killed or told to stop."""

    def __init__(self, ground, seed):
        self.answers, theirs = os.pipe()
        stop, self._stop = os.pipe()
        os.set_blocking(stop, False)
        self.is_at_work, self.at_work_s = False, 0.0
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
            self.is_at_work, self.at_work_s = "begin" in one, 0.0
        return said if data else None

    def stop(self):
        """Let it stop after what it is at."""
        stop, self._stop = self._stop, None
        if stop is not None:
            os.close(stop)

    def end(self, *, kill):
        """Return how it ended."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        self.stop()
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
        self._is_ending = False
        for _ in range(workers):
            self._begin()

    def run(self, fetches):
        """Go on until so many fetches have come to an end, and every process is gone."""
        kill_in_s = self._kill_every_s
        while self._figure.fetches < fetches:
            kill_in_s -= self._watch()
            if kill_in_s <= 0:
                at_work = [worker for worker in self._workers if worker.is_at_work]
                likely = at_work if at_work and self._rng.random() < 0.5 else self._workers
                self._kill(self._rng.choice(likely))
                kill_in_s = self._rng.expovariate(1 / self._kill_every_s)
        self._is_ending = True
        for worker in self._workers:
            worker.stop()
        while self._workers:
            self._watch()

    def _watch(self):
        """Hear what the processes say, and end those that hang; return the seconds it took."""
        began = time.monotonic()
        self._listen(0.02)
        passed_s = min(time.monotonic() - began, _LONGEST_LOOK_S)
        for worker in list(self._workers):
            worker.at_work_s += passed_s
            if worker.is_at_work and worker.at_work_s > HUNG_S:
                self._figure.hung.append(f"process {worker.pid}")
                self._kill(worker)
        return passed_s

    def _begin(self):
        if self._is_ending:
            return
        worker = Worker(self._ground, self._rng.getrandbits(32))
        self._workers.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _listen(self, timeout_s):
        for key, _ in self._selector.select(timeout_s):
            said = key.data.said()
            if said is None:
                self._ended(key.data)
            for one in said or ():
                self._count(one)

    def _count(self, said):
        if "damage" in said:
            self._figure.damages[said["damage"]] += 1
        elif "way" in said:
            self._figure.add(said)

    def _kill(self, worker):
        self._figure.kills += 1
        self._figure.killed_in_a_fetch += worker.is_at_work
        self._forget(worker)
        worker.end(kill=True)
        self._begin()

    def _ended(self, worker):
        self._forget(worker)
        code = worker.end(kill=False)
        if code:
            self._figure.died.append(f"process {worker.pid} ended with {code}")
        self._begin()

    def _forget(self, worker):
        self._selector.unregister(worker.answers)
        self._workers.remove(worker)
