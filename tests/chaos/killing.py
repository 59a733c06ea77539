"""Many processes at work, and a monitor that kills them and begins others in their place."""

import heapq
import json
import os
import random
import selectors
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO

from planning import Resumption

from calrecords.errors import CalRecordsError

STUCK_S = 90.0
"""An ingestion that takes longer than this hangs."""

# Python 3.12 warns of every fork of a process with threads, which ours is about
warnings.filterwarnings("ignore", ".*multi-threaded.*fork.*", DeprecationWarning)


@dataclass
class Told:
    """What the monitor was told of one ingestion, or that it killed it."""

    task: object
    began: float
    end: str = ""
    frame_id: int | None = None
    took_s: float = 0.0

    @property
    def is_success(self):
        return self.frame_id is not None


@dataclass
class Toll:
    """What happened."""

    kills: int = 0
    told: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    stuck: list = field(default_factory=list)
    died: list = field(default_factory=list)


class Slot:
    """A place at which one process after the other works.

    Attributes
    ----------
    place : int
        Which of the places.
    pid : int
        Of the process that works here now.
    at_work : Told or None
        What it is at.
    """

    def __init__(self, place, work, others):
        self.place = place
        self.at_work = None
        tasks, self._to_child = os.pipe()
        self.answers, to_us = os.pipe()
        self._rest = b""
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                for fd in (self._to_child, self.answers):
                    os.close(fd)
                for other in others:
                    other.close()
                _work(work, tasks, to_us)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(tasks)
        os.close(to_us)

    def give(self, task):
        self.at_work = Told(task, time.monotonic())
        os.write(self._to_child, b"%d\n" % task.number)

    def read(self):
        """Return the answers that are there, and whether the process has ended."""
        data = os.read(self.answers, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines], not data

    def close(self):
        for fd in (self._to_child, self.answers):
            os.close(fd)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def end(self):
        """Let a process with nothing to do go; return how it ended."""
        os.close(self._to_child)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.answers)
        return status


def _work(work, tasks, to_us):
    with os.fdopen(tasks) as lines:
        for line in lines:
            answer = json.dumps(work(int(line)))
            os.write(to_us, answer.encode() + b"\n")


def ingesting(cal, plan, seed):
    """Return a function that ingests what a task of the plan says, and tells what came out."""

    resume = resuming(cal)

    def work(number):
        task = plan.tasks[number]
        if isinstance(task, Resumption):
            return resume(number)
        if hasattr(cal.store, "draw"):
            cal.store.draw = random.Random(f"{seed} {number}")
        source, named = task.content.path, {}
        if task.from_memory:
            source, named = BytesIO(source.read_bytes()), {"filename": source.name}
        try:
            result = cal.ingest(source, is_master=True, **named)
        except CalRecordsError as error:
            return {"end": type(error).__name__, "frame_id": None}
        except Exception:
            return {"end": traceback.format_exc(), "frame_id": None, "foreign": True}
        return {"end": str(result.outcome), "frame_id": result.frame_id}

    return work


def resuming(cal):
    """Return a function that resumes what is unfinished, and tells how much that was."""

    def work(_number):
        try:
            ends = Counter(str(result.outcome) for result in cal.resume())
        except CalRecordsError as error:
            return {"end": type(error).__name__, "frame_id": None}
        return {"end": ", ".join(f"{n} {end}" for end, n in ends.items()), "frame_id": None}

    return work


class Monitor:
    """Hands out the tasks of a plan, and kills whom the plan says.

    Parameters
    ----------
    work : callable
        What a process does with the number of a task; returns what is told of it.
    workers : int
        How many processes are at work at once.
    """

    def __init__(self, work, workers):
        self._work = work
        self._workers = workers
        self._slots = {}
        self._due = []
        self._usual_s = 0.05
        self.toll = Toll()

    def run(self, tasks, progress=lambda toll: None):
        """Let all tasks be begun, each once; those that are killed are not begun again."""
        left = iter(tasks)
        with selectors.DefaultSelector() as self._ready:
            for place in range(self._workers):
                self._begin(place, left)
            while self._slots:
                wait_s = self._due[0][0] - time.monotonic() if self._due else 1.0
                for key, _ in self._ready.select(max(0.0, min(wait_s, 0.1))):
                    self._hear(key.data, left)
                self._strike(left)
                progress(self.toll)
        return self.toll

    def _begin(self, place, left):
        task = next(left, None)
        if task is None:
            return
        slot = Slot(place, self._work, self._slots.values())
        self._slots[place] = slot
        self._ready.register(slot.answers, selectors.EVENT_READ, slot)
        self._give(slot, task)

    def _give(self, slot, task):
        slot.give(task)
        if task.kill_after is not None:
            at = slot.at_work.began + task.kill_after * self._usual_s
            heapq.heappush(self._due, (at, task.number, slot.place))

    def _hear(self, slot, left):
        if self._slots.get(slot.place) is not slot:
            return
        answers, has_ended = slot.read()
        for answer in answers:
            told = slot.at_work
            told.end, told.frame_id = answer["end"], answer["frame_id"]
            told.took_s = time.monotonic() - told.began
            self._usual_s += 0.05 * (min(told.took_s, 0.5) - self._usual_s)
            self.toll.told.append(told)
            if answer.get("foreign"):
                self.toll.foreign.append(told)
            slot.at_work = None
            task = next(left, None)
            if task is None:
                self._retire(slot)
                return
            self._give(slot, task)
        if has_ended:
            self.toll.died.append(slot.at_work)
            self._replace(slot, left)

    def _retire(self, slot):
        self._ready.unregister(slot.answers)
        del self._slots[slot.place]
        if slot.end():
            self.toll.died.append(None)

    def _strike(self, left):
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, place = heapq.heappop(self._due)
            if place in self._slots:
                self._kill(self._slots[place], left)
        for slot in list(self._slots.values()):
            if slot.at_work and now - slot.at_work.began > STUCK_S:
                self.toll.stuck.append(slot.at_work)
                self._kill(slot, left)

    def _kill(self, slot, left):
        slot.kill()
        self.toll.kills += 1
        told = slot.at_work
        told.end, told.took_s = "killed", time.monotonic() - told.began
        self.toll.told.append(told)
        self._replace(slot, left)

    def _replace(self, slot, left):
        self._ready.unregister(slot.answers)
        del self._slots[slot.place]
        slot.close()
        self._begin(slot.place, left)
