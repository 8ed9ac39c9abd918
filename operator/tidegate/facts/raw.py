"""Reading raw objects: whatever a field holds, a value of the expected type comes back.

Raw objects are JSON, so a field of another type than documented is odd, never fatal: it reads as
if it were absent. These run on every event of every Job and pod.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tidegate import constants as c
from tidegate.api.identity import AttemptId, WorkflowKey

Raw = dict[str, Any]
"""An object as decoded from the API server's JSON."""

EPOCH = datetime.fromtimestamp(0, UTC)


def mapping(value: object) -> Raw:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Iterator[Raw]:
    """The JSON objects in a list; nothing if ``value`` is none."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item


def text(value: object) -> str:
    """``value`` if it is text, else empty text."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int | None:
    """``value`` if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def time(value: object) -> datetime | None:
    """The moment that a metav1.Time or MicroTime tells; None where it tells none.

    Kubelets write the zero of Unix time for what never happened (a container that could not be
    started); that is no moment either.
    """
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at if at > EPOCH else None


def true_condition(condition: Raw) -> bool:
    """Whether a condition holds."""
    return condition.get("status") == "True"


def controller(metadata: Raw) -> Raw:
    """The controller owner reference of an object; empty if it has none."""
    for reference in items(metadata.get("ownerReferences")):
        if reference.get("controller") is True:
            return reference
    return {}


_ATTEMPT_LABELS = (c.LABEL_RUN, c.LABEL_NODE, c.LABEL_ATTEMPT, c.LABEL_STANDBY)


def attempt_of(metadata: Raw) -> AttemptId | None:
    """The attempt that an object's labels tell of; None if it isn't one of ours."""
    labels = mapping(metadata.get("labels"))
    if c.LABEL_NODE not in labels:
        return None
    return AttemptId.from_labels({name: text(labels.get(name)) for name in _ATTEMPT_LABELS})


def workflow_key(raw: Raw) -> WorkflowKey | None:
    """The Workflow that a Job or pod belongs to by its labels; None if by none.

    Labels can be forged: whoever acts on a Job or pod compares uids as well.
    """
    metadata = mapping(raw.get("metadata"))
    name = text(mapping(metadata.get("labels")).get(c.LABEL_WORKFLOW))
    namespace = text(metadata.get("namespace"))
    return WorkflowKey(namespace, name) if name and namespace else None
