"""Whether and when an attempt that failed is followed by another of the same task."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api.duration import format_duration
from tidegate.api.spec import Jitter
from tidegate.api.task import RetryPolicy
from tidegate.engine.reasons import NOT_COUNTED, Reason

MAX_DISRUPTIONS = 10
"""Attempts of a node and run that may be lost to disruptions before they count."""

_DISRUPTION_BACKOFF = RetryPolicy(
    limit=MAX_DISRUPTIONS,
    base=timedelta(seconds=1),
    factor=2.0,
    cap=timedelta(seconds=32),
    jitter=Jitter.FULL,
    max_duration=None,
    retry_codes=frozenset(),
    fail_codes=frozenset(),
    timeouts=True,
)

_NEVER_RETRIED = frozenset(
    {
        Reason.POD_REFUSED,
        Reason.INVALID_POD_TEMPLATE,
        Reason.JOB_REFUSED,
        Reason.NAME_CONFLICT,
        Reason.MISSING_OUTPUT,
        Reason.INVALID_OUTPUT,
        Reason.OUTPUT_TOO_LARGE,
        Reason.CANCELLED,
        Reason.DEADLINE_EXCEEDED,
        Reason.UNKNOWN,
    }
)
_TIMEOUTS = frozenset({Reason.TIMEOUT, Reason.START_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed attempt, as the retry policy sees it."""

    reason: str
    exit_code: int | None
    """Of ``main``; None if it wasn't main that failed, or nobody knows."""
    ended_at: datetime
    may_heal: bool = True
    """For StartTimeout: whether waiting longer could have helped (no room, image pull back-off)."""


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt follows."""

    at: datetime
    counted: bool
    """Whether it uses up one of the policy's retries."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No other attempt follows."""

    why: str = ""
    """What forbids it, where the policy has retries left."""


def next_try(
    policy: RetryPolicy | None,
    failed: Failed,
    *,
    retries: int,
    disruptions: int,
    since: datetime,
    chance: float,
    forgives_disruptions: bool = True,
) -> Again | Exhausted:
    """What follows the attempt that ``failed``.

    Args:
        policy: None if the task has no retries.
        failed: the attempt.
        retries: counted retries that there have been.
        disruptions: uncounted ones, of the node in this run.
        since: when the first attempt of this task began.
        chance: in [0, 1), the same whenever it is asked.
        forgives_disruptions: whether lost attempts may be repeated uncounted (not so for handlers
            that have no retry).
    """
    if failed.reason == NOT_COUNTED:
        return Again(failed.ended_at, counted=False)
    if failed.reason == Reason.DISRUPTED and forgives_disruptions and disruptions < MAX_DISRUPTIONS:
        wait = backoff(policy or _DISRUPTION_BACKOFF, disruptions, chance)
        return Again(failed.ended_at + wait, counted=False)
    if policy is None or retries >= policy.limit:
        return Exhausted()
    if why := why_not(policy, failed):
        return Exhausted(why)
    at = failed.ended_at + backoff(policy, retries, chance)
    if policy.max_duration is not None and at > since + policy.max_duration:
        return Exhausted(f"maxDuration {format_duration(policy.max_duration)} would be over")
    return Again(at, counted=True)


def why_not(policy: RetryPolicy, failed: Failed) -> str:
    """Why the policy doesn't repeat attempts that failed in this way; empty if it does."""
    if failed.reason in _NEVER_RETRIED:
        return f"{failed.reason} never is"
    if failed.reason == Reason.START_TIMEOUT and not failed.may_heal:
        return "trying again can't heal it"
    if failed.reason in _TIMEOUTS and not policy.timeouts:
        return "timeouts is false"
    if failed.reason == Reason.EXIT_CODE and failed.exit_code is not None:
        if failed.exit_code in policy.fail_codes:
            return f"exitCodes.fail has {failed.exit_code}"
        if policy.retry_codes and failed.exit_code not in policy.retry_codes:
            return f"exitCodes.retry lacks {failed.exit_code}"
    return ""


def backoff(policy: RetryPolicy, retry: int, chance: float) -> timedelta:
    """The wait before retry number ``retry``, from 0: exponential, capped, spread by ``chance``."""
    try:
        longest = min(policy.cap, policy.base * policy.factor**retry)
    except OverflowError:
        longest = policy.cap
    match policy.jitter:
        case Jitter.NONE:
            return longest
        case Jitter.FULL:
            return longest * chance
        case Jitter.EQUAL:
            return longest / 2 + longest / 2 * chance
