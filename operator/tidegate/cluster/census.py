"""Counts all Workflows, at each scrape: cheap enough for thousands, and nothing is kept."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tidegate.cluster.rows import LIVE_PHASES, Row
from tidegate.facts.model import AttemptFact, WorkflowFact
from tidegate.facts.raw import text
from tidegate.facts.raw import time as instant
from tidegate.gauges import Census

_TIMES = ("startedAt", "finishedAt", "retryAt", "openedAt")
_OPEN = "Waiting"
_RUNNING = "Running"


def take(rows: Iterable[Row], queued: Mapping[str, int], now: datetime) -> Census:
    """The census of the Workflows in ``rows``, which are all that are known."""
    phases: Counter[str] = Counter()
    openings: list[datetime | None] = []
    moves: list[datetime] = []
    for row in rows:
        phases[row.phase or "Pending"] += 1
        fact = row.fact if row.phase in LIVE_PHASES else None
        if fact is not None:
            openings += _openings(fact)
        moved_at = _moved_at(row, fact, now)
        if moved_at is not None:
            moves.append(moved_at)
    return Census(
        phases=phases,
        queued=queued,
        checkpoints=len(openings),
        held_checkpoints=openings.count(None),
        oldest_checkpoint=_age(min(filter(None, openings), default=now), now),
        longest_idle=_age(min(moves, default=now), now),
    )


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _nodes(fact: WorkflowFact) -> Iterator[Mapping[str, Any]]:
    nodes = fact.status.get("nodes")
    for node in nodes.values() if isinstance(nodes, dict) else ():
        if isinstance(node, dict):
            yield node


def _openings(fact: WorkflowFact) -> Iterator[datetime | None]:
    """When each checkpoint that waits was opened; None for one that can't ask yet."""
    for node in _nodes(fact):
        if node.get("phase") == _OPEN:
            yield instant(node.get("openedAt"))


def _moved_at(row: Row, fact: WorkflowFact | None, now: datetime) -> datetime | None:
    """When the run last moved, if it is one that should: a Workflow that nobody looked at, too."""
    if not row.phase:
        return row.created_at
    if fact is None or row.phase != _RUNNING:
        return None
    attempts = [of for attempt, of in row.attempts.items() if attempt.run == row.run]
    if any(_is_under_way(of, now) for of in attempts):
        return None
    pods = [pod for of in attempts for pod in of.pods]
    jobs = [of.job.created_at for of in attempts if of.job is not None]
    told = [at for pod in pods for at in (pod.created_at, pod.deletion_at)]
    return max(filter(None, [instant(_latest(fact)), *jobs, *told]), default=row.created_at)


def _latest(fact: WorkflowFact) -> str:
    """The latest time in the status; RFC 3339 in UTC sorts as text, but for parts of a second."""
    latest = text(fact.status.get("startedAt"))
    for node in _nodes(fact):
        for key in _TIMES:
            value = node.get(key)
            if isinstance(value, str) and value > latest:
                latest = value
    return latest


def _is_under_way(fact: AttemptFact, now: datetime) -> bool:
    """Whether a pod runs, or the Job waits in somebody else's queue.

    A pod that should have been killed by now, but can't be confirmed stopped, doesn't run.
    """
    if fact.job is not None and fact.job.suspended and fact.job.end is None:
        return True
    return any(
        pod.any_started and not pod.is_over and (pod.deletion_at is None or pod.deletion_at > now)
        for pod in fact.pods
    )
