"""One pass over one Workflow: observe, plan, start, end, record, tell.

Every trigger leads here, and nothing else acts. The order keeps three promises: a decision stands
in recorded status before anything acts on it; a start that rests on pod verdicts alone leaves
before the record (the hot path); and status says only what was answered or seen.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.cluster import ports
from tidegate.cluster.patience import Patience
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.model import Plan, Start
from tidegate.engine.plan import plan
from tidegate.engine.size import given_up
from tidegate.errors import ApiError, InvalidSpec, UserError
from tidegate.facts.model import Answer, AnswerKind, Facts, WorkflowFact

log = logging.getLogger(__name__)

_MAX_ROUNDS = 8
"""Rounds of one pass: each records a decision or a proof; what is left waits for its next turn."""
_PASSING = frozenset(
    {AnswerKind.LATER, AnswerKind.QUOTA, AnswerKind.UNAVAILABLE, AnswerKind.TERMINATING}
)
"""Answers that are had again by asking again; whatever else was answered is recorded at once."""
_PROOF_AGAIN = timedelta(seconds=5)
_LOG_AGAIN = timedelta(seconds=2)
_CALM_INTERVAL = timedelta(milliseconds=250)
_BYTES_PER_SECOND = 256 * 1024


@dataclass(frozen=True, slots=True)
class World:
    """The ports that a pass works through."""

    view: ports.View
    gate: ports.Gate
    hands: ports.Hands
    book: ports.Book
    teller: ports.Teller
    recorder: ports.Recorder
    agenda: ports.Agenda
    clock: ports.Clock


@dataclass(slots=True)
class _Memory:
    """What is remembered of a Workflow between passes; all of it can be lost at any time."""

    uid: str
    generation: int = -1
    valid: ValidatedWorkflow | InvalidSpec | None = None
    version: str = ""
    status: WorkflowStatus | None = None
    owes_record: bool = False
    write_at: datetime | None = None
    """The earliest time of the next write that holds only facts."""


class Reconciler:
    """Runs passes; never two at once for the same key (the queue sees to that)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._memory: dict[WorkflowKey, _Memory] = {}
        self._patience = Patience()

    async def reconcile(self, key: WorkflowKey) -> None:
        """One pass.

        Raises:
            ApiError: the world must change first; the caller comes back with backoff.
            UserError: the status was written by a newer version; likewise.
        """
        for _ in range(_MAX_ROUNDS):
            fact = self._world.view.workflow(key)
            self._miss(key, fact)
            if fact is None or fact.deleting:
                self._forget(key)
                return
            if not await self._round(fact):
                return
        self._world.agenda.wake_at(key, self._world.clock.now())

    async def _round(self, fact: WorkflowFact) -> bool:
        """One round; True if there is another to come at once."""
        world, status = self._world, self._status(fact)
        resting = self._patience.resting(fact.uid, world.clock.now())
        planned = self._plan(fact, status, self._facts(fact, resting))
        if planned.prove:
            await self._prove(fact, planned.prove)
            planned = self._plan(fact, status, self._facts(fact, resting))
        if planned.decides or self._remembered(fact).owes_record:
            await self._record(fact, status, planned)
            return True
        answers = await self._start(fact, planned.starts)
        if answers:
            planned = self._plan(fact, status, self._facts(fact, resting | answers))
        if planned.wake_at is not None:
            world.agenda.wake_at(fact.key, planned.wake_at)
        urgent = planned.decides or any(a.kind not in _PASSING for a in answers.values())
        await self._record_when_due(fact, status, planned, urgent=urgent)
        if status.is_over:
            world.recorder.find_over(fact, self._valid(fact), status)
        await self._clear_away(fact, planned)
        again = planned.decides or any(s.attempt not in answers for s in planned.starts)
        if not again and planned.status.is_over:
            self._forget(fact.key)
        return again

    async def _clear_away(self, fact: WorkflowFact, planned: Plan) -> None:
        """Carry out what the status that was read has decided against.

        What is to vanish stays until the log has it.
        """
        hands, has_logged = self._world.hands, self._world.recorder.has_logged
        await hands.end(fact, planned.ends)
        removes = tuple(one for one in planned.removes if has_logged(fact, one.attempt))
        await hands.remove(fact, removes)
        delete = planned.delete_workflow and has_logged(fact)
        if delete:
            await hands.delete_workflow(fact)
        if len(removes) < len(planned.removes) or delete < planned.delete_workflow:
            self._world.agenda.wake_at(fact.key, self._world.clock.now() + _LOG_AGAIN)

    async def _prove(self, fact: WorkflowFact, attempts: tuple[AttemptId, ...]) -> None:
        """What can't be proven now is asked again; the other nodes needn't wait for it."""
        try:
            await self._world.hands.prove(fact, attempts)
        except ApiError as error:
            log.warning("%s; asked again", error, extra={"workflow": str(fact.key)})
            self._world.agenda.wake_at(fact.key, self._world.clock.now() + _PROOF_AGAIN)

    def _facts(self, fact: WorkflowFact, answers: Mapping[AttemptId, Answer]) -> Facts:
        return replace(self._world.view.facts(fact), answers=answers)

    def _plan(self, fact: WorkflowFact, status: WorkflowStatus, facts: Facts) -> Plan:
        now = self._world.clock.now()
        memory = self._remembered(fact)
        if memory.valid is None or memory.generation != fact.generation:
            memory.valid, memory.generation = _validated(fact), fact.generation
        if isinstance(memory.valid, InvalidSpec):
            return plan_invalid(fact, status, memory.valid.faults, facts, now)
        return plan(memory.valid, fact, status, facts, now)

    async def _start(
        self, fact: WorkflowFact, starts: tuple[Start, ...]
    ) -> dict[AttemptId, Answer]:
        """Create what the gate lets through; whatever is not created gets an answer, too."""
        workflow = self._remembered(fact).valid
        if not starts or not isinstance(workflow, ValidatedWorkflow):
            self._world.gate.forget(fact.key)
            return {}
        admitted = self._world.gate.admit(fact.key, len(starts))
        later = Answer(AnswerKind.LATER, self._world.clock.now())
        created = await self._world.hands.start(workflow, starts[:admitted])
        return {start.attempt: later for start in starts[admitted:]} | {
            attempt: self._patience.note(fact.uid, attempt, answer)
            for attempt, answer in created.items()
        }

    async def _record_when_due(
        self, fact: WorkflowFact, before: WorkflowStatus, planned: Plan, *, urgent: bool
    ) -> None:
        """Record at once what is urgent; let facts gather for a moment."""
        if planned.status == before:
            return
        write_at = self._remembered(fact).write_at
        if not urgent and write_at is not None and self._world.clock.now() < write_at:
            self._world.agenda.wake_at(fact.key, write_at)
            return
        await self._record(fact, before, planned)

    async def _record(self, fact: WorkflowFact, before: WorkflowStatus, planned: Plan) -> None:
        """Write the status, then hand over what there is to tell of it."""
        memory = self._remembered(fact)
        memory.owes_record = True
        try:
            await self._world.book.record(fact, before, planned.status)
        except ApiError as error:
            if not _is_too_large(error):
                raise
            planned = given_up(fact.key, planned, before, self._world.clock.now())
            await self._world.book.record(fact, before, planned.status)
        memory.owes_record = False
        memory.write_at = self._world.clock.now() + _pause(planned.status)
        self._world.teller.tell(fact, planned.notes, planned.observations)
        self._world.recorder.note(fact, self._valid(fact), planned.status)

    def _valid(self, fact: WorkflowFact) -> ValidatedWorkflow | None:
        valid = self._remembered(fact).valid
        return valid if isinstance(valid, ValidatedWorkflow) else None

    def _status(self, fact: WorkflowFact) -> WorkflowStatus:
        memory = self._remembered(fact)
        if memory.status is None or memory.version != fact.resource_version:
            memory.status = _parsed(fact)
            memory.version = fact.resource_version
        return memory.status

    def _remembered(self, fact: WorkflowFact) -> _Memory:
        memory = self._memory.get(fact.key)
        if memory is None or memory.uid != fact.uid:
            memory = self._memory[fact.key] = _Memory(fact.uid)
        return memory

    def _miss(self, key: WorkflowKey, fact: WorkflowFact | None) -> None:
        """Tell the log if the Workflow of earlier passes is gone; ``fact`` may be a namesake's."""
        memory = self._memory.get(key)
        if memory is not None and (fact is None or fact.deleting or fact.uid != memory.uid):
            self._world.recorder.find_deleted(memory.uid)

    def _forget(self, key: WorkflowKey) -> None:
        """All of it can be had again; a Workflow that has ended may lie there for years."""
        self._world.gate.forget(key)
        memory = self._memory.pop(key, None)
        if memory is not None:
            self._patience.forget(memory.uid)


def _validated(fact: WorkflowFact) -> ValidatedWorkflow | InvalidSpec:
    try:
        return validate(fact)
    except InvalidSpec as error:
        return error


def _parsed(fact: WorkflowFact) -> WorkflowStatus:
    try:
        return WorkflowStatus.model_validate(fact.status)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(
            f"{fact.key}: status.{where} can't be read ({fault['msg']}); if a newer operator wrote "
            "it, upgrade this one"
        ) from error


def _pause(status: WorkflowStatus) -> timedelta:
    """How long facts gather before the next write: the longer, the more there is to write."""
    nodes = len(status.nodes) + sum(len(node.failures) for node in status.nodes.values())
    size = nodes * 256 + sum(len(node.outputs or "") for node in status.nodes.values())
    return max(_CALM_INTERVAL, timedelta(seconds=size / _BYTES_PER_SECOND))


def _is_too_large(error: ApiError) -> bool:
    """Whether API server (413) or etcd (500, in words) find an object too large."""
    return error.status == 413 or "too large" in error.message.lower()  # noqa: PLR2004
