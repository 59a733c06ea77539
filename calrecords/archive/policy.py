"""When a request is sent again: one policy, which looks for `TransientError` only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    BaseRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from calrecords.errors import TransientError

LONGEST_WAIT_S = 60.0
"""A server that asks for a longer wait, in seconds, is not waited for, unless one says so."""

_T = TypeVar("_T")
_logger = logging.getLogger(__name__)
_backoff = wait_random_exponential(multiplier=0.5, max=15)


def default_retrying(
    *, attempts: int = 5, total_s: float = 300.0, longest_wait_s: float = LONGEST_WAIT_S
) -> Retrying:
    """Return the policy that an `ArchiveClient` uses unless it is given another.

    Waits grow and are spread at random, or are as long as the server asks. A server that
    asks for more than ``longest_wait_s`` is believed and not tried again, and no wait is
    begun that would end after ``total_s``: the error carries ``retry_after_s``.

    Parameters
    ----------
    attempts : int
        How often a request is sent at most.
    total_s : float
        Seconds, from the first attempt, after which none is begun.
    longest_wait_s : float
        Seconds that a server may ask us to wait. A throttled archive asks for up to a day.

    Examples
    --------
    A policy that never waits, for tests:

    >>> policy = default_retrying().copy(sleep=lambda seconds: None)
    """

    def is_worth_another_try(error: BaseException) -> bool:
        if not isinstance(error, TransientError):
            return False
        return error.retry_after_s is None or error.retry_after_s <= longest_wait_s

    return Retrying(
        retry=retry_if_exception(is_worth_another_try),
        wait=_wait_s,
        stop=stop_after_attempt(attempts) | stop_before_delay(total_s),
        before_sleep=_say,
        reraise=True,
    )


def repeated(retrying: BaseRetrying, ask: Callable[[], _T]) -> _T:
    """Return what is answered, asked again as the policy says.

    The policy costs more than the request that succeeds at once, so it is not asked before
    something has failed; the first failure counts as its first attempt.
    """
    try:
        return ask()
    except Exception as error:  # which of them is worth it, the policy says
        first = [error]

    def attempt() -> _T:
        if first:
            raise first.pop()
        return ask()

    return retrying(attempt)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _wait_s(state: RetryCallState) -> float:
    error = _error(state)
    asked = error.retry_after_s if isinstance(error, TransientError) else None
    return _backoff(state) if asked is None else asked


def _say(state: RetryCallState) -> None:
    wait = state.next_action.sleep if state.next_action is not None else 0.0
    _logger.info("%s; trying again in %.1f s", _error(state), wait)
