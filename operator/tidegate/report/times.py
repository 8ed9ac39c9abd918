"""Times and durations as people read them; all times are UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tidegate.api.duration import human

_LONGEST: Final = timedelta(days=36500)
"""Whatever is told to be longer is a fault of some clock."""


def utc(at: datetime) -> datetime:
    """``at`` in UTC, whatever was stored."""
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first and the last day that there are
        return at.replace(tzinfo=UTC)


def clock(at: datetime) -> str:
    """The time of day: ``02:00:04``."""
    return f"{utc(at):%H:%M:%S}"


def day(at: datetime) -> str:
    """The day: ``2026-11-22``."""
    return utc(at).date().isoformat()


def moment(at: datetime, base: datetime | None) -> str:
    """The time of day, with the date unless it is the day of ``base``."""
    if base is not None and utc(at).date() == utc(base).date():
        return clock(at)
    return f"{day(at)} {clock(at)}"


def between(start: datetime | None, end: datetime | None) -> str:
    """How long it took; empty where one of both isn't known."""
    if start is None or end is None:
        return ""
    return human(min(max(utc(end) - utc(start), timedelta()), _LONGEST))


def took(start: datetime | None, end: datetime | None) -> str:
    """`` after 2 s``, or nothing."""
    duration = between(start, end)
    return f" after {duration}" if duration else ""
