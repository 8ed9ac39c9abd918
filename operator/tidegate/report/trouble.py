"""What went wrong, before all else: each node that failed, how, and what it wrote at last."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from tidegate.api.plain import lines
from tidegate.api.status import Failure, NodePhase, NodeStatus, Phase
from tidegate.engine.messages import failure_words
from tidegate.report.commands import logs
from tidegate.report.detail import Detail
from tidegate.report.model import Report, Tail, attempt_key, run_of
from tidegate.report.states import is_tolerated, ordered
from tidegate.report.text import code, fenced, name, names, words
from tidegate.report.times import moment, took, utc

_TAIL_BYTES: Final = 8 * 1024
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_TROUBLE: Final = (NodePhase.FAILED, NodePhase.CANCELLED)
_BRIEF: Final = 100
"""Nodes whose failure is at least told in a line."""


def trouble(report: Report, detail: Detail) -> list[str]:
    """The section, or nothing where nothing is wrong."""
    told = in_trouble(report)
    if not told:
        return []
    over = report.status.phase is Phase.CANCELLED
    found = [f"## {'What was cut short' if over else 'What went wrong'}"]
    for node_name, node in told[: detail.failures]:
        found += ["", *_node(report, node_name, node, detail)]
    rest = told[detail.failures :]
    if rest:
        found += ["", f"{len(rest)} more, in fewer words:", "", *_brief(report, rest, detail)]
    return found


def in_trouble(report: Report) -> list[tuple[str, NodeStatus]]:
    """Nodes that failed or were ended, what one would look at first before all else.

    The cause of the run's end comes first, then what else failed or was cut short in the order of
    time, then what was ended because another had failed, and last what is tolerated.
    """
    status, ending = report.status, report.status.ending
    is_victim = ending is not None and ending.cause == "Failure"

    def key(item: tuple[str, NodeStatus]) -> tuple[bool, bool, bool, datetime]:
        node_name, node = item
        return (
            is_tolerated(node_name, node, report.workflow),
            ending is None or node_name != ending.node,
            is_victim and node.phase is NodePhase.CANCELLED,
            _ended_at(node),
        )

    found = [(each, status.nodes[each]) for each in ordered(status, report.workflow)]
    return sorted((item for item in found if item[1].phase in _TROUBLE), key=key)


def _ended_at(node: NodeStatus) -> datetime:
    """When the node ended; one whose end isn't known comes first."""
    return utc(node.finished_at) if node.finished_at else _LONG_AGO


def _node(report: Report, node_name: str, node: NodeStatus, detail: Detail) -> Iterator[str]:
    yield _headline(report, node_name, node, detail)
    attempts = _attempts(report, node, detail) if len(node.failures) > 1 else []
    if attempts:
        yield ""
        yield from attempts
    for attempt in _last_attempts(node):
        tail = report.tails.get(attempt_key(run_of(node, report.status), node_name, attempt))
        if tail is not None:
            yield from _tail(tail, _who(node, attempt), detail)
    if node.attempt:
        yield ""
        yield f"More: {code(logs(report.key, node_name, run_of(node, report.status)))}"


def _headline(report: Report, node_name: str, node: NodeStatus, detail: Detail) -> str:
    who = f"**{name(node_name)}**"
    if node.phase is NodePhase.CANCELLED:
        reason = f" ({words(node.reason, 64)})" if node.reason else ""
        return f"{who} was ended with the run{reason}{took(node.started_at, node.finished_at)}."
    allowed = " It is tolerated (allowFailure)."
    tolerated = allowed if is_tolerated(node_name, node, report.workflow) else ""
    if not node.failures:
        return (
            f"{who} failed: {words(node.message or node.reason or '?', detail.message)}{tolerated}"
        )
    if len(node.failures) == 1:
        told = _single(report, node.failures[0], detail).rstrip(".")
        return f"{who} failed{told}.{tolerated}"
    own = max((f.attempt for f in node.failures if not f.standby), default=0)
    text = f"{who} failed after {own} attempt{'s' if own > 1 else ''}" if own else f"{who} failed"
    standbys = list(dict.fromkeys(f.standby for f in node.failures if f.standby))
    if standbys:
        text = f"{text}, and its fallback {names(standbys, 3)} failed, too"
    return f"{text}.{tolerated}"


def _attempts(report: Report, node: NodeStatus, detail: Detail) -> list[str]:
    """The failures, oldest first; of many the first one and the last ones."""
    shown: Sequence[Failure] = node.failures
    if len(shown) > detail.attempts:
        shown = (shown[0], *shown[1 - detail.attempts :])
    kept = {failure.attempt for failure in node.failures}
    found, before = [], 0
    for failure in shown:
        missing = range(before + 1, failure.attempt)
        if missing:
            found.append(_missing(missing, is_in_status=kept.issuperset(missing)))
        found.append(f"- {_attempt(report, failure, detail)}")
        before = failure.attempt
    return found


def _attempt(report: Report, failure: Failure, detail: Detail) -> str:
    who = f"fallback {name(failure.standby)}, " if failure.standby else ""
    which = f"attempt {failure.attempt}" if failure.attempt > 0 else "no attempt"
    return f"{who}{which}{_how(report, failure, detail)}"


def _single(report: Report, failure: Failure, detail: Detail) -> str:
    """The only failure of a node."""
    by = f" by its fallback {name(failure.standby)}" if failure.standby else ""
    return f"{by}{_how(report, failure, detail)}"


def _how(report: Report, failure: Failure, detail: Detail) -> str:
    base = report.status.started_at
    at = f" at {moment(failure.finished_at, base)}" if failure.finished_at else ""
    after = took(failure.started_at, failure.finished_at)
    why = failure_words(failure.reason, failure.exit_code, failure.message)
    return f"{at}{after}: {words(why, detail.message)}"


def _missing(which: range, *, is_in_status: bool) -> str:
    many = f"attempts {which[0]} to {which[-1]}" if len(which) > 1 else f"attempt {which[0]}"
    return f"- {many}: {'left out here' if is_in_status else 'no longer kept in status'}"


def _last_attempts(node: NodeStatus) -> list[int]:
    """The last attempt of its own and the last one of its fallback."""
    own = [f.attempt for f in node.failures if not f.standby][-1:]
    others = [f.attempt for f in node.failures if f.standby][-1:]
    latest = [node.attempt] if node.phase is NodePhase.CANCELLED else []
    return list(dict.fromkeys(own + others + latest))


def _who(node: NodeStatus, attempt: int) -> str:
    standby = next((f.standby for f in node.failures if f.attempt == attempt), None)
    return f"{name(standby)}, attempt {attempt}" if standby else f"attempt {attempt}"


def _tail(tail: Tail, who: str, detail: Detail) -> list[str]:
    shown, more = _bounded(lines(tail.text), detail)
    if not shown:
        why = words(tail.lost, detail.message) if tail.lost else "it wrote nothing"
        return ["", f"Log of {who}: {why}."]
    count = f"last {len(shown)} lines" if len(shown) > 1 else "last line"
    all_of_it = not (more or tail.cut)
    head = f"All that {who} wrote:" if all_of_it else f"What {who} wrote, {count}:"
    return ["", head, "", *fenced(shown)]


def _bounded(found: list[str], detail: Detail) -> tuple[list[str], bool]:
    """The last lines that fit, and whether something was left out."""
    kept: list[str] = []
    room = _TAIL_BYTES
    for line in reversed(found[-detail.tail_lines :]):
        cut = line if len(line) <= detail.tail_width else f"{line[: detail.tail_width - 1]}…"
        room -= len(cut.encode()) + 1
        if room < 0:
            break
        kept.append(cut)
    kept.reverse()
    return kept, len(kept) < len(found)


def _brief(report: Report, rest: Sequence[tuple[str, NodeStatus]], detail: Detail) -> Iterator[str]:
    most = min(_BRIEF, detail.rows)
    for node_name, node in rest[:most]:
        told = [words(node.reason, 64)] if node.reason else []
        told += ["tolerated"] if is_tolerated(node_name, node, report.workflow) else []
        why = f" ({', '.join(told)})" if told else ""
        tries = f" after {node.attempt} attempts" if node.attempt > 1 else ""
        yield f"- **{name(node_name)}** {node.phase}{why}{tries}"
    if len(rest) > most:
        yield f"- and {len(rest) - most} more: the table has them"
