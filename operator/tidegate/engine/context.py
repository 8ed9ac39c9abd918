"""What every step of one pass over a Workflow may look at; all of it frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tidegate.api.identity import AttemptId
from tidegate.api.status import NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.judge import is_stopped
from tidegate.engine.votes import VoteText, texts_by_node
from tidegate.facts.model import AttemptFact, Facts, WorkflowFact

Living = Mapping[str, tuple[tuple[AttemptId, AttemptFact], ...]]
"""Attempts by their node."""


def living(facts: Facts) -> Living:
    """Attempts of any run that may still run something."""
    found: dict[str, tuple[tuple[AttemptId, AttemptFact], ...]] = {}
    for attempt, fact in facts.attempts.items():
        if not is_stopped(fact):
            found[attempt.node] = (*found.get(attempt.node, ()), (attempt, fact))
    return found


@dataclass(frozen=True)
class Context:
    """One pass: a Workflow, its recorded status, what is known of its attempts, and the time."""

    workflow: ValidatedWorkflow
    fact: WorkflowFact
    recorded: WorkflowStatus
    """The status that the pass began with: what stands here may be acted on."""
    facts: Facts
    now: datetime

    @cached_property
    def living(self) -> Living:
        """Attempts of any run that may still run something, by node."""
        return living(self.facts)

    @cached_property
    def votes(self) -> Mapping[str, tuple[VoteText, ...]]:
        """The votes that stand in the annotations, by the node that they name."""
        return texts_by_node(self.fact.annotations)

    def living_besides(self, name: str, current: AttemptId | None) -> list[AttemptId]:
        """Attempts of the node that may still run, but for ``current``."""
        return [attempt for attempt, _ in self.living.get(name, ()) if attempt != current]


def current_attempt(name: str, node: NodeStatus, run: int) -> AttemptId | None:
    """The attempt that the node's status speaks of; None before the first."""
    if not node.attempt or node.job is None:
        return None
    return AttemptId(node.job.run or run, name, node.attempt, node.job.standby or "")


def next_attempt(name: str, node: NodeStatus, run: int) -> AttemptId:
    """The attempt that would follow."""
    return AttemptId(run, name, node.attempt + 1, node.standby or "")
