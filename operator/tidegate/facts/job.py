"""A raw batch/v1 Job, trimmed to its fact."""

from typing import Any

from tidegate import constants as c
from tidegate.facts import raw as read
from tidegate.facts.model import JobEnd, JobFact

_SUCCESS = ("SuccessCriteriaMet", "Complete")
_FAILURE = ("FailureTarget", "Failed")
_STOPPED = frozenset({"Complete", "Failed"})
_DECIDED = frozenset({*_SUCCESS, *_FAILURE})


def job_fact(raw: read.Raw) -> JobFact | None:
    """The fact of a Job; None if its labels say that it is no attempt of a Workflow.

    ``owner_uid`` is empty for a Job whose controller is no Workflow.
    """
    metadata = read.mapping(raw.get("metadata"))
    attempt = read.attempt_of(metadata)
    created_at = read.time(metadata.get("creationTimestamp"))
    uid, name = read.text(metadata.get("uid")), read.text(metadata.get("name"))
    if attempt is None or created_at is None or not (uid and name):
        return None
    annotations = read.mapping(metadata.get("annotations"))
    spec, status = read.mapping(raw.get("spec")), read.mapping(raw.get("status"))
    return JobFact(
        name=name,
        uid=uid,
        owner_uid=_owner_uid(metadata),
        attempt=attempt,
        definition=read.text(annotations.get(c.ANNOTATION_DEFINITION)),
        created_at=created_at,
        started_at=None if _stands(spec, status) else read.time(status.get("startTime")),
        suspended=spec.get("suspend") is True,
        deleting=read.text(metadata.get("deletionTimestamp")) != "",
        end_reason=_text_or_none(annotations.get(c.ANNOTATION_END)),
        deadline=read.number(spec.get("activeDeadlineSeconds")),
        failed=read.number(status.get("failed")) or 0,
        end=_end(status),
    )


def _owner_uid(metadata: read.Raw) -> str:
    owner = read.controller(metadata)
    group = read.text(owner.get("apiVersion")).partition("/")[0]
    ours = owner.get("kind") == c.KIND and group == c.GROUP
    return read.text(owner.get("uid")) if ours else ""


def _stands(spec: read.Raw, status: read.Raw) -> bool:
    """Whether the Job's clock stands.

    A Job that is suspended on its way keeps its startTime, and keeps it when it is resumed, until
    its controller has seen that; the condition goes when the new startTime comes.
    """
    return spec.get("suspend") is True or any(
        condition.get("type") == "Suspended" and read.true_condition(condition)
        for condition in read.items(status.get("conditions"))
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _end(status: read.Raw) -> JobEnd | None:
    """How the Job ended.

    ``status.succeeded`` >= 1 beats any condition: the Job controller tests the deadline before
    completion, so a pod that succeeded can leave a Job Failed/DeadlineExceeded (k/k#46497).
    """
    true = {
        kind: condition
        for condition in read.items(status.get("conditions"))
        if (kind := read.text(condition.get("type"))) in _DECIDED and read.true_condition(condition)
    }
    counted = (read.number(status.get("succeeded")) or 0) >= 1
    if not true and not counted:
        return None
    succeeded = counted or any(kind in true for kind in _SUCCESS)
    order = (*_SUCCESS, *_FAILURE) if succeeded else _FAILURE
    telling = [true[kind] for kind in order if kind in true]
    return JobEnd(
        succeeded=succeeded,
        reason=_first(telling, "reason"),
        message=_first(telling, "message"),
        at=min(
            filter(None, (read.time(x.get("lastTransitionTime")) for x in telling)), default=None
        )
        or read.time(status.get("completionTime")),
        stopped=not _STOPPED.isdisjoint(true),
    )


def _first(conditions: list[Any], field: str) -> str:
    return next(filter(None, (read.text(condition.get(field)) for condition in conditions)), "")
