"""A run's log as markdown: its sections in order, and as much of each as there is room for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tidegate.report.checkpoints import checkpoints
from tidegate.report.deeper import deeper, images
from tidegate.report.detail import LEVELS, Detail
from tidegate.report.graph import graph
from tidegate.report.header import header
from tidegate.report.model import Report
from tidegate.report.nodes import nodes
from tidegate.report.present import going_on, got_over
from tidegate.report.timeline import timeline
from tidegate.report.trouble import trouble

MAX_BYTES: Final = 384 * 1024
"""What a run's log may take where the caller says nothing."""
MIN_BYTES: Final = 8192
"""In so many bytes the title always fits."""
_ROOM_FOR_NOTE: Final = 256

Section = Callable[[Report, Detail], list[str]]
_SECTIONS: Final[tuple[tuple[str, Section], ...]] = (
    ("the header", header),
    ("what went wrong", trouble),
    ("what is going on", going_on),
    ("the checkpoints", checkpoints),
    ("the nodes", nodes),
    ("what was made good", got_over),
    ("the timeline", timeline),
    ("the graph", graph),
    ("the images", images),
    ("commands", deeper),
)


def render(report: Report, budget: int = MAX_BYTES) -> str:
    """The log of the present run as markdown, in at most ``budget`` bytes of UTF-8.

    Where not all fits, less is told of each thing, and in the end whole sections are left out; the
    text says so. A budget below ``MIN_BYTES`` counts as that.
    """
    budget = max(budget, MIN_BYTES)
    for detail in LEVELS:
        text = _whole(report, detail, budget)
        if text is not None:
            return text
    least = [(name, _text(section, report, LEVELS[-1])) for name, section in _SECTIONS]
    return _as_much_as_fits(least, budget)


def _whole(report: Report, detail: Detail, budget: int) -> str | None:
    """All sections; None as soon as they are too many bytes."""
    told, room = [], budget
    for _, section in _SECTIONS:
        text = _text(section, report, detail)
        room -= len(text.encode()) + len("\n\n") if text else 0
        if room < 0:
            return None
        told.append(text)
    return _joined(told)


def _text(section: Section, report: Report, detail: Detail) -> str:
    return "\n".join(section(report, detail))


def _as_much_as_fits(sections: Sequence[tuple[str, str]], budget: int) -> str:
    """The sections for which there is room, the most important first, and which aren't there."""
    room = budget - _ROOM_FOR_NOTE
    told, left_out = [], []
    for name, text in sections:
        size = len(text.encode()) + len("\n\n")
        if size <= room:
            told.append(text)
            room -= size
        else:
            left_out.append(name)
    return _joined([*told, f"Left out, as there was no room: {', '.join(left_out)}."])


def _joined(sections: Iterable[str]) -> str:
    return "\n\n".join(filter(None, sections)) + "\n"
