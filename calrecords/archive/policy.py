"""When a request is sent again: one policy, which looks for `TransientError` only."""

from __future__ import annotations

import logging

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from calrecords.errors import TransientError

LONGEST_WAIT_S = 60.0
"""A server that asks for a longer wait, in seconds, is not waited for."""

_logger = logging.getLogger(__name__)
_backoff = wait_random_exponential(multiplier=0.5, max=15)


def default_retrying() -> Retrying:
    """Return the policy that an `ArchiveClient` uses unless it is given another.

    Up to five attempts within five minutes, with waits that grow and are spread at random,
    or as long as the server asks. A server that asks for more than `LONGEST_WAIT_S` is
    believed and not tried again: the error carries ``retry_after_s``.

    Examples
    --------
    A policy that never waits, for tests:

    >>> policy = default_retrying().copy(sleep=lambda seconds: None)
    """
    return Retrying(
        retry=retry_if_exception(_is_worth_another_try),
        wait=_wait_s,
        stop=stop_after_attempt(5) | stop_after_delay(300),
        before_sleep=_say,
        reraise=True,
    )


def _is_worth_another_try(error: BaseException) -> bool:
    if not isinstance(error, TransientError):
        return False
    return error.retry_after_s is None or error.retry_after_s <= LONGEST_WAIT_S


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _wait_s(state: RetryCallState) -> float:
    error = _error(state)
    asked = error.retry_after_s if isinstance(error, TransientError) else None
    return _backoff(state) if asked is None else asked


def _say(state: RetryCallState) -> None:
    wait = state.next_action.sleep if state.next_action is not None else 0.0
    _logger.info("%s; trying again in %.1f s", _error(state), wait)
