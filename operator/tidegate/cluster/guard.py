"""Repeats requests that may be repeated, for seconds; whatever needs longer is the queue's affair.

Never around a creation or a status write: those look first whether they were carried out.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from tidegate.errors import Conflict, Throttled, TryAgain

T = TypeVar("T")

_ATTEMPTS = 4
_SECONDS = 10.0
_backoff = wait_random_exponential(multiplier=0.1, max=2.0)


def _is_repeatable(error: BaseException) -> bool:
    return isinstance(error, TryAgain) and not isinstance(error, Conflict)


def _pause(state: RetryCallState) -> float:
    """As long as the server asked for, else a growing, random while."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Throttled) and error.retry_after is not None:
        return min(error.retry_after, _SECONDS)
    return _backoff(state)


async def patiently(request: Callable[[], Awaitable[T]]) -> T:
    """The answer to ``request``, which is sent again after 429, 5xx and lost answers.

    Raises:
        ApiError: the last error as it was.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_repeatable),
        wait=_pause,
        stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_SECONDS),
        reraise=True,
    )

    async def once() -> T:
        return await request()

    return await retrying(once)
