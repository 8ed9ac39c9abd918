"""What became of an attempt: the verdict, once nothing of it runs any more.

The verdict comes from a pod only if the pod ended by itself; a killed pod lies (a program that
exits 0 on SIGTERM leaves it Succeeded), so then the Job's own record decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api.status import JobRef
from tidegate.constants import MAIN_CONTAINER
from tidegate.engine import cause
from tidegate.engine.reasons import Reason
from tidegate.facts.model import AttemptFact, Existence, JobFact, PodFact

NODE_LOST_AFTER = timedelta(minutes=2)
"""A pod still there so long after its deletionTimestamp can't be confirmed stopped."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """Nothing is seen of the attempt, or of its pods, which proves nothing."""


@dataclass(frozen=True, slots=True)
class Live:
    """The attempt has a Job that may still run something."""

    started: bool = False
    """Whether ``main`` has started, and with it all ordinary containers of the pod."""
    clock_from: datetime | None = None
    """Since when ``startTimeout`` counts; None while that clock stands."""
    suspended: bool = False
    blocked: str | None = None
    """Why its pod can't start, as ``<reason>: <message>``."""
    refusal: str | None = None
    """Why it has no pod: the words of the Job's FailedCreate event; empty where there is none."""
    podless: bool = False
    """Whether no pod was seen since the Job's present start."""
    helpers: tuple[str, ...] = ()
    """Containers that run on although main has ended."""
    stuck: PodFact | None = None
    """A pod that is past its deletionTimestamp, or will be."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended; nothing of it runs any more and no pod of it can come."""

    succeeded: bool
    reason: str
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container: str = MAIN_CONTAINER
    """The container whose exit code it is."""
    may_heal: bool = True
    """For StartTimeout: whether trying again may help (no room, an image that can't be pulled)."""
    told: str | None = None
    """The termination message of main after a success; None where no pod tells."""


def ended_by_itself(pod: PodFact, job: JobFact | None) -> bool:
    """Whether the pod reached its end without being killed from outside."""
    if not pod.is_over or pod.deletion_at is not None or pod.disruption is not None:
        return False
    if job is None:
        return True
    if job.suspended:
        return False
    return not _was_decided_before(job, pod)


def _was_decided_before(job: JobFact, pod: PodFact) -> bool:
    """Whether the Job had failed before the pod ended: then the Job controller killed the pod."""
    end = job.end
    if end is None or end.succeeded or end.at is None or pod.finished_at is None:
        return False
    return end.at < pod.finished_at


def is_stopped(fact: AttemptFact) -> bool:
    """Whether nothing is seen of the attempt that runs, or that could make a pod of it run.

    Not a proof of anything for the attempt that a node is running: that one is judged.
    """
    if any(not pod.is_over for pod in fact.pods):
        return False
    job = fact.job
    if job is None or (job.end is not None and job.end.stopped):
        return True
    return bool(_natural_pods(fact))


def judge(fact: AttemptFact, ref: JobRef) -> Unproven | Live | Verdict:
    """What became of the attempt whose Job is ``ref``."""
    if fact.job is not None and ref.uid and fact.job.uid != ref.uid:
        return _gone(fact, ref)
    if fact.existence is Existence.UNPROVEN:
        return Unproven()
    living = [pod for pod in fact.pods if not pod.is_over]
    if living:
        return _live(fact, living[-1])
    natural = _natural_pods(fact)
    success = next((pod for pod in natural if pod.phase == "Succeeded"), None)
    if success is not None:
        return _success(fact, success)
    if fact.job is not None:
        return _by_its_job(fact, fact.job, ref, natural)
    if natural:
        return _overruled(ref, _from_pod(natural[-1]))
    if fact.existence is Existence.GONE or fact.job_gone:
        return _gone(fact, ref)
    return Unproven()


def _by_its_job(
    fact: AttemptFact, job: JobFact, ref: JobRef, natural: list[PodFact]
) -> Unproven | Live | Verdict:
    """What became of an attempt of which no pod lives and none succeeded by itself."""
    if not natural and _may_have_unseen_pod(fact, job):
        return Unproven()
    if _is_success(job, ref):
        return _success(fact, fact.pods[-1] if fact.pods else fact.last_pod)
    if natural:
        return _overruled(ref, _from_pod(natural[-1]))
    if job.end is not None and job.end.stopped:
        return _overruled(ref, _from_job(fact, job))
    return _live(fact, None)


def _is_success(job: JobFact, ref: JobRef) -> bool:
    """Whether the Job's record makes the attempt a success.

    What we ended ourselves may have exited 0 on TERM: its Job counts that, and fails all the same.
    """
    if job.end is None or not job.end.succeeded:
        return False
    return ref.ending is None or job.end.reason != "DeadlineExceeded"


def _may_have_unseen_pod(fact: AttemptFact, job: JobFact) -> bool:
    """Whether a Job has ended of which no pod was ever seen, and nobody asked for one.

    Its record alone would decide, and outputs and what the pod tells of its failure would be lost.
    """
    has_record = job.end is not None and (job.end.succeeded or job.end.stopped)
    return has_record and not fact.pods_listed and not _had_pod(fact, job)


def _natural_pods(fact: AttemptFact) -> list[PodFact]:
    pods = (*fact.pods, fact.last_pod) if fact.last_pod is not None else fact.pods
    return [pod for pod in pods if ended_by_itself(pod, fact.job)]


def _overruled(ref: JobRef, verdict: Verdict) -> Verdict:
    """The recorded reason of an attempt that was ended stands, whatever pod or Job say."""
    if ref.ending is None:
        return verdict
    return Verdict(
        False,
        ref.ending,
        "",
        exit_code=None,
        started_at=verdict.started_at,
        finished_at=verdict.finished_at,
    )


def _live(fact: AttemptFact, pod: PodFact | None) -> Live:
    job = fact.job
    suspended = job is not None and job.suspended
    stuck = next((p for p in fact.pods if p.deletion_at is not None and not p.is_over), None)
    if pod is None:
        had_pod = job is not None and not suspended and _had_pod(fact, job)
        return Live(
            started=had_pod,
            clock_from=None if job is None or suspended or had_pod else job.started_at,
            suspended=suspended,
            refusal=fact.refusal,
            podless=not had_pod,
            stuck=stuck,
        )
    return Live(
        started=pod.main_started_at is not None and pod.phase != "Pending",
        clock_from=None if suspended else _start_clock(job, pod),
        suspended=suspended,
        blocked=pod.blocked,
        helpers=pod.helpers_running,
        stuck=stuck,
    )


def _start_clock(job: JobFact | None, pod: PodFact) -> datetime:
    """A Job that a quota held up has its pod long after its start: the pod's clock is its own."""
    if job is None or job.started_at is None:
        return pod.created_at
    return max(job.started_at, pod.created_at)


def _had_pod(fact: AttemptFact, job: JobFact) -> bool:
    """Whether a pod of the Job's present start was seen: then its record is waited for, no start.

    A Job that was suspended and resumed has a later start than the pod that it had before.
    """
    pods = fact.pods if fact.last_pod is None else (*fact.pods, fact.last_pod)
    return any(job.started_at is None or pod.created_at >= job.started_at for pod in pods)


def _success(fact: AttemptFact, pod: PodFact | None) -> Verdict:
    job = fact.job
    return Verdict(
        True,
        "Succeeded",
        exit_code=0,
        started_at=_start(pod, job),
        finished_at=(pod.finished_at if pod is not None else None)
        or (job.end.at if job is not None and job.end is not None else None),
        told=_told(fact, pod),
    )


def _told(fact: AttemptFact, pod: PodFact | None) -> str | None:
    """The termination message of the pod that succeeded, or of any that did."""
    for found in (pod, *reversed(fact.pods), fact.last_pod):
        if found is not None and found.phase == "Succeeded" and found.main is not None:
            return found.main.message
    return None


def _start(pod: PodFact | None, job: JobFact | None) -> datetime | None:
    if pod is not None:
        return pod.main_started_at or pod.created_at
    return job.started_at if job is not None else None


def _failed(why: cause.Cause, started_at: datetime | None, finished_at: datetime | None) -> Verdict:
    return Verdict(
        False,
        why.reason,
        why.message,
        why.exit_code,
        started_at=started_at,
        finished_at=finished_at,
        container=why.container,
        may_heal=why.may_heal,
    )


def _from_pod(pod: PodFact) -> Verdict:
    """The verdict of a pod that failed by itself."""
    return _failed(cause.of_pod(pod), _start(pod, None), pod.finished_at or pod.created_at)


def _from_job(fact: AttemptFact, job: JobFact) -> Verdict:
    """The verdict of the Job controller, where no pod's own is left."""
    if job.end is None:
        return Verdict(False, Reason.UNKNOWN)
    pod = fact.pods[-1] if fact.pods else fact.last_pod
    return _failed(cause.of_job(fact, job, job.end, pod), _start(pod, job), job.end.at)


def _gone(fact: AttemptFact, ref: JobRef) -> Verdict:
    """The verdict of an attempt of which Job and pods are proven to be gone."""
    pod = fact.last_pod
    started = _start(pod, None)
    finished = pod.finished_at if pod is not None else None
    if ref.ending is not None:
        return Verdict(False, ref.ending, "", started_at=started, finished_at=finished)
    if pod is not None and ended_by_itself(pod, None):
        if pod.phase == "Succeeded":
            return _success(fact, pod)
        return _from_pod(pod)
    if fact.disrupted:
        return Verdict(False, Reason.DISRUPTED, "its pod was evicted", None, started, finished)
    return Verdict(
        False, Reason.LOST, "its Job or pod was deleted by somebody", None, started, finished
    )
