"""A process that answers one line with one line, and may crash, hang or talk nonsense."""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from calrecords.forking import start_anew_after_fork

MAX_ANSWER_BYTES = 1 << 16

_inherited: list[subprocess.Popen[bytes]] = []
"""Processes of the parent process: never asked, and never ended, from here."""


class LineProcess:
    """One process for many questions, started at the first and again after it has failed.

    It may be shared between threads, which then wait for each other.

    Parameters
    ----------
    command : sequence of str
        What to run; it reads lines from its input, and prints a line for each.
    environment : mapping
        All that it gets to know of this process.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        start_anew_after_fork(self)
        atexit.register(self.end)

    def start_anew(self) -> None:
        """Leave the parent its process, and take a lock that no thread of it holds."""
        self._lock = threading.Lock()
        if self._process is not None:
            _inherited.append(self._process)
            for pipe in _pipes(self._process):
                pipe.close()
        self._process = None

    def ask(self, question: str, timeout_s: float) -> bytes:
        """Return the answer to a question of one line, at most `MAX_ANSWER_BYTES` of it.

        Raises
        ------
        ValueError
            If the process ends without an answer.
        TimeoutError
            If it takes longer than `timeout_s`.
        OSError
            If it cannot be started.
        """
        with self._lock:
            is_reused = self._process is not None and self._process.poll() is None
            try:
                return self._answer(question, timeout_s)
            except ValueError:
                self._end()
                if not is_reused:  # else it may have ended since it was last asked
                    raise
            return self._answer(question, timeout_s)

    def end(self) -> None:
        """End the process; the next question starts another."""
        with self._lock:
            self._end()

    def _answer(self, question: str, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        process = self._running()
        stdin, stdout = _pipes(process)
        with suppress(BrokenPipeError):  # it has ended, and what it leaves to be read says so
            stdin.write(question.encode() + b"\n")
            stdin.flush()
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < MAX_ANSWER_BYTES:
            ready, _, _ = select.select([stdout], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                self._end()
                msg = f"it timed out after {timeout_s:g} s"
                raise TimeoutError(msg)
            chunk = os.read(stdout.fileno(), MAX_ANSWER_BYTES - len(answer))
            if not chunk:
                break
            answer += chunk
        if not answer:
            msg = f"the process that computes it ended with {process.wait()}"
            raise ValueError(msg)
        if not answer.endswith(b"\n"):
            self._end()
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started itself ends with it
        process.wait()
        for pipe in _pipes(process):
            with suppress(OSError):
                pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
