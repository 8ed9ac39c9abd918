"""What happened when, as far as status tells it: a line for each thing, in the order of time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from tidegate.api.plain import clip
from tidegate.api.status import Ending, Failure, NodePhase, NodeStatus, WorkflowStatus
from tidegate.engine.messages import short_failure
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.states import is_kept, ordered
from tidegate.report.text import fenced
from tidegate.report.times import clock, day, took, utc

_WIDTH: Final = 160
_NAMES: Final = 4
_DIGITS: Final = 4
_LAST: Final = 1000
"""After every wave."""
_CAUSES: Final = {
    "Failure": "the run is ending",
    "DeadlineExceeded": "the run's timeout is over: the run is ending",
    "CancelGraceful": "cancel (graceful): the run is ending",
    "CancelNow": "cancel (now): the run is ending",
}


class Event(NamedTuple):
    """One line."""

    at: datetime
    rank: tuple[int, int]
    """What comes first of all that happens at the same moment: by wave, then by kind."""
    text: str
    who: str = ""
    """The node, of an event that may be told together with others of its kind."""


class Told(NamedTuple):
    """One line, and how many events it stands for."""

    event: Event
    events: int


def timeline(report: Report, detail: Detail) -> list[str]:
    """The section, or nothing before the first run."""
    status = report.status
    if status.started_at is None:
        return []
    found = sorted(_events(report, status), key=lambda event: (event.at, event.rank))
    told, left_out = _bounded(list(_together(found)), detail.events)
    lines = fenced(_dated(told, utc(status.started_at)))
    note = f"{left_out} more, of nodes that ended well or from the middle, are left out."
    return ["## Timeline", "", *lines, *(["", note] if left_out else [])]


def _events(report: Report, status: WorkflowStatus) -> Iterator[Event]:
    yield from _of_the_run(status)
    for name in ordered(status, report.workflow):
        node = status.nodes[name]
        if not is_kept(node, status):
            yield from _of_a_node(name, node)
    yield from _of_waves(report)


def _of_the_run(status: WorkflowStatus) -> Iterator[Event]:
    if status.started_at is not None:
        kept = [name for name, node in status.nodes.items() if is_kept(node, status)]
        told = f", kept from former runs: {_names(kept)}" if kept else ""
        yield Event(utc(status.started_at), (0, 0), f"run {status.run} started{told}")
    if status.ending is not None:
        rank = (status.ending.wave or _LAST, 5)
        yield Event(utc(status.ending.at), rank, _ending(status.ending))
    if status.outcome is not None and any(n.wave is None for n in status.nodes.values()):
        text = f"outcome {status.outcome.phase} ({status.outcome.reason}); now the handlers"
        yield Event(utc(status.outcome.at), (_LAST, 0), text)
    if status.finished_at is not None:
        reason = f" ({status.reason})" if status.reason else ""
        yield Event(utc(status.finished_at), (_LAST, 9), f"run {status.run} {status.phase}{reason}")


def _ending(ending: Ending) -> str:
    text = _CAUSES[ending.cause]
    return f"{ending.node} has failed: {text}" if ending.node else text


def _of_waves(report: Report) -> Iterator[Event]:
    graph = report.workflow.graph if report.workflow is not None else None
    for key, wave in report.status.waves.items():
        if wave.started_at is None:
            continue
        number = int(key) if len(key) <= _DIGITS and key.isascii() and key.isdigit() else 0
        members = graph.waves[number - 1] if graph and 0 < number <= len(graph.waves) else ()
        of_it = [name for name in members if name in report.status.nodes]
        told = f": {_names(of_it)}" if of_it else ""
        yield Event(utc(wave.started_at), (number, 1), f"wave {clip(key, _DIGITS)} started{told}")


def _of_a_node(name: str, node: NodeStatus) -> Iterator[Event]:
    wave = node.wave or _LAST
    for failure in node.failures:
        if failure.finished_at is not None:
            last = node.phase is NodePhase.FAILED and failure is node.failures[-1]
            text = _failed(name, failure, last=last)
            yield Event(utc(failure.finished_at), (wave, 3), text)
    if node.retry_at is not None:
        yield Event(utc(node.retry_at), (wave, 3), f"{name}: next attempt")
    if node.opened_at is not None:
        yield Event(utc(node.opened_at), (wave, 2), f"{name} asks for approval")
    for vote in node.votes:
        yield Event(utc(vote.at), (wave, 3), f"{name}: {vote.decision} by {vote.by or 'somebody'}")
    if node.finished_at is not None and not (node.phase is NodePhase.FAILED and node.failures):
        text, who = _ended(name, node)
        yield Event(utc(node.finished_at), (wave, 4 if node.attempt else 6), text, who)


def _failed(name: str, failure: Failure, *, last: bool) -> str:
    by = f" by {failure.standby}" if failure.standby else ""
    duration = took(failure.started_at, failure.finished_at)
    how = "failed finally" if last else "failed"
    return f"{name}{by}: attempt {failure.attempt} {how}{duration}, {short_failure(failure)}"


def _ended(name: str, node: NodeStatus) -> tuple[str, str]:
    """The text; and whose it is, where it may be told together with others."""
    reason = f" ({node.reason})" if node.reason else ""
    match node.phase:
        case NodePhase.SUCCEEDED if node.served_by:
            return f"{name}: its fallback {node.served_by} succeeded", ""
        case NodePhase.SUCCEEDED if node.opened_at is not None:
            return f"{name}: {node.reason or node.phase}", ""
        case NodePhase.SUCCEEDED:
            return f"succeeded{reason}", name
        case NodePhase.SKIPPED:
            return f"skipped{reason}", name
        case NodePhase.CANCELLED:
            return f"ended with the run{reason}", name
        case _:
            return f"{name}: {node.phase}{reason}", ""


def _together(events: Sequence[Event]) -> Iterator[Told]:
    """The events in order; of many nodes that end alike in the same second one is made."""
    for _, group in groupby(events, key=lambda e: (e.at.replace(microsecond=0), e.who and e.text)):
        same = list(group)
        if not same[0].who:
            yield from (Told(event, 1) for event in same)
        elif len(same) > 1:
            who = _names([event.who for event in same])
            yield Told(same[0]._replace(text=f"{who} {same[0].text}"), len(same))
        else:
            yield Told(same[0]._replace(text=f"{same[0].who} {same[0].text}"), 1)


def _bounded(found: Sequence[Told], most: int) -> tuple[list[Event], int]:
    """At most so many, and how many were left out: first of those that tell of a good end."""
    if len(found) <= most:
        return [told.event for told in found], 0
    telling = [told for told in found if not told.event.who]
    room = most - len(telling)
    if room >= 0:
        calm = [index for index, told in enumerate(found) if told.event.who]
        chosen = set(calm[len(calm) - room :])
        kept = [t for index, t in enumerate(found) if not t.event.who or index in chosen]
    else:
        kept = [*telling[: most // 3], *telling[most // 3 - most :]]
    left_out = sum(told.events for told in found) - sum(told.events for told in kept)
    return [told.event for told in kept], left_out


def _dated(events: Sequence[Event], start: datetime) -> Iterator[str]:
    today = start.date()
    for event in events:
        if event.at.date() != today:
            today = event.at.date()
            yield day(event.at)
        yield f"{clock(event.at)}  {clip(event.text, _WIDTH)}"


def _names(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_NAMES])
    return shown if len(items) <= _NAMES else f"{shown} and {len(items) - _NAMES} more"
