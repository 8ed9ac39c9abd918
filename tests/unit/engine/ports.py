"""The ports of the reconcile loop over one Workflow, each call in a log."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.unit.engine.builders import KEY, workflow_fact
from tests.unit.engine.objects import Objects
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.model import End, Note, Observation, Remove, Start
from tidegate.facts.model import Answer, AnswerKind, Facts, WorkflowFact
from tidegate.reconcile import Reconciler, World


class Ports(Objects):
    """All ports over one Workflow; ``log`` tells what went through them, in order."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__()
        self.fact: WorkflowFact | None = workflow_fact(given)
        self.log: list[str] = []
        self.room = 100
        self.refuse: dict[str, AnswerKind] = {}
        self.errors: list[Exception] = []
        self.unprovable: Exception | None = None
        self.unwilling: Exception | None = None
        """What ending an attempt is answered with."""
        self.notes: list[Note] = []
        self.wakes: list[datetime] = []
        self.noted: list[WorkflowStatus] = []
        self.found: list[WorkflowStatus] = []
        self.missed: list[str] = []
        self.logs_lag = False
        world = World(view=self, gate=self, hands=Hands(self), book=self, teller=self,
                      recorder=self, agenda=self, clock=Clock(self))  # fmt: skip
        self.reconciler = Reconciler(world)

    async def look(self) -> list[str]:
        """One pass; what it did."""
        self.log.clear()
        self.wakes.clear()
        await self.reconciler.reconcile(KEY)
        return list(self.log)

    @property
    def status(self) -> WorkflowStatus:
        assert self.fact is not None
        return WorkflowStatus.model_validate(self.fact.status)

    def change(self, **fields: Any) -> None:
        assert self.fact is not None
        version = str(int(self.fact.resource_version) + 1)
        self.fact = replace(self.fact, resource_version=version, **fields)

    # View, Gate, Book, Teller, Recorder, Agenda

    def workflow(self, _key: WorkflowKey) -> WorkflowFact | None:
        return self.fact

    def facts(self, _workflow: WorkflowFact) -> Facts:
        return Facts(dict(self.attempts))

    def keys(self) -> list[WorkflowKey]:
        return [KEY]

    def admit(self, _key: WorkflowKey, wanted: int) -> int:
        return min(wanted, self.room)

    def forget(self, key: WorkflowKey) -> None:
        """The gate keeps no place for it."""

    async def record(
        self, _workflow: WorkflowFact, before: WorkflowStatus, after: WorkflowStatus
    ) -> None:
        self.log.append(f"record {after.phase}")
        assert before == self.status
        if self.errors:
            raise self.errors.pop(0)
        self.change(status=after.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def reread(self, workflow: WorkflowFact) -> Any:
        raise AssertionError(f"{workflow.key} was read again")

    def tell(
        self, _workflow: WorkflowFact, notes: Sequence[Note], _numbers: Sequence[Observation]
    ) -> None:
        self.notes += notes
        self.log += [f"tell {note.kind}" for note in notes]

    def note(
        self, _workflow: WorkflowFact, _valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        self.noted.append(status)

    def find_over(
        self, _workflow: WorkflowFact, _valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        self.found.append(status)

    def find_deleted(self, workflow_uid: str) -> None:
        self.missed.append(workflow_uid)

    def has_logged(self, _workflow: WorkflowFact, _attempt: AttemptId | None = None) -> bool:
        return not self.logs_lag

    def wake_at(self, _key: WorkflowKey, at: datetime) -> None:
        self.wakes.append(at)


class Clock:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def now(self) -> datetime:
        return self._ports.now


class Hands:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def start(
        self, workflow: ValidatedWorkflow, starts: Sequence[Start]
    ) -> Mapping[AttemptId, Answer]:
        return {start.attempt: self._answer(workflow, start.attempt) for start in starts}

    def _answer(self, workflow: ValidatedWorkflow, attempt: AttemptId) -> Answer:
        ports = self._ports
        kind = ports.refuse.get(attempt.node, AnswerKind.CREATED)
        ports.log.append(f"start {attempt.node}{attempt.number}")
        if kind is not AnswerKind.CREATED and not attempt.standby:
            return Answer(kind, ports.now, "words")
        job = ports.job_appears(workflow, attempt)
        return Answer(AnswerKind.CREATED, ports.now, job=job)

    async def end(self, _workflow: WorkflowFact, ends: Sequence[End]) -> None:
        if ends and self._ports.unwilling:
            raise self._ports.unwilling
        for end in ends:
            self._ports.log.append(f"end {end.attempt.node}{end.attempt.number}")
            self._ports.end(end)

    async def remove(self, _workflow: WorkflowFact, removes: Sequence[Remove]) -> None:
        for remove in removes:
            self._ports.log.append(f"remove {remove.attempt.node}{remove.attempt.number}")
            del self._ports.attempts[remove.attempt]

    async def prove(self, _workflow: WorkflowFact, attempts: Sequence[AttemptId]) -> None:
        self._ports.log += [f"prove {a.node}{a.number}" for a in attempts]
        if self._ports.unprovable:
            raise self._ports.unprovable
        self._ports.prove(attempts)

    async def delete_workflow(self, _workflow: WorkflowFact) -> None:
        self._ports.log.append("delete")
