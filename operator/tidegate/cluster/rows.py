"""How one event changes what is known of one attempt, and how a Workflow's row is kept small.

All functions here take a frozen fact and give a new one; the view holds them together.
"""

import sys
import zlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.facts.model import (
    EMPTY,
    AttemptFact,
    ContainerEnd,
    Existence,
    JobFact,
    PodFact,
    WorkflowFact,
)
from tidegate.facts.raw import mapping

_DISRUPTION = "DisruptionTarget"
LIVE_PHASES = frozenset({"Running", "Waiting", "Suspended"})


def lean_job(job: JobFact, owner_uid: str, attempt: AttemptId) -> JobFact:
    """The same fact, with what it has in common with others held only once.

    Tens of thousands of Jobs and pods stay in memory; texts fresh from JSON are most of that.
    """
    return replace(job, owner_uid=owner_uid, attempt=attempt, definition=sys.intern(job.definition))


def lean_pod(pod: PodFact, job_uid: str, attempt: AttemptId) -> PodFact:
    """The same fact, with what it has in common with others held only once."""
    return replace(
        pod,
        job_uid=job_uid,
        attempt=attempt,
        phase=sys.intern(pod.phase),
        reason=sys.intern(pod.reason),
        node_name=sys.intern(pod.node_name),
        image_id=sys.intern(pod.image_id),
        main=_lean_end(pod.main),
        failed=_lean_end(pod.failed),
    )


def _lean_end(end: ContainerEnd | None) -> ContainerEnd | None:
    if end is None:
        return None
    return replace(end, name=sys.intern(end.name), reason=sys.intern(end.reason))


def with_job(before: AttemptFact, job: JobFact) -> AttemptFact:
    """The attempt once its Job was seen as ``job``."""
    return replace(
        before,
        existence=Existence.PRESENT,
        job=job,
        refusal=before.refusal if before.job and before.job.uid == job.uid else None,
        disrupted=before.disrupted or _shows_disruption(job),
        job_gone=False,
        pods_listed=before.pods_listed and job.end is not None,
    )


def without_job(before: AttemptFact, *, proven: bool) -> AttemptFact:
    """The attempt once its Job has left the view, which proves nothing unless it is ``proven``."""
    return _settled(replace(before, job=None, refusal=None, job_gone=proven or before.job_gone))


def with_pod(before: AttemptFact, pod: PodFact) -> AttemptFact:
    """The attempt once a pod of it was seen as ``pod``."""
    old = _pod(before, pod.uid)
    others = [one for one in before.pods if one.uid != pod.uid]
    last = before.last_pod
    if old is not None and pod.deletion_at is not None and _ended_by_itself(old):
        last = _more_telling(last, old)
    return replace(
        before,
        existence=Existence.PRESENT,
        pods=tuple(sorted((*others, pod), key=lambda one: (one.created_at, one.uid))),
        refusal=None,
        disrupted=before.disrupted or pod.disruption is not None,
        last_pod=last,
    )


def without_pod(before: AttemptFact, pod: PodFact) -> AttemptFact:
    """The attempt once ``pod`` has left the view; how it had ended is kept."""
    return _settled(
        replace(
            before,
            pods=tuple(one for one in before.pods if one.uid != pod.uid),
            last_pod=_more_telling(before.last_pod, pod),
        )
    )


def with_refusal(before: AttemptFact, words: str) -> AttemptFact:
    """The attempt once its Job's events were asked why it has no pod.

    Events live for an hour: where they are silent by now, what they told earlier still holds.
    """
    return replace(before, refusal=words or before.refusal or "")


def with_pods_listed(before: AttemptFact) -> AttemptFact:
    """The attempt once all pods were listed that its Job, which had ended before, still has."""
    return replace(before, pods_listed=True)


def proven_without_job(before: AttemptFact) -> AttemptFact:
    """The attempt once it was proven that it has no Job; without pods it is gone altogether."""
    existence = Existence.PRESENT if before.pods else Existence.GONE
    return replace(before, existence=existence, job=None, refusal=None, job_gone=True)


def waits_for_pod(fact: AttemptFact) -> bool:
    """Whether the Job controller still owes this attempt a pod."""
    job = fact.job
    return (
        job is not None
        and _never_had_pod(fact, job)
        and job.end is None
        and not (job.suspended or job.deleting)
    )


def ended_unexplained(fact: AttemptFact) -> bool:
    """Whether the Job failed without any pod that was seen, and nobody asked its events why."""
    job = fact.job
    return (
        job is not None
        and fact.refusal is None
        and _never_had_pod(fact, job)
        and job.end is not None
        and not job.end.succeeded
    )


def _never_had_pod(fact: AttemptFact, job: JobFact) -> bool:
    """Whether no pod of the Job's present start was seen; a suspended one may have had others."""
    last = fact.last_pod
    if fact.pods or last is None or last.job_uid != job.uid:
        return not fact.pods
    return job.started_at is not None and last.created_at < job.started_at


def _settled(fact: AttemptFact) -> AttemptFact:
    present = fact.job is not None or bool(fact.pods)
    return replace(fact, existence=Existence.PRESENT if present else Existence.UNPROVEN)


def _pod(fact: AttemptFact, uid: str) -> PodFact | None:
    return next((one for one in fact.pods if one.uid == uid), None)


def _shows_disruption(job: JobFact) -> bool:
    return job.end is not None and not job.end.succeeded and _DISRUPTION in job.end.message


def _ended_by_itself(pod: PodFact) -> bool:
    return pod.is_over and pod.deletion_at is None


def _more_telling(one: PodFact | None, other: PodFact) -> PodFact:
    """Of two pods that are gone, the one whose end decides more; the later one of equals."""
    return other if one is None or _weight(other) >= _weight(one) else one


def _weight(pod: PodFact) -> tuple[bool, bool]:
    natural = _ended_by_itself(pod)
    return (natural and pod.phase == "Succeeded", natural)


class Row:
    """A Workflow and everything that is known of its attempts.

    Spec and status of a Workflow that isn't running are kept compressed: thousands of them lie in
    memory and are looked at only when something happens to one.
    """

    __slots__ = (
        "_fact",
        "_packed",
        "attempts",
        "job_uids",
        "key",
        "phase",
        "run",
        "touched",
        "uid",
    )

    def __init__(self, key: WorkflowKey, uid: str) -> None:
        self.key = key
        self.uid = uid
        self.phase = ""
        """``status.phase``; empty before there is one."""
        self.run = 0
        """``status.run``; 0 before the first."""
        self.touched = 0
        """When an event or answer last told of the Workflow itself, in the view's ticks."""
        self.attempts: dict[AttemptId, AttemptFact] = {}
        self.job_uids: set[str] = set()
        """Every Job that is or was known to be this Workflow's."""
        self._fact: WorkflowFact | None = None
        self._packed: bytes | None = None

    @property
    def known(self) -> bool:
        """Whether the Workflow itself was seen; its Jobs may be seen earlier."""
        return self._fact is not None

    @property
    def created_at(self) -> datetime | None:
        """When the Workflow was created; None where it was not seen."""
        return self._fact.created_at if self._fact else None

    @property
    def version(self) -> str:
        """``metadata.resourceVersion`` of what was seen last; empty where nothing was."""
        return self._fact.resource_version if self._fact else ""

    @property
    def may_ask(self) -> bool:
        """Whether a run is on in which people are asked, sooner or later.

        That one is asked just now isn't told by the status that was read: the record of it may be
        on its way.
        """
        if self._fact is None or self.phase not in LIVE_PHASES:
            return False
        nodes = self._fact.spec.get("nodes")
        return isinstance(nodes, list) and any("checkpoint" in mapping(node) for node in nodes)

    @property
    def fact(self) -> WorkflowFact | None:
        """The Workflow as it was last seen."""
        if self._fact is None or self._packed is None:
            return self._fact
        spec, status = orjson.loads(zlib.decompress(self._packed))
        return replace(self._fact, spec=spec, status=status)

    @fact.setter
    def fact(self, fact: WorkflowFact | None) -> None:
        self._packed = None
        self._fact = fact
        self.phase = _phase(fact)
        self.run = _run(fact)
        if fact is not None and self.phase not in LIVE_PHASES:
            self._packed = zlib.compress(orjson.dumps([fact.spec, fact.status]), 1)
            self._fact = replace(fact, spec=EMPTY, status=EMPTY)


def _phase(fact: WorkflowFact | None) -> str:
    phase: Any = fact.status.get("phase") if fact else None
    return phase if isinstance(phase, str) else ""


def _run(fact: WorkflowFact | None) -> int:
    run: Any = fact.status.get("run") if fact else None
    return run if isinstance(run, int) else 0


def recorded_jobs(fact: WorkflowFact) -> dict[str, AttemptId]:
    """The uids of Jobs that status names, each with its attempt."""
    nodes = fact.status.get("nodes")
    found: dict[str, AttemptId] = {}
    for name, node in nodes.items() if isinstance(nodes, dict) else ():
        job = node.get("job") if isinstance(node, dict) else None
        if not isinstance(job, dict) or not job.get("uid"):
            continue
        run, number = job.get("run", 1), node.get("attempt")
        if isinstance(run, int) and isinstance(number, int):
            found[job["uid"]] = AttemptId(run, name, number, job.get("standby") or "")
    return found
