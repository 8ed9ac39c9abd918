"""What is going on in a run that isn't over, and what nodes got over by themselves."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from tidegate.api.status import Failure, NodePhase, NodeStatus
from tidegate.engine.messages import short_failure
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.states import is_kept, ordered
from tidegate.report.text import name, words
from tidegate.report.times import moment

_MOST: Final = 20


def going_on(report: Report, detail: Detail) -> list[str]:
    """Each node that runs, or waits for something else than its turn."""
    status = report.status
    if status.is_over:
        return []
    names = ordered(status, report.workflow)
    busy = [each for each in names if _is_busy(status.nodes[each])]
    turn = sum(_waits_for_its_turn(status.nodes[each]) for each in names)
    if not busy:
        return []
    most = min(_MOST, detail.rows)
    found = ["## Going on", "", *(_line(report, each, detail) for each in busy[:most])]
    if len(busy) > most:
        found.append(f"- and {len(busy) - most} more: the table has them")
    if turn:
        found.append(
            f"- {turn} more wait for their turn" if turn > 1 else "- 1 more waits for its turn"
        )
    return found


def _is_busy(node: NodeStatus) -> bool:
    if node.phase in (NodePhase.RUNNING, NodePhase.RETRYING):
        return True
    return node.phase is NodePhase.PENDING and bool(node.reason)


def _waits_for_its_turn(node: NodeStatus) -> bool:
    return node.phase is NodePhase.PENDING and not node.reason and node.wave is not None


def _line(report: Report, node_name: str, detail: Detail) -> str:
    node = report.status.nodes[node_name]
    base = report.status.started_at
    by = f" by {name(node.standby)}" if node.standby else ""
    tries = f", attempt {node.attempt}" if node.attempt > 1 else ""
    since = f", since {moment(node.started_at, base)}" if node.started_at else ""
    next_ = f", next attempt at {moment(node.retry_at, base)}" if node.retry_at else ""
    reason = f" ({words(node.reason, 64)})" if node.reason else ""
    told = f": {words(node.message, detail.message)}" if node.message else ""
    return f"- **{name(node_name)}** {node.phase}{reason}{by}{tries}{since}{next_}{told}"


def got_over(report: Report, detail: Detail) -> list[str]:
    """Each node that succeeded in the end, after failures."""
    status = report.status
    healed = [
        each
        for each in ordered(status, report.workflow)
        if (node := status.nodes[each]).phase is NodePhase.SUCCEEDED
        and (node.failures or node.served_by)
        and not is_kept(node, status)
    ]
    if not healed:
        return []
    most = min(_MOST, detail.rows)
    found = ["## Went wrong, and was made good", ""]
    found += [_healed(each, status.nodes[each], detail) for each in healed[:most]]
    if len(healed) > most:
        found.append(f"- and {len(healed) - most} more")
    return found


def _healed(node_name: str, node: NodeStatus, detail: Detail) -> str:
    if node.served_by:
        how = f"was done by its fallback {name(node.served_by)}"
    else:
        how = f"succeeded on attempt {node.attempt}"
    told = list(_reasons(node.failures))
    shown = ", ".join(told[-detail.attempts :])
    more = f"{len(told) - detail.attempts} more, " if len(told) > detail.attempts else ""
    return f"- **{name(node_name)}** {how}" + (f", after {more}{shown}" if told else "")


def _reasons(failures: tuple[Failure, ...]) -> Iterator[str]:
    """In order, the same one after another only once: ``exit code 1 (3 times)``."""
    for text, group in groupby(map(short_failure, failures)):
        count = len(list(group))
        yield words(text, 64) + (f" ({count} times)" if count > 1 else "")
