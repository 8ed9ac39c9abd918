"""Sections of runs, to be put into the volume of a log."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate.report.model import Tail
from tidegate.report.volume import Section

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def section(text: str = "# a · run 1\n", run: int = 1, **fields: Any) -> Section:
    known: dict[str, Any] = {
        "status": "digest", "over": False, "tails": {}, "images": {}, "ended": {},
        "render": lambda _budget: text,
    }  # fmt: skip
    return Section(run=run, **known | fields)


def tails(count: int, length: int, run: int = 1) -> dict[str, Any]:
    """Tails of attempts that ended one after another."""
    keys = [f"{run}.n{i:04}.1" for i in range(count)]
    return {
        "tails": {key: Tail("x" * length) for key in keys},
        "ended": {key: NOON + timedelta(seconds=i) for i, key in enumerate(keys)},
    }
