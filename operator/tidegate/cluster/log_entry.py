"""What the recorder remembers of a Workflow whose log isn't written to its end."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from tidegate.api.identity import log_name
from tidegate.api.status import WorkflowStatus
from tidegate.cluster.log_writer import Snapshot
from tidegate.facts.model import WorkflowFact
from tidegate.report.volume import LIMIT


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon what was noted is written, in seconds."""

    between: float = 5.0
    """Between two writes of a log, at least."""
    at_end: float = 0.2
    """From a run's end."""


@dataclass(slots=True)
class Entry:
    """A Workflow whose run is on, or whose log isn't written to its end."""

    fact: WorkflowFact
    latest: Snapshot
    not_before: float
    """The loop's time before which nothing is written, unless the run ends."""
    written_at: float = float("-inf")
    retry_at: float = float("-inf")
    todo: dict[int, Snapshot] = field(default_factory=dict)
    """By run: the latest status that the log doesn't tell of."""
    settled: Collection[str] = ()
    """Attempts of the present run that the log has."""
    overdue: dict[str, float] = field(default_factory=dict)
    """Since when tails can't be read."""
    held_since: float | None = None
    errors: int = 0
    told: set[str] = field(default_factory=set)
    limit: int = LIMIT
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the log doesn't tell everything yet."""
        return bool(self.todo) or self.task is not None

    @property
    def has_end(self) -> bool:
        """Whether the end of a run is to be told."""
        return any(_is_over(snapshot.status) for snapshot in self.todo.values())

    @property
    def is_over(self) -> bool:
        """Whether its latest run has ended."""
        return _is_over(self.latest.status)

    def due(self, now: float, pace: Pace) -> float:
        """The loop's time of the next write."""
        due = now + pace.at_end if self.has_end else self.not_before
        return max(due, self.written_at + pace.between, self.retry_at)

    def is_retained(self, status: WorkflowStatus) -> bool:
        """Whether the log that ``status`` names outlives its Workflow."""
        name = log_name(self.fact.key.name, self.fact.uid, retain=True)
        return status.log is not None and status.log.config_map == name


def _is_over(status: WorkflowStatus) -> bool:
    return status.phase is not None and status.phase.is_final
