"""The Job of an attempt."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from tidegate import constants as c
from tidegate.api.identity import AttemptId, job_name
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.build.pod import Object, pod_template, task_of, timeout_of
from tidegate.engine.model import Start

_MANAGED_BY = {"app.kubernetes.io/managed-by": "tidegate"}
_GRACE_SECONDS = 30
"""How much longer the Job may take than its pod: the Job's deadline is for when nobody watches."""


def job_manifest(workflow: ValidatedWorkflow, start: Start) -> Object:
    """The complete batch/v1 Job of an attempt; the same whoever builds it and whenever."""
    labels = {**start.attempt.labels(workflow.key.name), **_MANAGED_BY}
    template = pod_template(workflow, start, labels)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(workflow, start.attempt, template["metadata"]),
        "spec": _spec(workflow, start, template),
    }


def _metadata(
    workflow: ValidatedWorkflow, attempt: AttemptId, template: Mapping[str, Any]
) -> Object:
    return {
        "name": job_name(workflow.key.name, workflow.uid, attempt),
        "namespace": workflow.key.namespace,
        "labels": dict(template["labels"]),
        "annotations": _annotations(workflow, attempt, template),
        "ownerReferences": [_owner_reference(workflow)],
    }


def _annotations(
    workflow: ValidatedWorkflow, attempt: AttemptId, template: Mapping[str, Any]
) -> dict[str, str]:
    """The template's, less any that only the operator may set on a Job, and the definition.

    A fallback bears the definition of the node in whose place it runs, which covers its own.
    """
    given = template.get("annotations") or {}
    theirs = {key: text for key, text in given.items() if not key.startswith(f"{c.GROUP}/")}
    return {**theirs, c.ANNOTATION_DEFINITION: task_of(workflow, attempt).definition}


def _owner_reference(workflow: ValidatedWorkflow) -> Object:
    return {
        "apiVersion": c.API_VERSION,
        "kind": c.KIND,
        "name": workflow.key.name,
        "uid": workflow.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _spec(workflow: ValidatedWorkflow, start: Start, template: Object) -> Object:
    return {
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": _pod_failure_policy(),
        **_deadline(workflow, start),
        "template": template,
    }


def _deadline(workflow: ValidatedWorkflow, start: Start) -> Object:
    timeout = timeout_of(workflow, start)
    if timeout is None:
        return {}
    start_timeout = ceil(task_of(workflow, start.attempt).start_timeout.total_seconds())
    return {"activeDeadlineSeconds": start_timeout + timeout + _GRACE_SECONDS}


def _pod_failure_policy() -> Object:
    """Rules that change no outcome (backoffLimit is 0) but make the Job record why it failed."""
    disrupted = {
        "action": "FailJob",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    exited = {"operator": "NotIn", "values": [0]}
    main = {"action": "FailJob", "onExitCodes": {"containerName": c.MAIN_CONTAINER, **exited}}
    others = {"action": "FailJob", "onExitCodes": exited}
    return {"rules": [disrupted, main, others]}
