"""Objects by uid and attempts by Workflow, kept consistent with each other.

Beneath the view: this knows how a Job, its pods and their Workflow hang together and says whom a
change concerns, but not where the news came from nor whether it is late.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.cluster import rows
from tidegate.cluster.rows import Row
from tidegate.facts.model import UNPROVEN, AttemptFact, JobFact, PodFact, WorkflowFact
from tidegate.facts.raw import Raw, mapping, text

_DEAD_KEPT = 8192
"""How many uids of deleted objects are remembered, against events that come after all."""


Observer = Callable[[str, AttemptFact, AttemptFact], None]
"""Told of every attempt that changed: its Workflow's uid, the fact before and after."""


class Wake(NamedTuple):
    """A Workflow whose facts changed."""

    key: WorkflowKey
    hot: bool
    """Whether something may follow at once: an end, a vote, a request."""


class JobEntry:
    """A Job that is, or once was, known to belong to an attempt."""

    __slots__ = ("attempt", "present", "row", "touched", "uid", "version")

    def __init__(self, uid: str, row: Row, attempt: AttemptId) -> None:
        self.uid = uid
        self.row = row
        self.attempt = attempt
        self.present = False
        """Whether the view holds the Job itself."""
        self.version = -1
        self.touched = 0
        """When an event or answer last told of it, in the view's ticks."""


class PodEntry:
    """A pod, whether its Job is known yet or not."""

    __slots__ = ("fact", "namespace", "touched", "version")

    def __init__(self, fact: PodFact, namespace: str, version: int, touched: int) -> None:
        self.fact = fact
        self.namespace = namespace
        self.version = version
        self.touched = touched


class Dead:
    """The latest uids that are known to be deleted; a uid never comes back."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, None] = OrderedDict()

    def add(self, uid: str) -> None:
        """Remember ``uid``; the oldest one is forgotten when there are too many."""
        self._uids[uid] = None
        if len(self._uids) > _DEAD_KEPT:
            self._uids.popitem(last=False)

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids


def uid_of(raw: Raw) -> str:
    """``metadata.uid``."""
    return text(mapping(raw.get("metadata")).get("uid"))


def is_deleting(raw: Raw) -> bool:
    """Whether ``metadata.deletionTimestamp`` is set."""
    return text(mapping(raw.get("metadata")).get("deletionTimestamp")) != ""


def version_of(raw: Raw) -> int:
    """``metadata.resourceVersion`` as a number."""
    return version_number(text(mapping(raw.get("metadata")).get("resourceVersion")))


def version_number(version: str) -> int:
    """A resourceVersion as a number, which KEP-5504 allows to compare; 0 where it is none."""
    return int(version) if version.isdecimal() else 0


class Listing(NamedTuple):
    """A whole quorum list, of which every object was handed on already."""

    token: int
    """``View.token()`` before it left."""
    uids: Collection[str] = ()
    """Of all that it named."""
    namespace: str | None = None
    """Where it looked; None for the whole cluster."""
    version: int = -1
    """Its resourceVersion."""

    def lacks(self, uid: str, namespace: str, touched: int, version: int) -> bool:
        """Whether the object is gone: not named, and all that is known of it is older.

        It is older if nothing told of it since the list began, or if the list is of a later
        version than the one that is known: the answer to a creation may overtake a slow list.
        """
        in_scope = self.namespace in (None, namespace)
        older = touched <= self.token or version <= self.version
        return in_scope and uid not in self.uids and older


class Memory:
    """Rows, Jobs and pods, and the links between them."""

    def __init__(self, observe: Observer | None = None) -> None:
        self._observe = observe
        self.rows: dict[str, Row] = {}
        """By the Workflow's uid; a row may be there before its Workflow was seen."""
        self.uids: dict[WorkflowKey, str] = {}
        """The uid of every Workflow that is known."""
        self.jobs: dict[str, JobEntry] = {}
        self.pods: dict[str, PodEntry] = {}
        self.podless: dict[str, AttemptId] = {}
        """Jobs that the Job controller owes a pod."""
        self.unexplained: dict[str, AttemptId] = {}
        """Jobs that failed without any pod, and nobody asked why."""
        self.dead = Dead()
        self._limbo: dict[str, set[str]] = {}
        """Pods whose Job isn't known yet, by the Job's uid."""

    def row_of(self, key: WorkflowKey) -> Row | None:
        """The row of the Workflow with this name, if it is known."""
        uid = self.uids.get(key)
        return self.rows[uid] if uid is not None else None

    def put_workflow(self, row: Row, fact: WorkflowFact) -> None:
        """The Workflow is as ``fact`` says; Jobs that its status names are its own."""
        run = row.run
        row.fact, row.key = fact, fact.key
        self.uids[fact.key] = fact.uid
        recorded = rows.recorded_jobs(fact)
        for uid, attempt in recorded.items():
            if uid not in self.jobs:
                self.remember_job(uid, row, attempt)
        if run not in (0, row.run):
            self._let_go_of_runs_before(row, recorded)

    def drop_workflow(self, row: Row) -> list[Wake]:
        """The Workflow is gone; its row follows with the last of its Jobs and pods."""
        known, row.fact = row.known, None
        if self.uids.get(row.key) == row.uid:
            del self.uids[row.key]
        self._drop_if_empty(row)
        return [Wake(row.key, hot=False)] if known else []

    def remember_job(self, uid: str, row: Row, attempt: AttemptId) -> JobEntry:
        """From now on the Job is known to be the attempt's; its pods may have come before it."""
        entry = self.jobs[uid] = JobEntry(uid, row, attempt)
        row.job_uids.add(uid)
        for pod in self._limbo.pop(uid, ()):
            self.attach_pod(self.pods[pod].fact)
        return entry

    def put_job(self, entry: JobEntry, job: JobFact) -> list[Wake]:
        """The entry's Job is as ``job`` says."""
        before = entry.row.attempts.get(entry.attempt, UNPROVEN)
        if before.job and before.job.uid != job.uid and before.job.created_at > job.created_at:
            return []
        lean = rows.lean_job(job, entry.row.uid, entry.attempt)
        return self.change(entry.row, entry.attempt, rows.with_job(before, lean))

    def drop_job(self, uid: str, *, proven: bool = False) -> list[Wake]:
        """The Job left the view; ``proven`` if it is known to be deleted, not only unseen."""
        entry = self.jobs.get(uid)
        if entry is None or not entry.present:
            return []
        entry.present = False
        before = entry.row.attempts.get(entry.attempt, UNPROVEN)
        if before.job is None or before.job.uid != uid:
            return []
        return self.change(entry.row, entry.attempt, rows.without_job(before, proven=proven))

    def attach_pod(self, pod: PodFact) -> list[Wake]:
        """The pod, which is in ``pods``, joins the attempt of its Job, or waits for that Job."""
        entry = self.jobs.get(pod.job_uid)
        if entry is None:
            self._limbo.setdefault(pod.job_uid, set()).add(pod.uid)
            return []
        if entry.attempt != pod.attempt:
            return []
        before = entry.row.attempts.get(entry.attempt, UNPROVEN)
        lean = rows.lean_pod(pod, entry.uid, entry.attempt)
        self.pods[pod.uid].fact = lean
        return self.change(entry.row, entry.attempt, rows.with_pod(before, lean))

    def drop_pod(self, uid: str) -> list[Wake]:
        """The pod left the view."""
        pod = self.pods.pop(uid, None)
        if pod is None:
            return []
        entry = self.jobs.get(pod.fact.job_uid)
        if entry is None or entry.attempt != pod.fact.attempt:
            self._leave_limbo(pod.fact)
            return []
        before = entry.row.attempts.get(entry.attempt, UNPROVEN)
        return self.change(entry.row, entry.attempt, rows.without_pod(before, pod.fact))

    def change(self, row: Row, attempt: AttemptId, after: AttemptFact) -> list[Wake]:
        """Put the attempt's new fact in place; wake its Workflow if that says anything new."""
        before = row.attempts.get(attempt, UNPROVEN)
        if after == UNPROVEN:
            row.attempts.pop(attempt, None)
        else:
            row.attempts[attempt] = after
        if before.job:
            self.podless.pop(before.job.uid, None)
            self.unexplained.pop(before.job.uid, None)
        if after.job and rows.waits_for_pod(after):
            self.podless[after.job.uid] = attempt
        elif after.job and rows.ended_unexplained(after):
            self.unexplained[after.job.uid] = attempt
        self._drop_if_empty(row)
        if before == after:
            return []
        if self._observe is not None:
            self._observe(row.uid, before, after)
        if not row.known:
            return []
        return [Wake(row.key, hot=_ends(after) > _ends(before))]

    def _let_go_of_runs_before(self, row: Row, recorded: Collection[str]) -> None:
        """A new run began: forget Jobs of earlier ones that have gone and are named nowhere."""
        kept = {self.jobs[uid].attempt for uid in recorded}
        for uid in row.job_uids.difference(recorded):
            entry = self.jobs[uid]
            fact = row.attempts.get(entry.attempt, UNPROVEN)
            if not entry.present and not fact.pods and entry.attempt.run < row.run:
                del self.jobs[uid]
                row.job_uids.discard(uid)
        for attempt, fact in tuple(row.attempts.items()):
            empty = fact.job is None and not fact.pods
            if empty and attempt.run < row.run and attempt not in kept:
                del row.attempts[attempt]

    def _leave_limbo(self, pod: PodFact) -> None:
        waiting = self._limbo.get(pod.job_uid, set())
        waiting.discard(pod.uid)
        if not waiting:
            self._limbo.pop(pod.job_uid, None)

    def _drop_if_empty(self, row: Row) -> None:
        if row.known or any(fact.job or fact.pods for fact in row.attempts.values()):
            return
        if self.rows.get(row.uid) is row:
            del self.rows[row.uid]
        for uid in row.job_uids:
            del self.jobs[uid]
        row.job_uids.clear()


def _ends(fact: AttemptFact) -> int:
    """How far the attempt has ended: each step up may let something else begin."""
    job_end = fact.job.end if fact.job else None
    pods = sum(pod.is_over for pod in fact.pods)
    return pods + (job_end is not None) + (job_end is not None and job_end.stopped)
