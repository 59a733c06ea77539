"""One thread that begins what is due later, so that short work needs no thread of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import Condition, Thread

from calrecords.forking import start_anew_after_fork

_IDLE_S = 5.0


class Reminders:
    """Calls functions at their times, unless they are called off before.

    The functions should return at once: all share one thread, which ends when it has had
    nothing to do for a while.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leave to the parent process what it wants to be reminded of."""
        self._changed = Condition()
        self._waiting: dict[int, tuple[float, Callable[[], None]]] = {}
        self._thread: Thread | None = None
        self._wakes_at = 0.0

    def after(self, delay_s: float, begin: Callable[[], None]) -> int:
        """Have a function called after some seconds; return the number of this reminder."""
        number = next(self._numbers)
        with self._changed:
            due = time.monotonic() + delay_s
            self._waiting[number] = (due, begin)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="calrecords-reminders", daemon=True)
                self._thread.start()
            elif due < self._wakes_at:
                self._changed.notify()
        return number

    def call_off(self, number: int) -> None:
        """Forget a reminder, if it has not been called yet."""
        with self._changed:
            self._waiting.pop(number, None)

    def _run(self) -> None:
        while (due := self._taken_due()) is not None:
            for begin in due:
                begin()

    def _taken_due(self) -> list[Callable[[], None]] | None:
        """Sleep until something may be due, and take it out; None after a while of idleness.

        What comes meanwhile and is due later wakes nobody.
        """
        changed = self._changed
        with changed:
            was_idle = not self._waiting
            first = min((due for due, _ in self._waiting.values()), default=None)
            now = time.monotonic()
            self._wakes_at = now + _IDLE_S if first is None else first
            if self._wakes_at > now:
                changed.wait(self._wakes_at - now)
            if changed is not self._changed:
                return None
            if was_idle and not self._waiting:
                self._thread = None
                return None
            now = time.monotonic()
            numbers = [number for number, (due, _) in self._waiting.items() if due <= now]
            return [self._waiting.pop(number)[1] for number in numbers]
