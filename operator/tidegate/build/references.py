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
        **workflow.values(attempt.run, attempt.node),
        **dict(start.values),
        names.NODE_ATTEMPT: str(attempt.number),
    }


def resolve(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each reference replaced by its value, escaped for the kubelet.

    Names without a value stay as they are: validation has refused those that claim to be ours.
    """

    def escaped(expression: str) -> str | None:
        value = values.get(expression)
        return None if value is None else escape(value)

    return names.replaced(text, escaped)


def _resolve_image(image: str, values: Mapping[str, str]) -> str:
    """Params only, and nothing is escaped: the kubelet doesn't expand images."""

    def param(expression: str) -> str | None:
        return None if names.param_of(expression) is None else values.get(expression)

    return names.replaced(image, param)


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
