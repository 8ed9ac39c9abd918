"""What the recorder remembers of a Workflow whose log isn't written to its end."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from tidegate.api.identity import log_name
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.cluster.log_writer import Snapshot
from tidegate.facts.model import EMPTY, WorkflowFact
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
    run: int
    """The latest that was heard of."""
    over: bool
    """Whether that one has ended."""
    retained: bool
    """Whether its log outlives the Workflow."""
    last: WorkflowStatus | None
    """The status of a run that is on, where its log does: kept to close it with."""
    workflow: ValidatedWorkflow | None
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
    held: dict[str, float] = field(default_factory=dict)
    """Since when attempts that may go, or the Workflow (no name), are kept for the log."""
    errors: int = 0
    lacks_tails: bool = False
    """Whether the log tells all that was heard, but for tails that can't be read yet."""
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
        return any(snapshot.status.is_over for snapshot in self.todo.values())

    def lacks(self, run: int, attempt: str) -> bool:
        """Whether the log may still want the tail of an attempt of ``run``."""
        return (run == self.run or run in self.todo) and attempt not in self.settled

    def let_go(self) -> bool:
        """Whether the log has, by now, something of what is kept for it; the rest waits on."""
        before = len(self.held)
        self.held = {
            name: since
            for name, since in self.held.items()
            if self.todo and name not in self.settled
        }
        return len(self.held) < before

    def due(self, now: float, pace: Pace) -> float:
        """The loop's time of the next write."""
        due = now + pace.at_end if self.has_end else self.not_before
        return max(due, self.written_at + pace.between, self.retry_at)

    def hear(self, fact: WorkflowFact, snapshot: Snapshot) -> None:
        """Take up what is known now; mostly a status isn't kept longer than it takes to tell."""
        self.fact, self.workflow = replace(fact, spec=EMPTY, status=EMPTY), snapshot.workflow
        self.run, self.over = snapshot.status.run, snapshot.status.is_over
        self.retained = is_retained(fact, snapshot.status)
        self.last = snapshot.status if self.retained and not self.over else None


def new_entry(fact: WorkflowFact, snapshot: Snapshot, not_before: float) -> Entry:
    """An entry that has heard of this status."""
    entry = Entry(fact, 0, False, False, None, None, not_before)
    entry.hear(fact, snapshot)
    return entry


def is_retained(fact: WorkflowFact, status: WorkflowStatus) -> bool:
    """Whether the log that ``status`` names outlives its Workflow."""
    name = log_name(fact.key.name, fact.uid, retain=True)
    return status.log is not None and status.log.config_map == name
