"""What is known of the cluster, in memory: fed by watches, lists and answers; never asks itself.

A Job belongs to a Workflow if its controller owner reference names the Workflow's uid and its name
is the one derived for its attempt; a pod belongs by the uid of a Job that is, or once was, known to
belong. Whatever is older than what is known of the same object is ignored. Nothing here proves
absence except ``learn_gone``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, cast

from tidegate.api.identity import AttemptId, WorkflowKey, job_name
from tidegate.cluster import ports, rows
from tidegate.cluster.memory import (
    JobEntry,
    Listing,
    Memory,
    Observer,
    PodEntry,
    Wake,
    is_deleting,
    uid_of,
    version_number,
    version_of,
)
from tidegate.cluster.rows import Row
from tidegate.facts.job import job_fact
from tidegate.facts.model import NO_POLICY, UNPROVEN, Facts, JobFact, PolicyFact, WorkflowFact
from tidegate.facts.pod import pod_fact
from tidegate.facts.raw import Raw, workflow_key
from tidegate.facts.workflow import workflow_fact

__all__ = ["Listing", "Podless", "View", "Wake"]


class Podless(NamedTuple):
    """A Job that has no pod."""

    workflow: WorkflowKey
    workflow_uid: str
    attempt: AttemptId
    job_uid: str
    created_at: datetime
    refused: bool
    """Whether its events told why there is none."""


class View:
    """The port ``View``, and the entrances for what feeds it.

    Every ``…_seen``, ``…_gone`` and ``…_settled`` returns the Workflows to look at. A ``learn_…``
    takes the answer to a request of our own: who asked looks again by itself, or passes the
    returned Workflows on.
    """

    def __init__(
        self,
        excluded: Collection[str] = (),
        observe: Observer | None = None,
        policies: Callable[[], PolicyFact] = lambda: NO_POLICY,
    ) -> None:
        self._excluded = frozenset(excluded)
        self._memory = Memory(observe)
        self._policies = policies
        self._tick = 0

    # What the reconcile loop asks

    def workflow(self, key: WorkflowKey) -> WorkflowFact | None:
        """The Workflow, or None where none is known."""
        row = self._memory.row_of(key)
        return row.fact if row else None

    def facts(self, workflow: WorkflowFact) -> Facts:
        """What is known of the Workflow's attempts, without answers."""
        row = self._memory.rows.get(workflow.uid)
        return Facts(
            attempts=dict(row.attempts) if row else {},
            namespace_excluded=workflow.key.namespace in self._excluded,
            policies=self._policies(),
        )

    def keys(self) -> Iterable[WorkflowKey]:
        """Every Workflow that is known."""
        return tuple(self._memory.uids)

    def asking(self) -> list[Wake]:
        """The Workflows whose run asks people, or may: whether votes are checked concerns them."""
        known = (self._memory.rows[uid] for uid in self._memory.uids.values())
        return [Wake(row.key, hot=False) for row in known if row.may_ask]

    # What gate, hands, metrics and the reader of refusals ask

    def podless(self) -> Iterator[Podless]:
        """Jobs that are neither suspended nor ended and have no pod yet."""
        return self._without_pod(self._memory.podless)

    def unexplained(self) -> Iterator[Podless]:
        """Jobs of runs that are on which ended without any pod, and nobody asked why."""
        for one in self._without_pod(self._memory.unexplained):
            if self._memory.rows[one.workflow_uid].phase in rows.LIVE_PHASES:
                yield one

    def job_uids(self, workflow_uid: str, attempt: AttemptId) -> frozenset[str]:
        """Every Job that is or was known to be the attempt's."""
        row = self._memory.rows.get(workflow_uid)
        known = row.job_uids if row else ()
        return frozenset(uid for uid in known if self._memory.jobs[uid].attempt == attempt)

    def rows(self) -> Iterator[Row]:
        """Every Workflow that is known, with its attempts."""
        return (self._memory.rows[uid] for uid in self._memory.uids.values())

    def token(self) -> int:
        """Taken before a list or GET leaves: what is learned after it outlives its answer."""
        self._tick += 1
        return self._tick

    # Workflows

    def workflow_seen(self, raw: ports.Raw) -> list[Wake]:
        """A Workflow was added or changed, or listed."""
        self._tick += 1
        fact = workflow_fact(cast("Raw", raw))
        row = self._memory.row_of(fact.key)
        if not fact.uid or fact.uid in self._memory.dead:
            return []
        if row and version_number(fact.resource_version) < version_number(row.version):
            return []
        if row and row.uid != fact.uid:
            self._memory.drop_workflow(row)
            row = None
        row = row or self._memory.rows.setdefault(fact.uid, Row(fact.key, fact.uid))
        row.touched = self._tick
        if row.version == fact.resource_version:
            return []
        before = row.fact
        self._memory.put_workflow(row, fact)
        if before and _same_but_version(before, fact):
            return []
        return [Wake(fact.key, hot=before is not None and before.annotations != fact.annotations)]

    def workflow_gone(self, raw: ports.Raw) -> list[Wake]:
        """A Workflow was deleted."""
        self._tick += 1
        uid = uid_of(cast("Raw", raw))
        self._memory.dead.add(uid)
        row = self._memory.rows.get(uid)
        return self._memory.drop_workflow(row) if row else []

    def workflows_settled(self, listing: Listing) -> list[Wake]:
        """All Workflows of a list were seen: others are gone, unless they are newer."""
        wakes: list[Wake] = []
        for row in tuple(self.rows()):
            if listing.lacks(row.uid, row.key.namespace, row.touched, version_number(row.version)):
                wakes += self._memory.drop_workflow(row)
        return wakes

    def learn_workflow(self, raw: ports.Raw) -> list[Wake]:
        """An answer told of a Workflow."""
        return self.workflow_seen(raw)

    def learn_workflow_gone(self, key: WorkflowKey, token: int) -> list[Wake]:
        """A GET that left after ``token`` found no Workflow."""
        row = self._memory.row_of(key)
        return self._memory.drop_workflow(row) if row and row.touched <= token else []

    # Jobs

    def job_seen(self, raw: ports.Raw) -> list[Wake]:
        """A Job was added or changed, or listed."""
        self._tick += 1
        raw = cast("Raw", raw)
        fact, key, uid = job_fact(raw), workflow_key(raw), uid_of(raw)
        if fact is None or key is None or not self._is_ours(fact, key):
            return self._memory.drop_job(uid)
        entry, version = self._memory.jobs.get(uid), version_of(raw)
        if uid in self._memory.dead or (entry and entry.version > version):
            return []
        if entry is None:
            row = self._memory.rows.setdefault(fact.owner_uid, Row(key, fact.owner_uid))
            entry = self._memory.remember_job(uid, row, fact.attempt)
        entry.version, entry.touched, entry.present = version, self._tick, True
        return self._memory.put_job(entry, fact)

    def job_gone(self, raw: ports.Raw) -> list[Wake]:
        """A Job was deleted, or lost the labels by which it is followed: the event is the same.

        Both times it holds the Job as it was before, so it proves a deletion only of a Job that
        was being deleted already.
        """
        wakes = self.job_seen(raw)
        uid = uid_of(cast("Raw", raw))
        proven = is_deleting(cast("Raw", raw))
        if proven:
            self._memory.dead.add(uid)
        return wakes + self._memory.drop_job(uid, proven=proven)

    def jobs_settled(self, listing: Listing) -> list[Wake]:
        """All Jobs of a list were seen: others are gone, unless they are newer."""
        wakes: list[Wake] = []
        for uid, entry in tuple(self._memory.jobs.items()):
            lacks = listing.lacks(uid, entry.row.key.namespace, entry.touched, entry.version)
            if entry.present and lacks:
                wakes += self._memory.drop_job(uid)
        return wakes

    def learn_job(self, raw: ports.Raw) -> list[Wake]:
        """An answer told of a Job."""
        return self.job_seen(raw)

    def learn_job_gone(self, uid: str) -> list[Wake]:
        """An answer told that no Job with this uid exists; its pods may."""
        self._memory.dead.add(uid)
        return self._memory.drop_job(uid, proven=True)

    def holds_job(self, uid: str) -> bool:
        """Whether a Job with this uid is known to be there."""
        entry = self._memory.jobs.get(uid)
        return entry is not None and entry.present

    def job_is_gone(self, uid: str) -> bool:
        """Whether the Job with this uid is known to have been deleted."""
        return uid in self._memory.dead

    def learn_refusal(self, job_uid: str, words: str) -> list[Wake]:
        """The Job's events were asked why it has no pod; ``words`` is empty where they are silent.

        Of no concern once it has one.
        """
        memory = self._memory
        entry = memory.jobs.get(job_uid)
        if entry is None or not (job_uid in memory.podless or job_uid in memory.unexplained):
            return []
        before = entry.row.attempts[entry.attempt]
        return self._memory.change(entry.row, entry.attempt, rows.with_refusal(before, words))

    # Pods

    def pod_seen(self, raw: ports.Raw) -> list[Wake]:
        """A pod was added or changed, or listed."""
        self._tick += 1
        raw = cast("Raw", raw)
        fact, key, uid = pod_fact(raw), workflow_key(raw), uid_of(raw)
        if fact is None or key is None:
            return self._memory.drop_pod(uid)
        known, version = self._memory.pods.get(uid), version_of(raw)
        if uid in self._memory.dead or (known and known.version > version):
            return []
        self._memory.pods[uid] = PodEntry(fact, key.namespace, version, self._tick)
        return self._memory.attach_pod(fact)

    def pod_gone(self, raw: ports.Raw) -> list[Wake]:
        """A pod was deleted; ``raw`` is its last state."""
        wakes = self.pod_seen(raw)
        uid = uid_of(cast("Raw", raw))
        self._memory.dead.add(uid)
        return wakes + self._memory.drop_pod(uid)

    def pods_settled(self, listing: Listing) -> list[Wake]:
        """All pods of a list were seen: others are gone, unless they are newer."""
        wakes: list[Wake] = []
        for uid, entry in tuple(self._memory.pods.items()):
            if listing.lacks(uid, entry.namespace, entry.touched, entry.version):
                wakes += self._memory.drop_pod(uid)
        return wakes

    def learn_pod(self, raw: ports.Raw) -> list[Wake]:
        """An answer told of a pod."""
        return self.pod_seen(raw)

    def holds_pod(self, uid: str) -> bool:
        """Whether a pod with this uid is known to be there."""
        return uid in self._memory.pods

    # Proof

    def ended_jobs(self, uids: Collection[str]) -> frozenset[str]:
        """Those of the Jobs that are there and have ended: no other pod of them can come."""
        return frozenset(uid for uid in uids if self._ended(uid) is not None)

    def learn_pods_listed(self, job_uid: str) -> None:
        """A LIST that left after the Job had ended told of its pods; all of them were learned."""
        entry = self._ended(job_uid)
        if entry is not None:
            fact = rows.with_pods_listed(entry.row.attempts[entry.attempt])
            self._memory.change(entry.row, entry.attempt, fact)

    def learn_gone(
        self, workflow_uid: str, attempt: AttemptId, jobs: Collection[str], token: int
    ) -> None:
        """A GET by name found no Job of the attempt, and LISTs told of every pod of its ``jobs``.

        All of them left after ``token``, which was taken together with ``jobs``. Nothing is
        concluded if a Job of the attempt, or a pod that was not listed, was heard of meanwhile.
        """
        memory, row = self._memory, self._memory.rows.get(workflow_uid)
        if row is None or not self.job_uids(workflow_uid, attempt) <= set(jobs):
            return
        entries = [memory.jobs[uid] for uid in jobs if uid in memory.jobs]
        if any(entry.present and entry.touched > token for entry in entries):
            return
        for uid in jobs:
            memory.dead.add(uid)
            memory.drop_job(uid, proven=True)
        for pod in row.attempts.get(attempt, UNPROVEN).pods:
            if memory.pods[pod.uid].touched <= token:
                memory.dead.add(pod.uid)
                memory.drop_pod(pod.uid)
        fact = row.attempts.get(attempt, UNPROVEN)
        memory.change(row, attempt, rows.proven_without_job(fact))

    def _ended(self, job_uid: str) -> JobEntry | None:
        entry = self._memory.jobs.get(job_uid)
        if entry is None or not entry.present:
            return None
        job = entry.row.attempts[entry.attempt].job
        return entry if job and job.uid == job_uid and job.end is not None else None

    def _without_pod(self, jobs: Mapping[str, AttemptId]) -> Iterator[Podless]:
        for uid, attempt in tuple(jobs.items()):
            row = self._memory.jobs[uid].row
            fact = row.attempts[attempt]
            if fact.job is not None:
                created_at, refused = fact.job.created_at, bool(fact.refusal)
                yield Podless(row.key, row.uid, attempt, uid, created_at, refused)

    def _is_ours(self, job: JobFact, key: WorkflowKey) -> bool:
        row = self._memory.rows.get(job.owner_uid)
        return (
            job.owner_uid != ""
            and job.name == job_name(key.name, job.owner_uid, job.attempt)
            and (row is None or row.key == key)
        )


def _same_but_version(one: WorkflowFact, other: WorkflowFact) -> bool:
    return (
        one.generation == other.generation
        and one.deleting == other.deleting
        and one.annotations == other.annotations
        and one.restored == other.restored
        and one.status == other.status
    )
