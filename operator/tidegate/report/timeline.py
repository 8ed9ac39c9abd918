"""What happened when, as far as status tells it: a line for each thing, in the order of time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from tidegate.api.plain import clip
from tidegate.api.spec import FailurePolicy
from tidegate.api.status import Ending, Failure, NodePhase, NodeStatus, WorkflowStatus
from tidegate.engine.messages import short_failure
from tidegate.engine.reasons import Reason
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.states import is_kept, is_tolerated, ordered
from tidegate.report.text import fenced
from tidegate.report.times import clock, day, took, utc

_WIDTH: Final = 160
_NAMES: Final = 4
_TOGETHER: Final = 3
"""So many failures of a kind in the same second are still told one by one."""
_DIGITS: Final = 4
_LAST: Final = 1000
"""After every wave."""
_CAUSES: Final = {
    "Failure": "the run is ending",
    "DeadlineExceeded": "the run's timeout is over: the run is ending",
    "CancelGraceful": "cancel (graceful): the run is ending",
    "CancelNow": "cancel (now): the run is ending",
}

_BY_CLOCK: Final = {
    "ApprovedByTimeout": "approved by the clock",
    "RejectedByTimeout": "rejected by the clock",
}


_UNKNOWN: Final = (None, None)


class Event(NamedTuple):
    """One line."""

    at: datetime
    """In whole seconds, as pods tell their times: what happened within one is sorted by rank."""
    rank: tuple[int, int]
    """What comes first of all that happens in the same second: by wave, then by kind."""
    text: str
    """What happened; what is told of a node goes on after the node's name."""
    who: str = ""
    """The node, of an event that may be told together with others of its kind."""
    span: tuple[datetime | None, datetime | None] = _UNKNOWN
    """From when to when that went whose end is told."""
    is_calm: bool = False
    """Whether it gives way first where there are too many."""


class Told(NamedTuple):
    """One line, and how many events it stands for."""

    event: Event
    events: int


def timeline(report: Report, detail: Detail) -> list[str]:
    """The section, or nothing before the first run."""
    status = report.status
    if status.started_at is None:
        return []
    found = sorted(_events(report, status), key=lambda e: (e.at, e.rank, e.who and e.text))
    told, left_out = _bounded(list(_together(found)), detail.events)
    lines = fenced(_dated(told, utc(status.started_at)))
    note = f"{left_out} more, of nodes that ended well or from the middle, are left out."
    return ["## Timeline", "", *lines, *(["", note] if left_out else [])]


def _events(report: Report, status: WorkflowStatus) -> Iterator[Event]:
    yield from _of_the_run(report, status)
    for name in ordered(status, report.workflow):
        node = status.nodes[name]
        if not is_kept(node, status):
            yield from _of_a_node(report, name, node)
    yield from _of_waves(report)


def _of_the_run(report: Report, status: WorkflowStatus) -> Iterator[Event]:
    if status.started_at is not None:
        kept = [name for name, node in status.nodes.items() if is_kept(node, status)]
        told = f", kept from former runs: {_names(kept)}" if kept else ""
        yield Event(_second(status.started_at), (0, 0), f"run {status.run} started{told}")
    if status.ending is not None:
        rank = (status.ending.wave or 0, 5)
        yield Event(_second(status.ending.at), rank, _ending(report, status.ending))
    if status.outcome is not None and _calls_for_handlers(status):
        text = f"outcome {status.outcome.phase} ({status.outcome.reason}); now the handlers"
        yield Event(_second(status.outcome.at), (_LAST, 0), text)
    if status.finished_at is not None:
        reason = f" ({status.reason})" if status.reason else ""
        yield Event(
            _second(status.finished_at), (_LAST, 9), f"run {status.run} {status.phase}{reason}"
        )


def _calls_for_handlers(status: WorkflowStatus) -> bool:
    handlers = (node for node in status.nodes.values() if node.wave is None)
    return any(node.phase is not NodePhase.SKIPPED for node in handlers)


def _ending(report: Report, ending: Ending) -> str:
    text = _CAUSES[ending.cause]
    spec = report.workflow.spec if report.workflow is not None else None
    if ending.cause == "Failure" and spec and spec.failure_policy is FailurePolicy.CONTINUE:
        text = "what doesn't need it goes on"
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
        yield Event(
            _second(wave.started_at), (number, 1), f"wave {clip(key, _DIGITS)} started{told}"
        )


def _of_a_node(report: Report, name: str, node: NodeStatus) -> Iterator[Event]:
    wave = node.wave or _LAST
    tolerated = is_tolerated(name, node, report.workflow)
    for failure in node.failures:
        if failure.finished_at is not None and not _is_its_end(node, failure):
            at = _second(failure.finished_at)
            yield _failed(name, node, failure, at, tolerated=tolerated)
    if node.retry_at is not None:
        yield Event(_second(node.retry_at), (wave, 3), ": next attempt", name)
    if node.opened_at is not None:
        yield Event(_second(node.opened_at), (wave, 2), " asks for approval", name)
    for vote in node.votes:
        yield Event(
            _second(vote.at), (wave, 3), f"{name}: {vote.decision} by {vote.by or 'somebody'}"
        )
    if node.finished_at is not None:
        yield from _ended(name, node, _second(node.finished_at), wave)


def _is_its_end(node: NodeStatus, failure: Failure) -> bool:
    """Whether the attempt failed only because the run's end ended it."""
    return node.phase is NodePhase.CANCELLED and failure.reason == node.reason


def _failed(
    name: str, node: NodeStatus, failure: Failure, at: datetime, *, tolerated: bool
) -> Event:
    by = f" by {failure.standby}" if failure.standby else ""
    is_last = node.phase is NodePhase.FAILED and failure is node.failures[-1]
    how = "failed finally" if is_last else "failed"
    span = (failure.started_at, failure.finished_at)
    which = f": attempt {failure.attempt}" if failure.attempt > 0 else ""
    allowed = " (tolerated)" if is_last and tolerated else ""
    text = f"{which} {how}, {short_failure(failure)}{allowed}"
    return Event(at, (node.wave or _LAST, 3), text, f"{name}{by}", span)


def _ended(name: str, node: NodeStatus, at: datetime, wave: int) -> Iterator[Event]:
    """The node's end; nothing where its last failure, or its last vote, has told it."""
    reason = f" ({node.reason})" if node.reason not in (None, node.phase) else ""
    match node.phase:
        case NodePhase.SUCCEEDED if node.served_by:
            yield Event(at, (wave, 4), f": its fallback {node.served_by} succeeded", name)
        case NodePhase.SUCCEEDED if node.opened_at is None:
            tries = f" on attempt {node.attempt}" if node.attempt > 1 else ""
            span = (node.started_at, node.finished_at)
            yield Event(at, (wave, 4), f" succeeded{tries}", name, span, is_calm=True)
        case NodePhase.SKIPPED if node.reason == Reason.CONDITION_FALSE and node.message:
            yield Event(at, (_LAST - 1, 0), f" skipped, {node.message}", name, is_calm=True)
        case NodePhase.SKIPPED:
            yield Event(at, (_LAST - 1, 0), f" skipped{reason}", name, is_calm=True)
        case NodePhase.CANCELLED:
            yield Event(at, (_LAST - 1, 1), f" ended with the run{reason}", name, is_calm=True)
        case _ if not (node.failures or node.votes):
            how = _BY_CLOCK.get(node.reason or "", f"{node.phase}{reason}")
            yield Event(at, (wave, 4), f": {how}", name)


def _together(events: Sequence[Event]) -> Iterator[Told]:
    """The events in order; of many nodes that fare alike in the same second one is made."""
    for _, group in groupby(events, key=_kind):
        same = list(group)
        if same[0].who and len(same) > (1 if same[0].is_calm else _TOGETHER):
            who = _names([event.who for event in same])
            yield Told(same[0]._replace(who=who, span=_UNKNOWN), len(same))
        else:
            yield from (Told(event, 1) for event in same)


def _kind(event: Event) -> tuple[datetime, str]:
    return event.at, event.who and event.text


def _second(at: datetime) -> datetime:
    return utc(at).replace(microsecond=0)


def _bounded(found: Sequence[Told], most: int) -> tuple[list[Event], int]:
    """At most so many, and how many were left out: first of those that tell of a good end."""
    if len(found) <= most:
        return [told.event for told in found], 0
    telling = [told for told in found if not told.event.is_calm]
    room = most - len(telling)
    if room >= 0:
        calm = [index for index, told in enumerate(found) if told.event.is_calm]
        chosen = set(calm[len(calm) - room :])
        kept = [t for index, t in enumerate(found) if not t.event.is_calm or index in chosen]
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
        text = clip(f"{event.who}{event.text}", _WIDTH)
        yield f"{clock(event.at)}  {text}{took(*event.span)}"


def _names(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_NAMES])
    if len(items) == _NAMES + 1:
        return f"{shown}, {items[-1]}"
    return shown if len(items) <= _NAMES else f"{shown} and {len(items) - _NAMES} more"
