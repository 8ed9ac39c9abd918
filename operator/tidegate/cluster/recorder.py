"""Keeps the log of each Workflow, behind the status writes: no run waits for it or hears of it.

A status that was recorded is noted here, and told within seconds; what fails is told once as an
Event, counted, and tried again. A mark on each ConfigMap says which status it tells of, so that
whoever leads next finds out with one list what a killed process left undone.
"""

import asyncio
import logging
from typing import Final

from pydantic import ValidationError

from tidegate import metrics
from tidegate.api.identity import AttemptId
from tidegate.api.status import LIVE_PHASES, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.cluster import tails
from tidegate.cluster.early_tails import EarlyTails
from tidegate.cluster.log_entry import Entry, Pace, is_retained, new_entry
from tidegate.cluster.log_marks import Marks, marks
from tidegate.cluster.log_store import LogStore
from tidegate.cluster.log_trouble import Trouble, trouble_of, words_on_lost
from tidegate.cluster.log_writer import Snapshot, Task, Writer, Written, digest_of
from tidegate.cluster.ports import Agenda, Clock, Teller, View
from tidegate.engine.deleted import deleted
from tidegate.engine.model import Note, NoteKind
from tidegate.errors import ApiError, InvalidSpec
from tidegate.facts.model import AttemptFact, WorkflowFact
from tidegate.report.model import attempt_key

log = logging.getLogger("tidegate.recorder")

_AT_ONCE: Final = 8
"""Logs that are written at the same time."""
_AT_MOST: Final = 60.0
"""Seconds that writing one may take."""
_PATIENCE: Final = 30.0
"""Seconds that a Job, or a Workflow, is kept for its log."""
_TAILS_AGAIN: Final = 5.0
"""Seconds until tails that could not be read are asked for again."""
_LEAST_LIMIT: Final = 32 * 1024
_SWEEP_EVERY: Final = 256
"""Entries after which those of Workflows that are gone are looked for."""
_RUNS_KEPT: Final = 3
"""Runs of a Workflow whose end may wait to be told."""


class Recorder:
    """The port ``Recorder``; ``run`` finds what earlier processes left, and lets it write."""

    def __init__(
        self,
        store: LogStore,
        ports: tuple[View, Agenda, Teller, Clock],
        pace: Pace | None = None,
        writer: Writer | None = None,
    ) -> None:
        self._store = store
        self._view, self._agenda, self._teller, self._clock = ports
        self._pace = pace or Pace()
        self._writer = writer or Writer(store)
        self._entries: dict[str, Entry] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._early = EarlyTails(store)
        self._made = 0
        self._works_since: float | None = None
        self._caught_up = False

    # What the loop tells and asks

    def note(
        self, workflow: WorkflowFact, valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        """This status was recorded."""
        try:
            if status.log is not None:
                self._note(workflow, Snapshot(valid, status))
        except Exception:
            log.exception("this is a bug; the log of %s lacks a status", workflow.key)

    def find_over(
        self, workflow: WorkflowFact, valid: ValidatedWorkflow | None, status: WorkflowStatus
    ) -> None:
        """The run was found to be over: a leader that was paused may have recorded that."""
        entry = self._entries.get(workflow.uid)
        if entry is not None and (entry.run, entry.over) < (status.run, True):
            self.note(workflow, valid, status)

    def find_deleted(self, workflow_uid: str) -> None:
        """The Workflow went; if its run was on, a log that stays tells so, and nothing after it."""
        entry = self._entries.get(workflow_uid)
        if entry is not None and entry.last is not None:
            self.note(entry.fact, entry.workflow, deleted(entry.last, self._clock.now()))

    def has_logged(self, workflow: WorkflowFact, attempt: AttemptId | None = None) -> bool:
        """Whether the log has what there is to tell of an attempt, or of the Workflow."""
        entry = self._entries.get(workflow.uid)
        if entry is None:
            return self._caught_up or self._waited(self._works_since)
        goes_along = attempt is None and not entry.retained
        if not entry.is_pending or goes_along:
            return True
        name = _key(attempt) if attempt is not None else ""
        if name in entry.settled:
            return True
        return self._waited(entry.held.setdefault(name, _now()))

    def observe(self, workflow_uid: str, before: AttemptFact, after: AttemptFact) -> None:
        """An attempt changed: the tail of a pod that is being deleted is read while it is there."""
        entry = self._entries.get(workflow_uid)
        if entry is None or self._works_since is None:
            return
        was = {pod.uid for pod in before.pods if pod.deletion_at is not None}
        for pod in after.pods:
            goes = pod.deletion_at is not None and pod.uid not in was and pod.any_started
            if goes and entry.lacks(pod.attempt.run, _key(pod.attempt)):
                lines = tails.lines_of(entry.workflow, pod.attempt)
                key, uid = entry.fact.key, entry.fact.uid
                self._early.ask(key, uid, _key(pod.attempt), pod, lines)

    # Life

    async def run(self) -> None:
        """Write until cancelled; begins with what earlier processes left undone."""
        self._works_since = _now()
        for entry in tuple(self._entries.values()):
            self._schedule(entry)
        async for known in marks(self._store):
            await self._catch_up(known)
            self._caught_up = True
        await asyncio.Future()

    async def finish(self, seconds: float) -> None:
        """Write what is pending, ends of runs first, for so long; the rest is the next leader's."""
        self._pace = Pace(0.0, 0.0)
        until = _now() + seconds
        while True:
            for entry in sorted(self._entries.values(), key=lambda one: not one.has_end):
                if not (entry.errors or entry.lacks_tails):
                    self._begin(entry)
            work = {
                entry.task for entry in self._entries.values() if entry.task
            } | self._early.tasks
            if not work or _now() >= until:
                break
            await asyncio.wait(work, timeout=until - _now(), return_when=asyncio.FIRST_COMPLETED)
        self.stop()

    def stop(self) -> None:
        """Write nothing more; all of it can be found out and written by others."""
        self._works_since = None
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
            if entry.task is not None:
                entry.task.cancel()
        for task in self._early.tasks:
            task.cancel()

    async def _catch_up(self, known: Marks | None) -> None:
        for key in tuple(self._view.keys()):
            fact = self._view.workflow(key)
            if fact is not None and fact.uid not in self._entries:
                try:
                    self._take_up(fact, known)
                except Exception:
                    log.exception("this is a bug; the log of %s isn't looked at", key)
            await asyncio.sleep(0)

    def _take_up(self, fact: WorkflowFact, known: Marks | None) -> None:
        """A Workflow that was there before this process began to write."""
        live = fact.status.get("phase") in LIVE_PHASES
        owed = fact.status.get("log") and (live or known is not None)
        if not owed or self._view.facts(fact).namespace_excluded:
            return
        digest = digest_of(fact.status)
        told = known is not None and (fact.status.get("run", 0), digest) in known.get(fact.uid, ())
        if told and not live:
            return
        try:
            status = WorkflowStatus.model_validate(fact.status)
        except ValidationError:
            return  # a newer operator's; the loop says so
        self._note(fact, Snapshot(_valid(fact), status), told=told)

    # Writing

    def _note(self, fact: WorkflowFact, snapshot: Snapshot, *, told: bool = False) -> None:
        run, entry = snapshot.status.run, self._entries.get(fact.uid)
        if entry is None:
            self._sweep()
            entry = new_entry(fact, snapshot, _now() + self._pace.between)
            self._entries[fact.uid] = entry
        elif run > entry.run:
            entry.not_before = _now() + self._pace.between
        entry.hear(fact, snapshot)
        if told:
            return
        entry.todo[run], entry.lacks_tails = snapshot, False
        for old in sorted(entry.todo)[:-_RUNS_KEPT]:
            del entry.todo[old]
        if self._works_since is not None:
            self._read_what_is_stopped(entry, snapshot)
            self._schedule(entry)

    def _schedule(self, entry: Entry) -> None:
        if entry.task is not None or not entry.todo:
            return
        due = entry.due(_now(), self._pace)
        if entry.timer is not None:
            if entry.timer.when() <= due:
                return
            entry.timer.cancel()
        entry.timer = asyncio.get_running_loop().call_at(due, self._begin, entry)

    def _begin(self, entry: Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.task is None and entry.todo:
            entry.task = asyncio.create_task(self._work(entry), name=f"log {entry.fact.key}")

    async def _work(self, entry: Entry) -> None:
        try:
            async with self._slots, asyncio.timeout(_AT_MOST):
                await self._write(entry)
        except (ApiError, TimeoutError) as error:
            self._failed(entry, trouble_of(error))
        except Exception:
            log.exception("this is a bug; the log of %s isn't written", entry.fact.key)
            self._failed(entry, Trouble("unavailable", "a bug; see the operator's log", False))
        finally:
            entry.task = None
        self._go_on(entry)

    async def _write(self, entry: Entry) -> None:
        """Tell of the earliest run that is to be told of."""
        run, snapshot = min(entry.todo.items())
        fact = self._view.workflow(entry.fact.key)
        goes = fact is None or fact.uid != entry.fact.uid or fact.deleting
        retain = is_retained(entry.fact, snapshot.status)
        if goes and not retain:
            entry.todo.clear()
            return
        facts = self._view.facts(entry.fact)
        task = Task(
            entry.fact,
            snapshot,
            facts,
            retain,
            self._early.of(entry.fact.uid),
            entry.overdue,
            entry.limit,
        )
        written = await self._writer.write(task)
        entry.written_at = _now()
        self._written(entry, run, snapshot, written)

    def _written(self, entry: Entry, run: int, snapshot: Snapshot, written: Written) -> None:
        entry.errors, entry.settled = 0, written.settled
        entry.lacks_tails = written.pending and entry.todo.get(run) is snapshot
        entry.told &= {"lost"}
        self._early.forget(entry.fact.uid, written.settled)
        if written.lost:
            metrics.record_log_write_error("tail")
            if "lost" not in entry.told:
                self._tell(entry, "lost", words_on_lost(written.lost))
        if written.pending:
            entry.retry_at = _now() + _TAILS_AGAIN
        elif entry.todo.get(run) is snapshot:
            del entry.todo[run]

    def _failed(self, entry: Entry, trouble: Trouble) -> None:
        entry.errors += 1
        if trouble.is_counted(entry.errors):
            metrics.record_log_write_error(trouble.kind)
        entry.retry_at = _now() + trouble.pause(entry.errors)
        told = trouble.is_told(entry.errors)
        if trouble.hopeless and told:
            entry.todo.clear()
            return
        if trouble.kind == "too_large":
            entry.limit = max(_LEAST_LIMIT, entry.limit // 2)
        log.debug("the log of %s was not written: %s", entry.fact.key, trouble.words)
        if told and trouble.kind not in entry.told:
            words = f"the log can't be written and is tried again: {trouble.words}"
            self._tell(entry, trouble.kind, words)

    def _tell(self, entry: Entry, kind: str, words: str) -> None:
        entry.told.add(kind)
        note = Note(NoteKind.LOG_INCOMPLETE, words, warning=True)
        self._teller.tell(entry.fact, (note,), ())

    def _go_on(self, entry: Entry) -> None:
        """What is to vanish may go now; what came meanwhile is written next."""
        if entry.held and not entry.errors and entry.let_go():
            self._agenda.wake_at(entry.fact.key, self._clock.now())
        if entry.todo:
            self._schedule(entry)
        elif entry.over:
            # Kept for a moment, so that a rerun knows when the last write was.
            delay = self._pace.between
            asyncio.get_running_loop().call_later(delay, self._drop_if_idle, entry)

    def _drop_if_idle(self, entry: Entry) -> None:
        idle = not entry.is_pending and entry.over
        if idle and self._entries.get(entry.fact.uid) is entry:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        self._early.forget(entry.fact.uid)
        del self._entries[entry.fact.uid]

    def _sweep(self) -> None:
        """Forget Workflows that went while their run was on; nobody tells of them any more."""
        self._made += 1
        if self._made % _SWEEP_EVERY:
            return
        for entry in tuple(self._entries.values()):
            fact = self._view.workflow(entry.fact.key)
            if not entry.is_pending and (fact is None or fact.uid != entry.fact.uid):
                self._drop(entry)

    def _read_what_is_stopped(self, entry: Entry, snapshot: Snapshot) -> None:
        if any(node.job and node.job.ending for node in snapshot.status.nodes.values()):
            facts = self._view.facts(entry.fact)
            for one in tails.ending(snapshot.workflow, snapshot.status, facts):
                if one.pod is not None:
                    uid = entry.fact.uid
                    self._early.ask(entry.fact.key, uid, one.key, one.pod, one.lines)

    def _waited(self, since: float | None) -> bool:
        return since is not None and _now() - since > _PATIENCE


def _now() -> float:
    return asyncio.get_running_loop().time()


def _key(attempt: AttemptId) -> str:
    return attempt_key(attempt.run, attempt.node, attempt.number)


def _valid(fact: WorkflowFact) -> ValidatedWorkflow | None:
    try:
        return validate(fact)
    except InvalidSpec:
        return None
