"""A raw pod of a Job, trimmed to its fact.

"Sidecars" are init containers with ``restartPolicy: Always``: they run beside the others and are
stopped by the kubelet once those have ended, so how they exit tells nothing about the attempt.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from tidegate import constants as c
from tidegate.facts import raw as read
from tidegate.facts.model import ContainerEnd, PodFact

_HARMLESS_WAITS = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons of waiting that end by themselves; every other one is worth telling."""
_USED_TO_RUN = "used to be Running"
"""In the kubelet's words on a container of which it found no trace (ContainerStatusUnknown); it
says nothing of the kind, but gives the same reason and exit code, where none was ever started."""
_UNKNOWN_STATUS = "ContainerStatusUnknown"
_MAX_DEADLINE, _MAX_YEAR = 2**31, 9000
_OVER = ("Succeeded", "Failed")


class _Container(NamedTuple):
    """What a pod's status tells about one of its containers."""

    name: str
    waiting: str
    running: bool
    started_at: datetime | None
    """When it first started, as far as known."""
    started: bool
    end: ContainerEnd | None
    image_id: str


def pod_fact(raw: read.Raw) -> PodFact | None:
    """The fact of a pod; None if its labels say that it is no pod of a Workflow's attempt."""
    metadata = read.mapping(raw.get("metadata"))
    attempt = read.attempt_of(metadata)
    created_at = read.time(metadata.get("creationTimestamp"))
    uid, name = read.text(metadata.get("uid")), read.text(metadata.get("name"))
    job_uid = read.text(read.mapping(metadata.get("labels")).get(c.LABEL_JOB_UID))
    if attempt is None or created_at is None or not (uid and name and job_uid):
        return None
    spec, status = read.mapping(raw.get("spec")), read.mapping(raw.get("status"))
    sidecars, inits, ordinary = _containers(spec, status)
    everyone = [*inits, *sidecars, *ordinary]
    main = next((one for one in ordinary if one.name == c.MAIN_CONTAINER), None)
    phase = read.text(status.get("phase"))
    over = phase in _OVER
    return PodFact(
        name=name,
        uid=uid,
        job_uid=job_uid,
        attempt=attempt,
        created_at=created_at,
        phase=phase,
        deletion_at=read.time(metadata.get("deletionTimestamp")),
        reason=read.text(status.get("reason")),
        message=read.text(status.get("message")),
        disruption=_disruption(status),
        blocked=_unscheduled(status) or _blocked(everyone),
        main_started_at=main.started_at if main else None,
        main=main.end if main else None,
        failed=_failed_first([*inits, *ordinary]),
        any_started=any(one.started for one in everyone),
        helpers_running=_helpers_running(main, ordinary),
        finished_at=_finished_at(everyone, spec, status) if over else None,
        node_name=read.text(spec.get("nodeName")),
        image_id=main.image_id if main else "",
    )


def _containers(
    spec: read.Raw, status: read.Raw
) -> tuple[list[_Container], list[_Container], list[_Container]]:
    """Sidecars, other init containers, and ordinary containers."""
    ordinary = [_container(one) for one in read.items(status.get("containerStatuses"))]
    inits = [_container(one) for one in read.items(status.get("initContainerStatuses"))]
    if not inits:
        return [], [], ordinary
    names = {
        read.text(one.get("name"))
        for one in read.items(spec.get("initContainers"))
        if one.get("restartPolicy") == "Always"
    }
    sidecars = [one for one in inits if one.name in names]
    return sidecars, [one for one in inits if one.name not in names], ordinary


def _container(status: read.Raw) -> _Container:
    name = read.text(status.get("name"))
    state = read.mapping(status.get("state"))
    running = state.get("running")
    end = _container_end(name, state.get("terminated"))
    before = _container_end(name, read.mapping(status.get("lastState")).get("terminated"))
    now_at = end.started_at if end else read.time(read.mapping(running).get("startedAt"))
    started_at = (before and before.started_at) or now_at
    return _Container(
        name=name,
        waiting=_waiting(read.mapping(state.get("waiting"))),
        running=isinstance(running, dict),
        started_at=started_at,
        started=isinstance(running, dict)
        or started_at is not None
        or (end is not None and _USED_TO_RUN in end.message and end.reason == _UNKNOWN_STATUS),
        end=end,
        image_id=read.text(status.get("imageID")),
    )


def _container_end(name: str, terminated: object) -> ContainerEnd | None:
    if not isinstance(terminated, dict):
        return None
    return ContainerEnd(
        name=name,
        exit_code=read.number(terminated.get("exitCode")) or 0,
        reason=read.text(terminated.get("reason")),
        message=read.text(terminated.get("message")),
        started_at=read.time(terminated.get("startedAt")),
        finished_at=read.time(terminated.get("finishedAt")),
    )


def _waiting(waiting: read.Raw) -> str:
    """Why a container waits, ``<reason>: <message>``; empty where that is harmless."""
    reason = read.text(waiting.get("reason"))
    return "" if reason in _HARMLESS_WAITS else _words(reason, waiting)


def _words(reason: str, source: read.Raw) -> str:
    message = read.text(source.get("message"))
    return f"{reason}: {message}" if message else reason


def _blocked(containers: list[_Container]) -> str | None:
    return next((one.waiting for one in containers if one.waiting), None)


def _unscheduled(status: read.Raw) -> str | None:
    """Why no node was found for the pod (Unschedulable, SchedulingGated …)."""
    for condition in read.items(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _words(read.text(condition.get("reason")) or "Unschedulable", condition)
    return None


def _disruption(status: read.Raw) -> str | None:
    for condition in read.items(status.get("conditions")):
        if condition.get("type") == "DisruptionTarget" and read.true_condition(condition):
            return read.text(condition.get("message"))
    return None


def _failed_first(containers: list[_Container]) -> ContainerEnd | None:
    """The first to fail; ``main`` among those that failed in the same second."""
    failed = [one.end for one in containers if one.end and one.end.exit_code != 0]
    return min(failed, key=_order_of_failure, default=None)


def _order_of_failure(end: ContainerEnd) -> tuple[bool, float, bool]:
    at = end.finished_at
    return (at is None, at.timestamp() if at else 0.0, end.name != c.MAIN_CONTAINER)


def _helpers_running(main: _Container | None, ordinary: list[_Container]) -> tuple[str, ...]:
    if main is None or main.end is None:
        return ()
    return tuple(one.name for one in ordinary if one.running)


def _finished_at(containers: list[_Container], spec: read.Raw, status: read.Raw) -> datetime | None:
    """When the last container of a pod that is over terminated.

    Where a container's end isn't known (evicted, lost with its node, never started) the latest
    change of the pod's conditions or the deadline that struck stands in, if that is later; a pod
    that the kubelet rejected has nothing but a startTime, the moment of its rejection.
    """
    ends = [one.end.finished_at if one.end else None for one in containers]
    known = [at for at in ends if at is not None]
    if not ends or len(known) < len(ends):
        known += [*_changes(status), *_deadline(spec, status)]
    return max(known, default=None) or read.time(status.get("startTime"))


def _deadline(spec: read.Raw, status: read.Raw) -> list[datetime]:
    """When the pod's deadline struck, if it did: counted from the kubelet's acceptance."""
    start = read.time(status.get("startTime"))
    seconds = read.number(spec.get("activeDeadlineSeconds"))
    if status.get("reason") != "DeadlineExceeded" or start is None or seconds is None:
        return []
    believable = 0 <= seconds < _MAX_DEADLINE and start.year < _MAX_YEAR
    return [start + timedelta(seconds=seconds)] if believable else []


def _changes(status: read.Raw) -> list[datetime]:
    """When the pod's conditions changed, less the one that tells of its sandbox being cleared."""
    changes = (
        read.time(condition.get("lastTransitionTime"))
        for condition in read.items(status.get("conditions"))
        if condition.get("type") != "PodReadyToStartContainers"
    )
    return [at for at in changes if at is not None]
