"""One pass over one Workflow: observe, plan, start, end, record, tell.

Every trigger leads here, and nothing else acts. The order keeps three promises: a decision stands
in recorded status before anything acts on it; a start that rests on pod verdicts alone leaves
before the record (the hot path); and status says only what was answered or seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.cluster import ports
from tidegate.cluster.patience import Patience
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.model import Plan, Start
from tidegate.engine.plan import plan
from tidegate.engine.size import minimal
from tidegate.errors import InvalidSpec, Refused
from tidegate.facts.model import Answer, AnswerKind, Facts, WorkflowFact

_MAX_ROUNDS = 8
"""Rounds of one pass: each records a decision or a proof; what is left waits for its next turn."""
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
            TryAgain: the world must change first; the caller comes back with backoff.
            Refused: the API server refuses something that it shouldn't; likewise.
        """
        for _ in range(_MAX_ROUNDS):
            fact = self._world.view.workflow(key)
            if fact is None or fact.deleting:
                self._forget(key)
                return
            if not await self._round(fact):
                return
        self._world.agenda.wake_at(key, self._world.clock.now())

    async def _round(self, fact: WorkflowFact) -> bool:
        """One round; True if there is another to come at once."""
        world, status = self._world, self._status(fact)
        planned = self._plan(fact, status, world.view.facts(fact))
        if planned.prove:
            await world.hands.prove(fact, planned.prove)
            planned = self._plan(fact, status, world.view.facts(fact))
        if planned.decides or self._remembered(fact).owes_record:
            await self._record(fact, status, planned)
            return True
        answers = await self._start(fact, planned.starts)
        if answers:
            facts = replace(world.view.facts(fact), answers=answers)
            planned = self._plan(fact, status, facts)
        await world.hands.end(fact, planned.ends)
        await world.hands.remove(fact, planned.removes)
        if planned.delete_workflow:
            await world.hands.delete_workflow(fact)
            return False
        urgent = planned.decides or any(a.job is not None for a in answers.values())
        await self._record_when_due(fact, status, planned, urgent=urgent)
        if planned.wake_at is not None:
            world.agenda.wake_at(fact.key, planned.wake_at)
        return planned.decides or any(s.attempt not in answers for s in planned.starts)

    def _plan(self, fact: WorkflowFact, status: WorkflowStatus, facts: Facts) -> Plan:
        now = self._world.clock.now()
        memory = self._remembered(fact)
        if memory.valid is None or memory.generation != fact.generation:
            memory.valid, memory.generation = _validated(fact), fact.generation
        if isinstance(memory.valid, InvalidSpec):
            return plan_invalid(fact, status, memory.valid.faults, now)
        return plan(memory.valid, fact, status, facts, now)

    async def _start(
        self, fact: WorkflowFact, starts: tuple[Start, ...]
    ) -> Mapping[AttemptId, Answer]:
        """Create what the gate lets through; whatever is not created gets an answer, too."""
        workflow = self._remembered(fact).valid
        if not starts or not isinstance(workflow, ValidatedWorkflow):
            return {}
        now = self._world.clock.now()
        resting = {s.attempt: self._patience.recall(fact.uid, s.attempt, now) for s in starts}
        answers = {attempt: answer for attempt, answer in resting.items() if answer is not None}
        free = [start for start in starts if start.attempt not in answers]
        admitted = self._world.gate.admit(fact.key, len(free))
        for start in free[admitted:]:
            answers[start.attempt] = Answer(AnswerKind.LATER, now)
        created = await self._world.hands.start(workflow, free[:admitted])
        return answers | {
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
        except Refused as error:
            if not _is_too_large(error):
                raise
            least = minimal(planned.status, self._world.clock.now())
            await self._world.book.record(fact, before, least)
        memory.owes_record = False
        memory.write_at = self._world.clock.now() + _pause(planned.status)
        self._world.teller.tell(fact, planned.notes, planned.observations)

    def _status(self, fact: WorkflowFact) -> WorkflowStatus:
        memory = self._remembered(fact)
        if memory.status is None or memory.version != fact.resource_version:
            memory.status = WorkflowStatus.model_validate(fact.status)
            memory.version = fact.resource_version
        return memory.status

    def _remembered(self, fact: WorkflowFact) -> _Memory:
        memory = self._memory.get(fact.key)
        if memory is None or memory.uid != fact.uid:
            memory = self._memory[fact.key] = _Memory(fact.uid)
        return memory

    def _forget(self, key: WorkflowKey) -> None:
        memory = self._memory.pop(key, None)
        if memory is not None:
            self._patience.forget(memory.uid)


def _validated(fact: WorkflowFact) -> ValidatedWorkflow | InvalidSpec:
    try:
        return validate(fact)
    except InvalidSpec as error:
        return error


def _pause(status: WorkflowStatus) -> timedelta:
    """How long facts gather before the next write: the longer, the more there is to write."""
    nodes = len(status.nodes) + sum(len(node.failures) for node in status.nodes.values())
    size = nodes * 256 + sum(len(node.outputs or "") for node in status.nodes.values())
    return max(_CALM_INTERVAL, timedelta(seconds=size / _BYTES_PER_SECOND))


def _is_too_large(error: Refused) -> bool:
    return error.status == 413 or "too large" in error.message.lower()  # noqa: PLR2004
