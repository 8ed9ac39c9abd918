"""Replacing the references that are the operator's own by their values, in one pass."""

from collections.abc import Mapping
from typing import Any

from tidegate.api import references as names
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.build.escape import escape
from tidegate.engine.model import Start


def values_of(workflow: ValidatedWorkflow, start: Start) -> dict[str, str]:
    """What each known name stands for in an attempt.

    A standby in a node's place reads that node's name, as its labels and status do.
    """
    attempt = start.attempt
    return {
        **{f"params.{param.name}": param.value for param in workflow.spec.params},
        **dict(start.values),
        names.WORKFLOW_NAME: workflow.key.name,
        names.WORKFLOW_NAMESPACE: workflow.key.namespace,
        names.WORKFLOW_UID: workflow.uid,
        names.WORKFLOW_RUN: str(attempt.run),
        names.NODE_NAME: attempt.node,
        names.NODE_ATTEMPT: str(attempt.number),
    }


def resolve(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each reference replaced by its value, escaped for the kubelet.

    What was inserted isn't looked at again. Names without a value stay as they are: validation has
    refused those that claim to be ours.
    """
    parts, end = [], 0
    for reference in names.find_references(text):
        value = values.get(reference.expression)
        if value is not None:
            parts += [text[end : reference.position], escape(value)]
            end = reference.end
    return "".join([*parts, text[end:]])


def _resolve_image(image: str, values: Mapping[str, str]) -> str:
    """Params only, and nothing is escaped: the kubelet doesn't expand images."""
    parts, end = [], 0
    for reference in names.find_references(image):
        if names.param_of(reference.expression) is not None and reference.expression in values:
            parts += [image[end : reference.position], values[reference.expression]]
            end = reference.end
    return "".join([*parts, image[end:]])


def resolve_container(container: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A raw container with the references in its texts replaced."""
    resolved = dict(container)
    if isinstance(image := container.get("image"), str):
        resolved["image"] = _resolve_image(image, values)
    for field in ("command", "args"):
        if isinstance(texts := container.get(field), list | tuple):
            resolved[field] = [
                resolve(text, values) if isinstance(text, str) else text for text in texts
            ]
    if isinstance(env := container.get("env"), list | tuple):
        resolved["env"] = [_resolve_variable(entry, values) for entry in env]
    return resolved


def _resolve_variable(entry: object, values: Mapping[str, str]) -> object:
    if isinstance(entry, Mapping) and isinstance(text := entry.get("value"), str):
        return {**entry, "value": resolve(text, values)}
    return entry
