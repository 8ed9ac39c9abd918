"""Operator processes: the real view, gate, hands, book and loop over the cluster in memory."""

import asyncio
import random
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from tests.sim.api import Faults, SimApi
from tests.sim.clock import EPOCH
from tests.sim.garbage import Collector
from tests.sim.logs import FAULTS, SimLogs
from tests.sim.policies import HEARD_AFTER, Policies
from tests.sim.premises import unfounded
from tests.sim.store import JOB, NAMESPACE, POD, WORKFLOW, Raw
from tests.sim.watch import Stream, Weather
from tests.sim.world import World
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.cluster.book import Book
from tidegate.cluster.gate import Gate
from tidegate.cluster.hands import Hands
from tidegate.cluster.log_writer import Writer
from tidegate.cluster.recorder import Recorder
from tidegate.cluster.view import Listing, Podless, View, Wake
from tidegate.engine.model import Note, Observation, Plan
from tidegate.errors import ApiError
from tidegate.facts.event import refusal
from tidegate.facts.model import Answer, AttemptFact, Facts, WorkflowFact
from tidegate.reconcile import Reconciler
from tidegate.reconcile import World as Ports

_BACKOFF_CAP = 30.0
_BUSY = 200
_GATE_EVERY = 0.1
_REFUSAL_AFTER, _REFUSAL_CAP = 1.0, 30.0


@dataclass(slots=True)
class Sink:
    """The view's entrances for one kind, waking whom they concern."""

    view: View
    seen_: Callable[[Raw], list[Wake]]
    gone_: Callable[[Raw], list[Wake]]
    settled_: Callable[[Listing], list[Wake]]
    wake: Callable[[Wake], None]
    after_list: Callable[[], None]

    def seen(self, raw: Raw) -> None:
        self._pass_on(self.seen_(raw))

    def gone(self, raw: Raw) -> None:
        self._pass_on(self.gone_(raw))

    def listed(self, token: int, items: Sequence[Raw], version: int) -> None:
        wakes = [wake for raw in items for wake in self.seen_(raw)]
        listed = {raw["metadata"]["uid"] for raw in items}
        self._pass_on(wakes + self.settled_(Listing(token, listed, version=version)))
        self.after_list()

    def token(self) -> int:
        return self.view.token()

    def _pass_on(self, wakes: list[Wake]) -> None:
        for wake in wakes:
            self.wake(wake)


@dataclass(slots=True)
class Told:
    """A teller that keeps what it was told."""

    notes: list[tuple[str, Note]] = field(default_factory=list)
    """Each with the uid of the Workflow that it speaks of."""

    def tell(
        self,
        workflow: WorkflowFact,
        notes: Sequence[Note],
        _observations: Sequence[Observation],
    ) -> None:
        self.notes.extend((workflow.uid, note) for note in notes)


class Watched(Reconciler):
    """The loop, with every plan held against what its status holds."""

    say: Callable[[str], None]
    policies: Policies

    def _facts(self, fact: WorkflowFact, answers: Mapping[AttemptId, Answer]) -> Facts:
        return replace(super()._facts(fact, answers), policies=self.policies.fact())

    def _plan(self, fact: WorkflowFact, status: WorkflowStatus, facts: Facts) -> Plan:
        planned = super()._plan(fact, status, facts)
        workflow = self._remembered(fact).valid
        if isinstance(workflow, ValidatedWorkflow) and not facts.answers:
            now = self._world.clock.now()
            for text in unfounded(workflow, status, facts, now, planned):
                self.say(text)
        return planned


_T = TypeVar("_T")


async def _inline(work: Callable[[], _T]) -> _T:
    """There are no threads in virtual time."""
    return work()


class Operator:
    """One process, from its start to its death."""

    def __init__(
        self, world: World, collector: Collector, faults: Faults, weather: Weather, name: str
    ) -> None:
        self.name = name
        self.dead = False
        self.passes = 0
        self._recent = (-1, 0)
        self.faults: list[str] = []
        self.on_death: Callable[[Operator], None] = lambda _one: None
        self._world = world
        self._thaw_at = 0.0
        self._leads = False
        self._dirty: set[WorkflowKey] = set()
        self._tasks: dict[WorkflowKey, asyncio.Task[None]] = {}
        self._errors: dict[WorkflowKey, int] = {}
        self._due: dict[WorkflowKey, float] = {}
        self._refusals: dict[str, float] = {}
        self._gate_polled = False
        self._chance: random.Random = world.time.chance(name)
        self.view = View(observe=self._observe)
        self._gate = Gate(self.view, world.time)
        self._api = SimApi(world, collector, faults, self)
        hands = Hands(self._api, self.view, self._gate, world.time, self.wake)
        book = Book(self._api, self.view, self.wake)
        self.teller = Told()
        self.log_faults = Faults(world.time.chance(f"logs of {name}"), 0.1, FAULTS, faults.budget)
        logs = SimLogs(world, collector, self.log_faults, self)
        self._recorder = Recorder(
            logs, (self.view, self, self.teller, world.time), writer=Writer(logs, _inline)
        )
        self._recording: asyncio.Task[None] | None = None
        self._reconciler = Watched(
            Ports(self.view, self._gate, hands, book, self.teller, self._recorder, self, world.time)
        )
        self._reconciler.say = self._unfounded
        self._reconciler.policies = world.policies
        world.policies.listeners.append(self._policies_changed)
        self.streams = [
            Stream(world, kind, sink, self, weather) for kind, sink in self._sinks().items()
        ]

    def _sinks(self) -> dict[str, Sink]:
        view = self.view
        entrances = {
            WORKFLOW: (view.workflow_seen, view.workflow_gone, view.workflows_settled),
            JOB: (view.job_seen, view.job_gone, view.jobs_settled),
            POD: (view.pod_seen, view.pod_gone, view.pods_settled),
        }
        return {
            kind: Sink(view, seen, gone, settled, self.wake, self._lead_if_synced)
            for kind, (seen, gone, settled) in entrances.items()
        }

    def _observe(self, uid: str, before: AttemptFact, after: AttemptFact) -> None:
        self._recorder.observe(uid, before, after)

    def begin(self) -> None:
        """Fresh lists, then everything is looked at."""
        self._world.trace.add(self.name, "starts")
        for stream in self.streams:
            stream.relist()

    def _lead_if_synced(self) -> None:
        self._world.time.loop.call_soon(self._lead)

    def _lead(self) -> None:
        if self._leads or self.dead or not all(stream.synced for stream in self.streams):
            return
        self._leads = True
        self._recording = self._world.time.loop.create_task(self._recorder.run())
        for key in tuple(self.view.keys()):
            self.wake(Wake(key, hot=False))

    def wake(self, wake: Wake) -> None:
        """Look at the Workflow soon."""
        if self.dead or not self._leads:
            return
        self._watch_refusals()
        self._dirty.add(wake.key)
        if wake.key not in self._tasks:
            task = self._world.time.loop.create_task(self._work(wake.key))
            self._tasks[wake.key] = task

    def _unfounded(self, text: str) -> None:
        self._world.trace.add("PLAN", text)
        self.faults.append(f"the plan {text}")

    def _policies_changed(self) -> None:
        self._world.time.after(HEARD_AFTER, self.wake_all)

    def wake_all(self) -> None:
        """Look at every Workflow again."""
        for key in tuple(self.view.keys()):
            self.wake(Wake(key, hot=False))

    def wake_at(self, key: WorkflowKey, at: datetime) -> None:
        """The port ``Agenda``."""
        when = max((at - EPOCH).total_seconds(), self._world.now())
        if self._due.get(key, when + 1) > when:
            self._due[key] = when
            self._world.time.loop.call_at(when, self._wake_due, key, when)

    def _wake_due(self, key: WorkflowKey, when: float) -> None:
        if self._due.get(key) == when:
            del self._due[key]
            self.wake(Wake(key, hot=False))

    async def _work(self, key: WorkflowKey) -> None:
        try:
            while key in self._dirty:
                await asyncio.sleep(self._chance.uniform(0.0, 0.004))
                await self.thawed()
                self._dirty.discard(key)
                await self._pass(key)
        finally:
            self._tasks.pop(key, None)

    async def _pass(self, key: WorkflowKey) -> None:
        self._count_pass()
        try:
            await self._reconciler.reconcile(key)
        except ApiError as error:
            self._world.trace.add(self.name, "pass failed", key, repr(error))
            count = self._errors[key] = self._errors.get(key, 0) + 1
            wait = min(0.2 * 2**count, _BACKOFF_CAP)
            self._world.time.after(wait, self.wake, Wake(key, hot=False))
        except Exception as error:  # noqa: BLE001 - bugs are what the simulator looks for
            self.faults.append(f"{error!r}\n{traceback.format_exc()}")
            self._world.time.loop.stop()
        else:
            self._errors.pop(key, None)
        self._watch_refusals()
        self._poll_gate()

    def _count_pass(self) -> None:
        """Fail where passes follow on each other without end, although time hardly passes."""
        self.passes += 1
        second = int(self._world.now())
        count = self._recent[1] + 1 if self._recent[0] == second else 1
        self._recent = (second, count)
        if count == _BUSY:
            self.faults.append(f"a busy loop: {count} passes within a second")
            self._world.time.loop.stop()

    def _poll_gate(self) -> None:
        if self._gate.is_awaited and not self._gate_polled:
            self._gate_polled = True
            self._world.time.after(_GATE_EVERY, self._give_turns)

    def _give_turns(self) -> None:
        self._gate_polled = False
        if not self.dead:
            for key in self._gate.turns():
                self.wake(Wake(key, hot=False))
            self._poll_gate()

    def _watch_refusals(self) -> None:
        """Jobs without a pod for a second: their Events are read, again with backoff."""
        for job in self._to_explain():
            if job.job_uid not in self._refusals:
                self._refusals[job.job_uid] = _REFUSAL_AFTER
                self._world.time.after(_REFUSAL_AFTER, self._read_refusal, job)

    def _to_explain(self) -> tuple[Podless, ...]:
        return (*self.view.podless(), *self.view.unexplained())

    def _read_refusal(self, job: Podless) -> None:
        if not self.dead and any(one.job_uid == job.job_uid for one in self._to_explain()):
            wait = min(2 * self._refusals[job.job_uid], _REFUSAL_CAP)
            self._refusals[job.job_uid] = wait
            task = self._world.time.loop.create_task(self._ask_refusal(job))
            self._tasks[WorkflowKey("refusal", job.job_uid)] = task
            self._world.time.after(wait, self._read_refusal, job)
        else:
            self._refusals.pop(job.job_uid, None)

    async def _ask_refusal(self, job: Podless) -> None:
        try:
            events = await self._api.list_job_events(NAMESPACE, job.job_uid)
        except ApiError:
            return
        words = refusal([dict(event) for event in events], job.job_uid)
        for wake in self.view.learn_refusal(job.job_uid, words or ""):
            self.wake(wake)

    def freeze(self, seconds: float) -> None:
        """The process stops; what it has sent may be carried out when it goes on."""
        self._world.trace.add(self.name, "freezes", seconds)
        self._thaw_at = self._world.now() + seconds

    def frozen_until(self) -> float:
        return self._thaw_at

    async def thawed(self) -> None:
        """Return once the process runs; never in a dead one."""
        left = self._thaw_at - self._world.now()
        if left > 0:
            await asyncio.sleep(left)
        if self.dead:
            await asyncio.Future()

    def kill(self) -> None:
        """It is gone, now."""
        if self.dead:
            return
        self._world.trace.add(self.name, "dies")
        self.dead = True
        self._world.policies.listeners.remove(self._policies_changed)
        for stream in self.streams:
            stream.close()
        for task in self._tasks.values():
            task.cancel()
        if self._recording is not None:
            self._recording.cancel()
        self._recorder.stop()
        self.on_death(self)
