"""The facts themselves: small, frozen, in slots, and comparable.

An event wakes a Workflow only if the fact made from it differs from the one before, so nothing
stands here that no decision or message needs (no resourceVersion, no managedFields, no heartbeat).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tidegate.api.identity import AttemptId, WorkflowKey

EMPTY: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class JobEnd:
    """What the Job controller decided about a Job."""

    succeeded: bool
    """``status.succeeded`` >= 1 or a condition SuccessCriteriaMet/Complete; beats a failure."""
    reason: str
    """Reason of the condition: DeadlineExceeded, PodFailurePolicy, BackoffLimitExceeded …"""
    message: str
    """Its message."""
    at: datetime | None
    """When it was decided (lastTransitionTime of the earlier of FailureTarget and Failed)."""
    stopped: bool
    """Complete or Failed: no pod of the Job runs any more (FailureTarget means only decided)."""


@dataclass(frozen=True, slots=True)
class JobFact:
    """A Job that belongs to a Workflow."""

    name: str
    uid: str
    owner_uid: str
    """uid of the controller owner reference, which is the Workflow's."""
    attempt: AttemptId
    definition: str
    created_at: datetime
    started_at: datetime | None = None
    """``status.startTime``; None for a Job that is suspended or not yet seen by its controller."""
    suspended: bool = False
    deleting: bool = False
    end_reason: str | None = None
    """Annotation ``tidegate.dev/end``."""
    deadline: int | None = None
    """``spec.activeDeadlineSeconds``."""
    failed: int = 0
    """``status.failed``: pods of it that failed; 0 where it never had one."""
    end: JobEnd | None = None


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container of a pod terminated."""

    name: str
    exit_code: int
    reason: str
    """OOMKilled, Error, Completed, ContainerCannotRun, StartError …"""
    message: str
    """The termination message."""
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class PodFact:
    """A pod of a Job that belongs to a Workflow."""

    name: str
    uid: str
    job_uid: str
    """From label ``batch.kubernetes.io/controller-uid``: holds for orphans, too."""
    attempt: AttemptId
    created_at: datetime
    phase: str
    """Pending, Running, Succeeded, Failed, Unknown."""
    deletion_at: datetime | None = None
    """``metadata.deletionTimestamp``: when it will have been killed, grace period included."""
    reason: str = ""
    """``status.reason``: Evicted, DeadlineExceeded, NodeLost, UnexpectedAdmissionError …"""
    message: str = ""
    disruption: str | None = None
    """Message of a true condition DisruptionTarget; empty text where it has none."""
    blocked: str | None = None
    """Why it can't start, in the scheduler's or kubelet's words, ``<reason>: <message>``."""
    main_started_at: datetime | None = None
    """When ``main`` first started; None while it never has."""
    main: ContainerEnd | None = None
    failed: ContainerEnd | None = None
    """The container that failed first (exit code other than 0), sidecars aside."""
    any_started: bool = False
    """Whether any container, init containers included, ever started."""
    helpers_running: tuple[str, ...] = ()
    """Ordinary containers that run on although ``main`` has terminated."""
    finished_at: datetime | None = None
    """When its last container terminated; None while it runs."""
    node_name: str = ""
    image_id: str = ""
    """What ``main`` ran, as the kubelet pulled it."""

    @property
    def is_over(self) -> bool:
        """Whether the pod reached a terminal phase; by itself or not is another question."""
        return self.phase in ("Succeeded", "Failed")


class Existence(StrEnum):
    """What is known about an attempt's Job and pods."""

    PRESENT = "present"
    """A Job or a pod of it is in the view."""
    GONE = "gone"
    """Proven: a GET found no Job of it, or another one, and a LIST no pods."""
    UNPROVEN = "unproven"
    """The view holds nothing, which proves nothing."""


@dataclass(frozen=True, slots=True)
class AttemptFact:
    """All that is known about one attempt."""

    existence: Existence
    job: JobFact | None = None
    pods: tuple[PodFact, ...] = ()
    """Every pod of the attempt's Job, oldest first, orphans included."""
    refusal: str | None = None
    """Why the Job has no pod, in the words of its latest FailedCreate event.

    None: its Events weren't asked yet (a new process knows nothing of them), so nothing may be
    concluded from their silence. Empty: they were asked, and nothing is there. They are asked for
    every Job that is owed a pod, and once for one that ended without ever having had any.
    """
    disrupted: bool = False
    """Whether a Job or pod of it, seen before it went, showed a disruption."""
    job_gone: bool = False
    """Proven: no Job of this uid is there, says a GET, or an event of one that was in deletion.

    Pods of it may still be there, as orphans.
    """
    pods_listed: bool = False
    """Proven: a LIST that left after the Job's end was known told of every pod that it still has.

    Until then one that was never seen may be there, as watches of Jobs and pods don't keep step.
    """
    last_pod: PodFact | None = None
    """The last state of a pod that is gone, for a verdict that it had already reached by itself."""


UNPROVEN = AttemptFact(Existence.UNPROVEN)


class AnswerKind(StrEnum):
    """What became of the request to create an attempt's Job."""

    CREATED = "created"
    ADOPTED = "adopted"
    """409, and the Job that stands there is this very attempt's."""
    CONFLICT = "conflict"
    """409, and the Job that stands there is somebody else's: NameConflict."""
    INVALID = "invalid"
    """400 or 422: InvalidPodTemplate."""
    REFUSED = "refused"
    """403, 404 or 413: JobRefused."""
    QUOTA = "quota"
    """403 with "exceeded quota": later, uncounted."""
    UNAVAILABLE = "unavailable"
    """429, 5xx, no answer, or a right that the operator lacks: later, uncounted."""
    TERMINATING = "terminating"
    """403 because the namespace is being terminated: nothing is to be done any more."""
    LATER = "later"
    """The gate had no room; the Workflow is woken when it has."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The API server's answer to the creation of an attempt's Job."""

    kind: AnswerKind
    at: datetime
    """When it arrived."""
    message: str = ""
    """The server's words."""
    job: JobFact | None = None
    """The Job, where one was created or adopted."""
    again_at: datetime | None = None
    """When it will be tried again, after QUOTA or UNAVAILABLE."""
    may_exist: bool = False
    """After UNAVAILABLE: whether nobody knows if the Job was created all the same."""


@dataclass(frozen=True, slots=True)
class WorkflowFact:
    """A Workflow as the view knows it."""

    key: WorkflowKey
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    deleting: bool
    annotations: Mapping[str, str]
    """Only those of the group ``tidegate.dev`` (``<anything>.tidegate.dev/…`` included)."""
    restored: bool
    """Whether it bears Velero's label ``velero.io/restore-name``."""
    spec: Mapping[str, Any]
    """As stored."""
    status: Mapping[str, Any]
    """As stored."""


@dataclass(frozen=True, slots=True)
class PolicyFact:
    """How far the API server checks votes: the admission policies and their bindings."""

    fingerprint: str | None = None
    """Digest over name, uid and generation of each; None: one is missing, altered, narrowed, or of
    no set that this operator knows."""
    settled: bool = False
    """Whether they were last written so long ago that the API server surely enforces them."""
    wake_at: datetime | None = None
    """When they will be settled."""
    required: bool = False
    """The setting ``requireVerifiedVotes``: votes that nobody checked don't count."""

    @property
    def in_force(self) -> str | None:
        """The fingerprint of policies that are surely enforced; None where they aren't."""
        return self.fingerprint if self.settled else None


NO_POLICY = PolicyFact()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a Workflow's attempts at one moment."""

    attempts: Mapping[AttemptId, AttemptFact] = field(default_factory=dict)
    """Every attempt of the Workflow (all runs) that the view knows anything of."""
    answers: Mapping[AttemptId, Answer] = field(default_factory=dict)
    """Answers to this pass's own creations; empty when a pass begins."""
    namespace_excluded: bool = False
    """Whether the operator was told to leave this namespace alone."""
    policies: PolicyFact = NO_POLICY
    """Whether votes are checked by the API server."""

    def of(self, attempt: AttemptId) -> AttemptFact:
        """What is known of ``attempt``."""
        return self.attempts.get(attempt, UNPROVEN)
