"""Specs for tests, and what validation says of them."""

from dataclasses import dataclass
from typing import Any

from tidegate.api.identity import WorkflowKey
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.errors import InvalidSpec

Spec = dict[str, Any]


KEY = WorkflowKey("team-a", "nightly")


@dataclass(frozen=True)
class Stored:
    spec: Any
    key: WorkflowKey = KEY
    uid: str = "0000-uid"
    generation: int = 1


def node(name: str = "a", **fields: Any) -> Spec:
    return {"name": name, **fields}


def spec(*nodes: Spec, **fields: Any) -> Spec:
    """A valid spec, but for what ``nodes`` and ``fields`` bring."""
    return {"defaults": {"image": "busybox:1.36"}, "nodes": list(nodes or (node(),)), **fields}


def validated(raw: Any, name: str = "nightly") -> ValidatedWorkflow:
    return validate(Stored(raw, WorkflowKey("team-a", name)))


def faults(raw: Any, name: str = "nightly") -> list[str]:
    """The faults of ``raw``, as people read them; none where it is valid."""
    try:
        validated(raw, name)
    except InvalidSpec as error:
        return [str(fault) for fault in error.faults]
    return []
