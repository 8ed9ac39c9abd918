"""Durations as users write them: ``90s``, ``10m``, ``1h30m``; for backoffs also ``500ms``.

The pattern stands in the CRD; what a pattern can't say (the greatest value) is said there by a
CEL rule and checked here once more, as the operator never trusts what is stored.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

MAX: Final = timedelta(hours=8760)
PATTERN: Final = (
    r"^([0-9]{1,5}h([0-9]{1,6}m)?([0-9]{1,8}s)?|[0-9]{1,6}m([0-9]{1,8}s)?|[0-9]{1,8}s)$"
)
BACKOFF_PATTERN: Final = (
    r"^([0-9]{1,5}h([0-9]{1,6}m)?([0-9]{1,8}s)?([0-9]{1,6}ms)?"
    r"|[0-9]{1,6}m([0-9]{1,8}s)?([0-9]{1,6}ms)?|[0-9]{1,8}s([0-9]{1,6}ms)?|[0-9]{1,6}ms)$"
)
_MAX_LENGTH: Final = 32
_PATTERN = re.compile(PATTERN)
_BACKOFF_PATTERN = re.compile(BACKOFF_PATTERN)
_PART = re.compile(r"([0-9]+)(h|ms|m|s)")
_UNIT: Final = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_DAY: Final = 86400
_HOUR: Final = 3600
_MINUTE: Final = 60
_TENTHS_BELOW: Final = 10


def parse_duration(value: object) -> timedelta:
    """The duration that ``value`` means, from 1 s to 8760 h; raises ValueError with the remedy."""
    return _parse(value, _PATTERN, _UNIT["s"], "write it like 90s, 10m or 1h30m")


def parse_backoff(value: object) -> timedelta:
    """As ``parse_duration``, from 1 ms."""
    return _parse(value, _BACKOFF_PATTERN, _UNIT["ms"], "write it like 500ms, 90s or 10m")


def _parse(value: object, pattern: re.Pattern[str], least: timedelta, remedy: str) -> timedelta:
    if isinstance(value, timedelta):
        duration, text = value, format_duration(value)
    elif isinstance(value, str):
        text = value
        if len(text) > _MAX_LENGTH or not (text.isascii() and pattern.fullmatch(text)):
            raise ValueError(f"{shorten(text)} is no duration; {remedy}")
        duration = sum((int(n) * _UNIT[u] for n, u in _PART.findall(text)), timedelta())
    else:
        raise ValueError(f"{shorten(value)} is no duration; {remedy}")  # noqa: TRY004 - pydantic
    if not least <= duration <= MAX:
        raise ValueError(f"{text} is out of bounds; from {format_duration(least)} to 8760h")
    return duration


def shorten(value: object, length: int = 40) -> str:
    """``value`` as it may stand in a message: short, on one line."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= length and text.isprintable():
        return text
    text = "".join(ch if ch.isprintable() else "?" for ch in text[: length + 1])
    return text if len(text) <= length else f"{text[:length]}…"


def format_duration(duration: timedelta) -> str:
    """As it would be written in a spec: ``1h30m``."""
    rest = round(duration / _UNIT["ms"])
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"


def human(duration: timedelta | float) -> str:
    """For people, two units at most: ``1 h 30 min``, ``8 s``, ``1.4 s``; seconds or a timedelta."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    seconds = max(seconds, 0.0)
    if round(seconds, 1) < _TENTHS_BELOW:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for size, unit, smaller, sub in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {sub}" if rest else "")
    return f"{whole} s"


def _schema(pattern: str, least: str, example: str) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 2,
        "maxLength": _MAX_LENGTH,
        "pattern": pattern,
        "x-kubernetes-validations": [
            {
                "rule": f"duration(self) >= duration('{least}') && "
                "duration(self) <= duration('8760h')",
                "message": f"must be from {least} to 8760h, like {example}",
            }
        ],
    }


Duration = Annotated[
    timedelta,
    PlainValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_schema(PATTERN, "1s", "90s, 10m or 1h30m")),
]
"""From 1 s to 8760 h, in whole seconds."""

BackoffDuration = Annotated[
    timedelta,
    PlainValidator(parse_backoff),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_schema(BACKOFF_PATTERN, "1ms", "500ms, 2s or 1m")),
]
"""From 1 ms to 8760 h."""
