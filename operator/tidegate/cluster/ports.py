"""What the reconcile loop asks of the world: five ports, and the requests beneath them.

``Api`` is the rim: one method for each request that Tidegate ever sends. The simulator implements
it over a cluster in memory, so that view, gate, hands and book are the real ones there, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.model import End, Note, Observation, Remove, Start
from tidegate.facts.model import Answer, Facts, WorkflowFact

Raw = Mapping[str, Any]
"""An object as the API server sends it, decoded from JSON."""


class Api(Protocol):
    """Requests to the API server; every method raises only ``tidegate.errors.ApiError``."""

    async def create_job(self, namespace: str, manifest: Raw) -> Raw:
        """POST with ``fieldValidation=Strict``; never repeated by itself."""

    async def get_job(self, namespace: str, name: str) -> Raw:
        """GET, a quorum read."""

    async def patch_job(self, namespace: str, name: str, patch: Raw) -> Raw:
        """Merge patch; ``metadata.uid`` in it is the precondition."""

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """DELETE in the foreground with uid precondition; 404 and another uid are fine."""

    async def list_pods(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        """Quorum LIST of pods whose label ``batch.kubernetes.io/controller-uid`` is ``job_uid``."""

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """DELETE with uid precondition; 404 and another uid are fine."""

    async def list_job_events(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        """Core Events about the Job with this uid and reason FailedCreate, oldest first."""

    async def get_workflow(self, namespace: str, name: str) -> Raw:
        """GET, a quorum read."""

    async def patch_status(self, namespace: str, name: str, patch: Raw) -> Raw:
        """Merge patch of the status subresource; uid and resourceVersion in it are preconditions.

        Never repeated by itself: after a lost answer the caller reads first.
        """

    async def delete_workflow(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> None:
        """DELETE in the foreground under both preconditions."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The present time, UTC."""


class View(Protocol):
    """What is known of the cluster, in memory; never asks."""

    def workflow(self, key: WorkflowKey) -> WorkflowFact | None:
        """The Workflow, or None where none is known."""

    def facts(self, workflow: WorkflowFact) -> Facts:
        """What is known of its attempts, without answers."""

    def keys(self) -> Iterable[WorkflowKey]:
        """Every Workflow that is known."""


class Gate(Protocol):
    """Lets Job creations through at a pace that Job controller and scheduler can follow."""

    def admit(self, key: WorkflowKey, wanted: int) -> int:
        """How many of ``wanted`` creations may leave now; asked again, the key keeps its turn.

        A key that got fewer than it wanted is woken when there is room, in fair turns over
        namespaces and Workflows. One that wants none any more says so with 0: else room is kept
        for it.
        """

    def forget(self, key: WorkflowKey) -> None:
        """The Workflow is gone, or will create nothing more: its place and its room are free."""


class Hands(Protocol):
    """Carries out what a plan wants; every answer enters the view before it is returned."""

    async def start(
        self, workflow: ValidatedWorkflow, starts: Sequence[Start]
    ) -> Mapping[AttemptId, Answer]:
        """Create Jobs, all at once; each start gets an answer, whatever happens."""

    async def end(self, workflow: WorkflowFact, ends: Sequence[End]) -> None:
        """Stop attempts; what has already gone is fine.

        Raises:
            ApiError: a request failed; the others were sent.
        """

    async def remove(self, workflow: WorkflowFact, removes: Sequence[Remove]) -> None:
        """Delete Jobs in the foreground; raises like ``end``."""

    async def prove(self, workflow: WorkflowFact, attempts: Sequence[AttemptId]) -> None:
        """Find out whether these attempts exist: GET the Job, quorum LIST its pods."""

    async def delete_workflow(self, workflow: WorkflowFact) -> None:
        """Delete the Workflow whose time to live is over."""


class Book(Protocol):
    """Records status."""

    async def record(
        self, workflow: WorkflowFact, before: WorkflowStatus, after: WorkflowStatus
    ) -> None:
        """Write the difference under resourceVersion; the answer enters the view.

        Raises:
            Conflict: the Workflow changed; it was read again into the view.
            TryAgain: no answer or a fault; the Workflow was read again where possible.
            Refused: the server won't have it.
        """

    async def reread(self, workflow: WorkflowFact) -> Raw | None:
        """GET the Workflow into the view; None if there is none any more."""


class Teller(Protocol):
    """Tells people and metrics what was recorded; never raises, never waits."""

    def tell(
        self,
        workflow: WorkflowFact,
        notes: Sequence[Note],
        observations: Sequence[Observation],
    ) -> None:
        """Hand over for telling."""


class Recorder(Protocol):
    """Keeps the log of each Workflow; never raises, never waits."""

    def note(
        self, workflow: WorkflowFact, valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        """This status was recorded; ``valid`` is None where the spec is invalid."""

    def find_over(
        self, workflow: WorkflowFact, valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        """The run was found to be over, whoever recorded that: perhaps a leader that was paused."""

    def find_deleted(self, workflow_uid: str) -> None:
        """The Workflow is gone or on its way, maybe in the middle of a run."""

    def has_logged(self, workflow: WorkflowFact, attempt: AttemptId | None = None) -> bool:
        """Whether the log has what there is to tell of an attempt, or of the Workflow.

        After half a minute of asking the answer is yes in any case: nothing waits for a log longer.
        """


class Agenda(Protocol):
    """When a Workflow's key is looked at again."""

    def wake_at(self, key: WorkflowKey, at: datetime) -> None:
        """Look at it again no later than ``at``."""
