"""The pod template of an attempt: the author's template, the short hands, and our own fields."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from tidegate import constants as c
from tidegate.api.identity import AttemptId
from tidegate.api.merge import merge_template
from tidegate.api.task import Task
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.build.escape import escape
from tidegate.build.references import resolve_container, values_of
from tidegate.build.variables import env_of
from tidegate.engine.model import Start

Object = dict[str, Any]


def pod_template(workflow: ValidatedWorkflow, start: Start, labels: Mapping[str, str]) -> Object:
    """The ``spec.template`` of the attempt's Job; ``labels`` are those that the Job bears, too."""
    task = task_of(workflow, start.attempt)
    merged = merge_template(task.template, {"spec": {"containers": [_short_hands(task, start)]}})
    metadata = dict(merged.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    shown = {c.ANNOTATION_DEFAULT_CONTAINER: c.MAIN_CONTAINER}
    metadata["annotations"] = {**shown, **(metadata.get("annotations") or {})}
    return {"metadata": metadata, "spec": _pod_spec(workflow, start, merged["spec"])}


def task_of(workflow: ValidatedWorkflow, attempt: AttemptId) -> Task:
    """What the attempt runs: its node, the fallback in that node's place, or a handler."""
    if attempt.standby:
        return workflow.stand_ins[attempt.node]
    return workflow.tasks.get(attempt.node) or workflow.standbys[attempt.node]


def timeout_of(workflow: ValidatedWorkflow, start: Start) -> int | None:
    """Whole seconds that the attempt's pod may take; None for as long as it likes."""
    timeout = task_of(workflow, start.attempt).timeout
    seconds = start.default_timeout if timeout is None else timeout.total_seconds()
    return None if seconds is None else ceil(seconds)


def _short_hands(task: Task, start: Start) -> Object:
    """The container ``main`` as far as the short hands tell of it."""
    command = task.command
    if task.script is not None:
        command = tuple(map(escape, (*task.shell, task.script)))
    fields = {
        "image": task.image,
        "command": None if command is None else list(command),
        "args": None if task.args is None else list(task.args),
        "workingDir": task.working_dir,
        "env": [dict(entry) for entry in env_of(task, dict(start.values))] or None,
        "envFrom": [dict(entry) for entry in task.env_from] or None,
        "resources": dict(task.resources or {}) or None,
        "volumeMounts": [dict(mount) for mount in task.volume_mounts] or None,
    }
    given: Object = {key: value for key, value in fields.items() if value is not None}
    if task.script is not None:
        given["args"] = None  # a template's own would be arguments of the script
    return {"name": c.MAIN_CONTAINER, **given}


def _pod_spec(workflow: ValidatedWorkflow, start: Start, merged: Mapping[str, Any]) -> Object:
    values = values_of(workflow, start)
    spec = dict(merged)
    for kind in ("initContainers", "containers"):
        if containers := merged.get(kind):
            spec[kind] = [resolve_container(container, values) for container in containers]
    spec["containers"] = [
        _with_own_variables(container, _own_variables(workflow, start, container))
        if container.get("name") == c.MAIN_CONTAINER
        else container
        for container in spec["containers"]
    ]
    spec["restartPolicy"] = "Never"
    if not (spec.get("serviceAccountName") or spec.get("serviceAccount")):
        spec["automountServiceAccountToken"] = False
    if (timeout := timeout_of(workflow, start)) is not None:
        spec["activeDeadlineSeconds"] = timeout
    return spec


def _own_variables(
    workflow: ValidatedWorkflow, start: Start, main: Mapping[str, Any]
) -> dict[str, str]:
    attempt = start.attempt
    return {
        "TIDEGATE_WORKFLOW": workflow.key.name,
        "TIDEGATE_NAMESPACE": workflow.key.namespace,
        "TIDEGATE_NODE": attempt.node,
        "TIDEGATE_RUN": str(attempt.run),
        "TIDEGATE_ATTEMPT": str(attempt.number),
        c.OUTPUT_VARIABLE: main.get("terminationMessagePath") or c.TERMINATION_MESSAGE_PATH,
        **dict(start.env),
    }


def _with_own_variables(container: Mapping[str, Any], own: Mapping[str, str]) -> Object:
    """``container`` with our variables before all others, so that those may refer to them."""
    first = [{"name": name, "value": escape(value)} for name, value in own.items()]
    rest = [entry for entry in container.get("env") or () if entry.get("name") not in own]
    return {**container, "env": [*first, *rest]}
