"""What an attempt that succeeded passes on: the outputs in its termination message.

A message that is there must be a JSON object, whoever asks for it or not: it was written to
``$TIDEGATE_OUTPUT``, so somebody means it.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from tidegate.api.json_values import compact, parse_object
from tidegate.api.status import NodeStatus
from tidegate.api.task import Task
from tidegate.constants import (
    MAIN_CONTAINER,
    MAX_OUTPUT_BYTES,
    MAX_RUN_OUTPUT_BYTES,
    OUTPUT_VARIABLE,
)
from tidegate.engine.messages import names
from tidegate.engine.reasons import Reason

_POD_BYTES: Final = 12 * 1024
"""The kubelet lets a pod's termination messages have so much together, in equal shares."""
_ROOMY: Final = 4
"""With fewer containers than this a share is no less than one message may have."""
_INJECTED: Final = 15
"""Containers that others may have added to a pod."""
_CONTAINERS: Final = ("initContainers", "containers")
_PART: Final = "\ufffd"
_MAX_PART: Final = 3
"""Bytes of a character that lost some."""
_WHERE: Final = f"what {MAIN_CONTAINER} wrote to ${OUTPUT_VARIABLE}"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of an attempt, defaults included."""

    text: str | None
    """A JSON object; None if there are none."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The attempt failed by its outputs, although its program succeeded."""

    reason: Reason
    message: str


def read_outputs(task: Task, told: str | None, *, read: bool, room: int) -> Outputs | Rejected:
    """The outputs of a successful attempt of ``task``.

    Args:
        task: who ran, with what it promises.
        told: its termination message; None where no pod is left that could tell.
        read: whether anything reads outputs of the node.
        room: bytes that the outputs of this node may take in the run.
    """
    if told is None:
        if not (task.outputs or read):
            return Outputs(None)
        words = "it succeeded, but its pod was deleted before its outputs were read"
        return Rejected(Reason.LOST, words)
    try:
        written = parse_object(told) if told.strip() else {}
    except ValueError as error:
        if kept := _bytes_kept(told, task):
            return Rejected(Reason.OUTPUT_TOO_LARGE, _too_large(kept))
        return Rejected(Reason.INVALID_OUTPUT, f"{_WHERE} {error}")
    if len(told.encode()) > MAX_OUTPUT_BYTES:
        return Rejected(Reason.OUTPUT_TOO_LARGE, _too_large(MAX_OUTPUT_BYTES))
    missing = [k for k, default in task.outputs.items() if default is None and k not in written]
    if missing:
        wrote = f"it wrote {names(sorted(written))}" if written else "it wrote none"
        words = f"no output {names(missing)}, which is declared without a default; {wrote}"
        return Rejected(Reason.INVALID_OUTPUT, words)
    found = written | {k: v for k, v in _defaults(task).items() if k not in written}
    text = compact(found) if found else None
    if text is not None and size_of(text) > room:
        limit = f"{MAX_RUN_OUTPUT_BYTES // 1024} KiB"
        words = f"with its {size_of(text)} bytes the outputs of this run would exceed {limit}"
        return Rejected(Reason.OUTPUT_TOO_LARGE, words)
    return Outputs(text)


def size_of(text: str | None) -> int:
    """Bytes of recorded outputs."""
    return len(text.encode()) if text else 0


def outputs_of(node: NodeStatus, task: Task) -> dict[str, Any]:
    """The outputs of a node as others read them; defaults stand in for what it didn't write."""
    recorded: dict[str, Any] = json.loads(node.outputs) if node.outputs else {}
    return _defaults(task) | recorded


def _defaults(task: Task) -> dict[str, Any]:
    return {key: json.loads(text) for key, text in task.outputs.items() if text is not None}


def _bytes_kept(told: str, task: Task) -> int:
    """The size to which the kubelet cut a text that is no JSON; 0 if it has no such size.

    A cut through a character leaves up to three bytes at that end, which come as U+FFFD.
    """
    whole = told.strip(_PART)
    least = len(whole.encode(errors="replace"))
    ends = told.startswith(_PART) + (bool(whole) and told.endswith(_PART))
    most = least + ends * _MAX_PART
    if most >= MAX_OUTPUT_BYTES:
        return MAX_OUTPUT_BYTES
    count = _containers(task)
    shares = {_POD_BYTES // n for n in range(max(count, _ROOMY), count + _INJECTED + 1)}
    return max((share for share in shares if least <= share <= most), default=0)


def _containers(task: Task) -> int:
    """The containers of the task's pod, of which the short hands make one."""
    pod = task.template.get("spec") or {}
    named = [c.get("name") for kind in _CONTAINERS for c in pod.get(kind) or ()]
    return len({*named, MAIN_CONTAINER})


def _too_large(kept: int) -> str:
    return (
        f"{_WHERE} is longer than the {kept} bytes that Kubernetes keeps of it; "
        "pass a reference to the data instead, like a path or a URL"
    )
