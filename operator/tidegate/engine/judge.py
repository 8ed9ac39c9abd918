"""What became of an attempt: the verdict, once nothing of it runs any more.

The verdict comes from a pod only if the pod ended by itself; a killed pod lies (a program that
exits 0 on SIGTERM leaves it Succeeded), so then the Job's own record decides.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api.status import JobRef
from tidegate.constants import MAIN_CONTAINER
from tidegate.engine.reasons import NOT_COUNTED, Reason
from tidegate.facts.model import AttemptFact, ContainerEnd, Existence, JobFact, PodFact

NODE_LOST_AFTER = timedelta(minutes=2)
"""A pod still there so long after its deletionTimestamp can't be confirmed stopped."""

_EXIT_CODE = re.compile(r"failed with exit code (\d+)")


@dataclass(frozen=True, slots=True)
class Unproven:
    """Nothing is seen of the attempt, which proves nothing."""


@dataclass(frozen=True, slots=True)
class Live:
    """The attempt has a Job that may still run something."""

    started: bool = False
    """Whether ``main`` has started."""
    clock_from: datetime | None = None
    """Since when ``startTimeout`` counts; None while that clock stands."""
    suspended: bool = False
    blocked: str | None = None
    """Why its pod can't start, as ``<reason>: <message>``."""
    refusal: str | None = None
    """Why it has no pod: the words of the Job's FailedCreate event."""
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
    """Whether nothing of the attempt runs and no pod of it can come any more."""
    if fact.existence is Existence.GONE:
        return True
    if any(not pod.is_over for pod in fact.pods):
        return False
    job = fact.job
    if job is None:
        return fact.existence is Existence.PRESENT
    if job.end is not None and job.end.stopped:
        return True
    return any(ended_by_itself(pod, job) for pod in fact.pods)


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
    if fact.job is not None and fact.job.end is not None and fact.job.end.succeeded:
        return _success(fact, fact.pods[-1] if fact.pods else fact.last_pod)
    if natural:
        return _overruled(ref, _from_pod(natural[-1]))
    if fact.job is not None:
        if fact.job.end is not None and fact.job.end.stopped:
            return _overruled(ref, _from_job(fact, fact.job))
        return _live(fact, None)
    if fact.existence is Existence.GONE or fact.job_gone:
        return _gone(fact, ref)
    return Unproven()


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
        return Live(
            clock_from=None if job is None or suspended else job.started_at,
            suspended=suspended,
            refusal=fact.refusal,
            stuck=stuck,
        )
    return Live(
        started=pod.main_started_at is not None,
        clock_from=None if suspended else (job.started_at if job is not None else pod.created_at),
        suspended=suspended,
        blocked=pod.blocked,
        helpers=pod.helpers_running,
        stuck=stuck,
    )


def _success(fact: AttemptFact, pod: PodFact | None) -> Verdict:
    job = fact.job
    return Verdict(
        True,
        "Succeeded",
        exit_code=0,
        started_at=_start(pod, job),
        finished_at=(pod.finished_at if pod is not None else None)
        or (job.end.at if job is not None and job.end is not None else None),
    )


def _start(pod: PodFact | None, job: JobFact | None) -> datetime | None:
    if pod is not None:
        return pod.main_started_at or pod.created_at
    return job.started_at if job is not None else None


def _from_pod(pod: PodFact) -> Verdict:
    """The verdict of a pod that failed by itself."""
    reason, message, code = _pod_failure(pod)
    return Verdict(
        False,
        reason,
        message,
        code,
        started_at=_start(pod, None),
        finished_at=pod.finished_at or pod.created_at,
        container=pod.failed.name if pod.failed is not None else MAIN_CONTAINER,
    )


def _pod_failure(pod: PodFact) -> tuple[str, str, int | None]:
    if pod.reason == "DeadlineExceeded":
        if pod.main_started_at is not None:
            return Reason.TIMEOUT, "its timeout was over", None
        return Reason.START_TIMEOUT, f"its timeout was over before it ran{_why(pod)}", None
    if pod.reason and not pod.any_started:
        return Reason.DISRUPTED, f"{pod.reason}: {pod.message}".rstrip(": "), None
    failed = pod.failed
    if failed is None:
        if pod.reason:
            return Reason.DISRUPTED, f"{pod.reason}: {pod.message}".rstrip(": "), None
        return Reason.UNKNOWN, "the pod failed without telling why", None
    if failed.reason == "ContainerStatusUnknown":
        return Reason.DISRUPTED, "its node lost track of the container", failed.exit_code
    return _container_failure(failed, pod)


def _container_failure(failed: ContainerEnd, pod: PodFact) -> tuple[str, str, int | None]:
    where = "" if failed.name == MAIN_CONTAINER else f" in container {failed.name}"
    rest = f"; still running then: {', '.join(pod.helpers_running)}" if pod.helpers_running else ""
    if failed.reason == "OOMKilled":
        return Reason.OOM_KILLED, f"out of memory{where}{rest}", failed.exit_code
    told = f"{failed.reason}: {failed.message}" if failed.reason not in ("", "Error") else ""
    details = f" ({told.rstrip(': ')})" if told else ""
    return (
        Reason.EXIT_CODE,
        f"exit code {failed.exit_code}{where}{details}{rest}",
        failed.exit_code,
    )


def _why(pod: PodFact) -> str:
    return f" ({pod.blocked})" if pod.blocked else ""


def _from_job(fact: AttemptFact, job: JobFact) -> Verdict:
    """The verdict of the Job controller, where no pod's own is left."""
    end = job.end
    if end is None:
        return Verdict(False, Reason.UNKNOWN)
    pod = fact.pods[-1] if fact.pods else fact.last_pod
    reason, message, code = _job_failure(fact, end.reason, end.message, pod)
    return Verdict(False, reason, message, code, _start(pod, job), end.at)


def _job_failure(
    fact: AttemptFact, reason: str, message: str, pod: PodFact | None
) -> tuple[str, str, int | None]:
    if fact.disrupted or "DisruptionTarget" in message or (pod and pod.disruption is not None):
        words = pod.disruption if pod is not None and pod.disruption else "its pod was evicted"
        return Reason.DISRUPTED, words, None
    if reason == "DeadlineExceeded":
        return _job_deadline(fact, pod)
    code = _EXIT_CODE.search(message)
    if code is not None:
        killed = " after its pod was deleted" if pod and pod.deletion_at is not None else ""
        return Reason.EXIT_CODE, f"exit code {code[1]}{killed}", int(code[1])
    if pod is not None and pod.failed is not None and pod.deletion_at is None:
        return _container_failure(pod.failed, pod)
    if reason == "BackoffLimitExceeded":
        return Reason.LOST, "its pod was deleted before it told how it ended", None
    return Reason.UNKNOWN, f"{reason}: {message}".rstrip(": "), None


def _job_deadline(fact: AttemptFact, pod: PodFact | None) -> tuple[str, str, int | None]:
    if pod is None and fact.refusal and "exceeded quota" in fact.refusal:
        return NOT_COUNTED, fact.refusal, None
    if pod is not None and pod.main_started_at is None:
        return Reason.START_TIMEOUT, f"it didn't start in time{_why(pod)}", None
    return Reason.TIMEOUT, "its timeout was over", None


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
