"""The status of a Workflow: all state that the operator has.

Whatever decides what happens next is here or can be read from Jobs and pods; the operator keeps
nothing else. Models are frozen; a pass over a Workflow makes a new status from the one that it
read and the facts.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from tidegate.api.model import StatusModel, Time


class Phase(StrEnum):
    """Where a Workflow stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    WAITING = "Waiting"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self in _FINAL_PHASES


_FINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
LIVE_PHASES = (Phase.RUNNING, Phase.WAITING, Phase.SUSPENDED)
"""Phases in which a run is on and the definition is locked."""


class NodePhase(StrEnum):
    """Where a node stands in the present run."""

    PENDING = "Pending"
    WAITING = "Waiting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to the node in this run."""
        return self in _ENDED


_ENDED = frozenset({NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.SKIPPED, NodePhase.CANCELLED})


def _zero_is_absent() -> int:
    """A count that isn't written while it is 0, as most are."""
    count: int = Field(default=0, exclude_if=lambda value: value == 0)
    return count


def _is_empty(value: object) -> bool:
    return not value


class JobRef(StatusModel):
    """The Job of the node's latest attempt."""

    name: str
    """Its name, in the Workflow's namespace."""
    uid: str = ""
    """Its uid, once an answer or event told it."""
    run: int = 1
    """The run that the attempt belongs to; a kept node's is a former one."""
    standby: str | None = None
    """The standby that ran in the node's place."""
    ending: str | None = None
    """The reason for which the operator decided to end the attempt, before it did so."""
    hopeless: bool | None = None
    """Whether it is ended for a fault that trying again can't heal, like a wrong image name."""


class Failure(StatusModel):
    """How one attempt failed."""

    attempt: int
    """Number of the attempt, from 1."""
    standby: str | None = None
    """The standby that ran in the node's place."""
    reason: str
    """Why, in one word."""
    exit_code: int | None = None
    """Exit code of the container that failed first."""
    message: str = ""
    """Why, for people."""
    started_at: Time | None = None
    """When the attempt's pod, or else its Job, began."""
    finished_at: Time | None = None
    """When the attempt ended."""


class Vote(StatusModel):
    """A vote that was counted."""

    key: str
    """The annotation's key after its slash: the node, and the tag if there is one."""
    decision: str
    """approved, rejected, or the choice."""
    by: str | None = None
    """The user that the vote names; absent where it names none."""
    verified: bool = False
    """Whether the API server is known to have checked who wrote it."""
    at: Time
    """When it was seen."""
    comment: str | None = None
    """What the voter had to say."""
    inputs: dict[str, str] = Field(default_factory=dict, exclude_if=_is_empty)
    """The values that an approval gave, or that stand in for them, by their names."""
    text: str = ""
    """The annotation's value, as it was."""


class NodeStatus(StatusModel):
    """How a node, or a handler, fares in the present run."""

    phase: NodePhase = NodePhase.PENDING
    """Where the node stands."""
    reason: str | None = None
    """Why, in one word."""
    message: str | None = None
    """What is going on or how it ended, for people."""
    wave: int | None = None
    """The wave that the node belongs to; handlers have none."""
    attempt: int = 0
    """Number of the latest attempt; 0 before the first."""
    job: JobRef | None = None
    """The Job of the latest attempt."""
    standby: str | None = None
    """The standby that runs, or is about to run, in the node's place."""
    retries: int = _zero_is_absent()
    """Counted retries so far of whoever runs the node now: itself, or its standby."""
    serving_since: Time | None = None
    """When the first attempt of whoever runs the node now began; ``maxDuration`` counts from it."""
    disruptions: int = _zero_is_absent()
    """Attempts that were lost to evictions, drained nodes and the like, and not counted."""
    started_at: Time | None = None
    """When the first attempt began."""
    finished_at: Time | None = None
    """When the node ended."""
    retry_at: Time | None = None
    """When the next attempt may begin."""
    exit_code: int | None = None
    """Exit code of the latest attempt that ended."""
    outputs: str | None = None
    """The outputs of the attempt that succeeded, with what stands in for those it didn't write: a
    JSON object as one text, as a merge patch would take each null in it for a removal."""
    when: bool | None = None
    """Whether the node's condition held, once it was asked in this run."""
    served_by: str | None = None
    """The standby that succeeded in the node's place."""
    definition: str | None = None
    """Hash of what the node runs, as ``<format>:<hash>``."""
    failures: tuple[Failure, ...] = ()
    """The attempts that failed, oldest first; shortened when the status grows too large."""
    code: str | None = None
    """Of a checkpoint: five characters by which a vote can name this very opening."""
    opened_at: Time | None = None
    """When the checkpoint opened; its timeout counts from here."""
    policy: str | None = None
    """The fingerprint of the admission policies that were in force when the checkpoint opened."""
    covers: str | None = None
    """Hash of what the checkpoint's decision covers: itself, all before and all behind it."""
    seen: tuple[str, ...] = ()
    """The votes that were looked at and still stand there, at most 64: digest, key and beginning of
    each."""
    votes: tuple[Vote, ...] = ()
    """The votes that were counted, oldest first, at most 40: of each user the latest, and some
    before these."""


class WaveStatus(StatusModel):
    """How a wave fares."""

    phase: NodePhase = NodePhase.PENDING
    """Pending, Running, Succeeded, Failed, Skipped or Cancelled."""
    started_at: Time | None = None
    """When its first attempt began."""
    finished_at: Time | None = None
    """When its last node ended."""


Cause = Literal["Failure", "DeadlineExceeded", "CancelGraceful", "CancelNow"]
"""What made a run end before all of its nodes had run; later ones are stronger."""


class Ending(StatusModel):
    """Why the run is ending early; latched, and replaced only by a stronger cause."""

    cause: Cause
    """What made the run end."""
    node: str | None = None
    """The node whose failure it was."""
    wave: int | None = None
    """That node's wave."""
    at: Time
    """When it was decided."""


FinalPhase = Literal[Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED]


class Outcome(StatusModel):
    """How the run went, recorded before the first handler starts."""

    phase: FinalPhase
    """The phase that the run will end in, unless an exit handler fails."""
    reason: str
    """Why, in one word."""
    at: Time
    """When it was decided."""


class RunSummary(StatusModel):
    """How a former run ended."""

    run: int
    """Its number."""
    phase: Phase
    """How it ended."""
    reason: str | None = None
    """Why, in one word."""
    started_at: Time | None = None
    """When it began."""
    finished_at: Time | None = None
    """When it ended."""


class Requests(StatusModel):
    """The texts of requests by annotation that were consumed; the same text acts only once."""

    rerun: str | None = None
    """The last text of ``tidegate.dev/rerun`` that was consumed."""
    cancel: str | None = None
    """The last text of ``tidegate.dev/cancel`` that was consumed."""


class LogRef(StatusModel):
    """Where the log is."""

    config_map: str
    """Name of the ConfigMap, in the Workflow's namespace."""


class Condition(StatusModel):
    """``metav1.Condition``."""

    type: str
    """Type of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """Why, in one word."""
    message: str = ""
    """Why, for people."""
    last_transition_time: Time
    """When the status of this condition last changed."""
    observed_generation: int = 0
    """The generation of the spec that this condition speaks of."""


class WorkflowStatus(StatusModel):
    """All state of a Workflow."""

    observed_generation: int = -1
    """The latest generation of the spec that the operator has seen; -1 before it saw any."""
    run_generation: int | None = None
    """The generation of the spec that the present run runs."""
    phase: Phase | None = None
    """Where the Workflow stands."""
    reason: str | None = None
    """Why, in one word."""
    message: str | None = None
    """What is going on or how the run ended, for people."""
    run: int = 0
    """Number of the present run; 0 before the first."""
    wave: int | None = None
    """The first wave that has not ended; absent with ``execution: Eager``."""
    progress: str | None = None
    """Nodes that ended well, of all nodes."""
    waiting_for: str | None = None
    """The checkpoints that wait for a person, joined."""
    started_at: Time | None = None
    """When the present run began."""
    finished_at: Time | None = None
    """When it ended."""
    waves: dict[str, WaveStatus] = Field(default_factory=dict)
    """The waves, by number."""
    nodes: dict[str, NodeStatus] = Field(default_factory=dict)
    """The nodes and handlers, by name."""
    ending: Ending | None = None
    """Why the run ends early."""
    outcome: Outcome | None = None
    """How the run went; recorded before the first handler starts."""
    order: tuple[str, ...] | None = None
    """The nodes in the order of the list when the run began."""
    runs: tuple[RunSummary, ...] = ()
    """The last ten runs before this one."""
    definition: str | None = None
    """Hash of everything that the present run runs, as ``<format>:<hash>``."""
    authors: tuple[str, ...] = ()
    """Who wrote the Workflow, changed it or asked for a rerun while a checkpoint forbade authors to
    vote, by the annotation ``tidegate.dev/author``; at most 64."""
    ignored: tuple[str, ...] = ()
    """Digests of the votes that were ignored as nothing asks for them, at most 64."""
    requests: Requests = Field(default_factory=Requests)
    """Requests by annotation that were consumed."""
    log: LogRef | None = None
    """Where the log of its runs is written."""
    conditions: tuple[Condition, ...] = ()
    """Conditions for ``kubectl wait``, Argo CD and Flux."""

    @property
    def is_over(self) -> bool:
        """Whether the Workflow has ended, so that only leftovers, requests and clocks matter."""
        return self.phase is not None and self.phase.is_final
