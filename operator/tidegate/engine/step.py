"""What one pass makes of a task, and what the task is to the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidegate.api.identity import AttemptId
from tidegate.api.status import NodeStatus
from tidegate.api.task import Task
from tidegate.constants import MAX_RUN_OUTPUT_BYTES
from tidegate.engine.model import Note


@dataclass(frozen=True, slots=True)
class NodeStep:
    """What one pass makes of a task."""

    status: NodeStatus
    live: bool = False
    """Whether an attempt of it has a Job that hasn't ended."""
    wants: AttemptId | None = None
    """The attempt that may start now, as far as the task itself is concerned."""
    values: tuple[tuple[str, str], ...] = ()
    """What its references to other nodes stand for."""
    prove: AttemptId | None = None
    """The attempt whose existence must be proven before anything is decided."""
    wake_at: datetime | None = None
    """When time alone changes this step."""
    notes: tuple[Note, ...] = ()
    """What there is to tell that the status alone doesn't say."""


@dataclass(frozen=True, slots=True)
class Role:
    """What the task is to the run."""

    task: Task
    """The task of the node or handler itself."""
    fallback: Task | None = None
    """The standby that serves in its place when it has failed finally."""
    may_retry: bool = True
    """Whether retries and fallback are open to it: not so when the run ends in haste."""
    forgives_disruptions: bool = True
    nodes: Mapping[str, NodeStatus] = field(default_factory=dict, compare=False)
    """All nodes as this pass has found them so far: what references and conditions read."""
    room: int = MAX_RUN_OUTPUT_BYTES
    """Bytes that its outputs may take in the run."""
    abandons_lost_pods: bool = False
    """Whether a pod that can't be confirmed stopped no longer holds the node (deadline, cancel)."""

    def server(self, node: NodeStatus) -> Task:
        """The task that serves the node now."""
        return self.fallback if node.standby and self.fallback is not None else self.task
