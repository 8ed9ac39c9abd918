"""Why an attempt failed, by what its pod or else its Job tells."""

import re
from typing import NamedTuple

from tidegate.constants import MAIN_CONTAINER
from tidegate.engine.reasons import NOT_COUNTED, Reason
from tidegate.facts.model import AttemptFact, ContainerEnd, JobEnd, JobFact, PodFact

_MAY_HEAL = ("Unschedulable", "SchedulingGated", "ErrImagePull", "ImagePullBackOff")
_LOST_TRACK = ("ContainerStatusUnknown", "Unknown")
"""Reasons of containers whose end nobody saw: the kubelet or its machine was restarted."""
_KILLED = (137, 143)
"""Exit codes of a program that SIGKILL or SIGTERM ended: they tell of the kill, not of it."""
_EXIT_CODE = re.compile(r"Container (\S+) for pod \S+ failed with exit code (\d+)")
"""Words of the Job controller for a rule of the podFailurePolicy that looks at exit codes."""


class Cause(NamedTuple):
    """Why an attempt failed."""

    reason: str
    message: str = ""
    exit_code: int | None = None
    container: str = MAIN_CONTAINER
    may_heal: bool = True


def of_pod(pod: PodFact) -> Cause:
    """Why a pod failed that ended by itself."""
    if pod.reason == "DeadlineExceeded":
        if pod.main_started_at is not None:
            return Cause(Reason.TIMEOUT, "its timeout was over")
        return _start_timeout("its timeout was over before it ran", pod.blocked)
    if pod.reason and (pod.failed is None or not pod.any_started):
        return Cause(Reason.DISRUPTED, f"{pod.reason}: {pod.message}".rstrip(": "))
    if pod.failed is None:
        return Cause(Reason.UNKNOWN, "the pod failed without telling why")
    if pod.failed.reason in _LOST_TRACK:
        return Cause(Reason.DISRUPTED, "its node lost track of the container")
    return _container_failure(pod.failed, pod)


def of_job(fact: AttemptFact, job: JobFact, end: JobEnd, pod: PodFact | None) -> Cause:
    """Why a Job failed, where no pod's own end is left; ``pod`` is the last that it had."""
    if fact.disrupted or "DisruptionTarget" in end.message or (pod and pod.disruption is not None):
        words = pod.disruption if pod is not None and pod.disruption else "its pod was evicted"
        return Cause(Reason.DISRUPTED, words)
    if end.reason == "DeadlineExceeded":
        return _job_deadline(fact, job, pod)
    told = _EXIT_CODE.search(end.message)
    if told is not None:
        where = "" if told[1] == MAIN_CONTAINER else f" in container {told[1]}"
        code, words = int(told[2]), f"exit code {told[2]}{where}"
        if pod is not None and pod.deletion_at is not None:
            if code in _KILLED:
                message = f"its pod was deleted by somebody ({words})"
                return Cause(Reason.LOST, message, code, told[1])
            words = f"{words} after its pod was deleted"
        return Cause(Reason.EXIT_CODE, words, code, told[1])
    if pod is not None and pod.failed is not None and pod.deletion_at is None:
        return _container_failure(pod.failed, pod)
    if end.reason == "BackoffLimitExceeded":
        return Cause(Reason.LOST, "its pod was deleted before it told how it ended")
    return Cause(Reason.UNKNOWN, f"{end.reason}: {end.message}".rstrip(": "))


def may_heal(why: str) -> bool:
    """Whether what keeps a pod from starting may pass: no room, a registry, or nothing is told."""
    return not why or why.startswith(_MAY_HEAL)


def _container_failure(failed: ContainerEnd, pod: PodFact) -> Cause:
    where = "" if failed.name == MAIN_CONTAINER else f" in container {failed.name}"
    rest = f"; still running then: {', '.join(pod.helpers_running)}" if pod.helpers_running else ""
    if failed.reason == "OOMKilled":
        message = f"{where}{rest}".strip(" ;")
        return Cause(Reason.OOM_KILLED, message, failed.exit_code, failed.name)
    told = [word for word in (failed.reason, failed.message) if word not in ("", "Error")]
    details = f" ({': '.join(told)})" if told else ""
    message = f"exit code {failed.exit_code}{where}{details}{rest}"
    return Cause(Reason.EXIT_CODE, message, failed.exit_code, failed.name)


def _job_deadline(fact: AttemptFact, job: JobFact, pod: PodFact | None) -> Cause:
    if pod is None and fact.refusal and "exceeded quota" in fact.refusal:
        return Cause(NOT_COUNTED, fact.refusal)
    if pod is None and job.failed == 0:
        return _start_timeout("it didn't get a pod in time", fact.refusal)
    if pod is not None and pod.main_started_at is None:
        return _start_timeout("it didn't start in time", pod.blocked)
    return Cause(Reason.TIMEOUT, "its timeout was over")


def _start_timeout(words: str, why: str | None) -> Cause:
    told = f"{words} ({why})" if why else words
    return Cause(Reason.START_TIMEOUT, told, may_heal=may_heal(why or ""))
