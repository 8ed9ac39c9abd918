"""What a plan is made of: the new status, and what is to be done about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.api.identity import AttemptId
from tidegate.api.status import WorkflowStatus


@dataclass(frozen=True, slots=True)
class Start:
    """Create the Job of an attempt."""

    attempt: AttemptId
    env: tuple[tuple[str, str], ...] = ()
    """Variables for this attempt alone (``TIDEGATE_…``), not yet escaped for the kubelet."""
    values: tuple[tuple[str, str], ...] = ()
    """What references to other nodes stand for, by their text; not yet escaped either."""
    default_timeout: float | None = None
    """Seconds: the attempt's timeout where the node sets none (handlers)."""


class EndMode(StrEnum):
    """How an attempt is made to stop."""

    STOP_JOB = "stop"
    """PATCH: annotation ``tidegate.dev/end`` and ``activeDeadlineSeconds: 1``; the Job stays."""
    DELETE_JOB = "delete-job"
    """DELETE in the foreground: for Jobs that are suspended or never started."""
    DELETE_POD = "delete-pod"
    """DELETE of an orphaned pod whose Job is gone."""


@dataclass(frozen=True, slots=True)
class End:
    """Stop an attempt that recorded status has decided against."""

    attempt: AttemptId
    mode: EndMode
    name: str
    """Of the Job or pod."""
    uid: str
    """Its uid, sent as a precondition."""
    reason: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the Job of an attempt that has ended; its removal stands in recorded status."""

    attempt: AttemptId
    name: str
    uid: str


class NoteKind(StrEnum):
    """Reasons of the Events that are written on a Workflow."""

    WORKFLOW_STARTED = "WorkflowStarted"
    WAVE_STARTED = "WaveStarted"
    NODE_RETRYING = "NodeRetrying"
    NODE_FAILED = "NodeFailed"
    FALLBACK_STARTED = "FallbackStarted"
    REQUEST_IGNORED = "RequestIgnored"
    POD_STUCK = "PodStuck"
    CHECKPOINT_WAITING = "CheckpointWaiting"
    CHECKPOINT_APPROVED = "CheckpointApproved"
    CHECKPOINT_REJECTED = "CheckpointRejected"
    CHECKPOINT_VOTE_IGNORED = "CheckpointVoteIgnored"
    WORKFLOW_SUCCEEDED = "WorkflowSucceeded"
    WORKFLOW_FAILED = "WorkflowFailed"
    WORKFLOW_CANCELLED = "WorkflowCancelled"
    INVALID_SPEC = "InvalidSpec"
    LOG_INCOMPLETE = "LogIncomplete"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell people, once the status that it speaks of is recorded."""

    kind: NoteKind
    message: str
    node: str = ""
    attempt: int = 0
    """Number of the attempt that it is about; 0 for none."""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Something to count, once the status that it speaks of is recorded."""

    name: str
    """Name of the metric's record function, for example ``node_attempt_ended``."""
    value: float = 1.0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step of a Workflow.

    ``starts`` may leave before ``status`` is recorded: they rest on the status that was read and on
    facts alone. ``ends`` and ``removes`` carry out decisions that the status that was read holds.
    """

    status: WorkflowStatus
    starts: tuple[Start, ...] = ()
    ends: tuple[End, ...] = ()
    removes: tuple[Remove, ...] = ()
    prove: tuple[AttemptId, ...] = ()
    """Attempts of which nothing is seen; nothing is decided about them until that is proven."""
    decides: bool = False
    """Whether ``status`` holds a new decision: it is recorded at once, and then planned again."""
    notes: tuple[Note, ...] = ()
    observations: tuple[Observation, ...] = ()
    wake_at: datetime | None = None
    """When time alone changes the plan; None if only facts can."""
    delete_workflow: bool = False
    """``ttlSecondsAfterFinished`` is over."""
