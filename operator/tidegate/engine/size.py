"""Keeps a status within its bytes: the one place where it is shortened.

Failures go first to five of a node (the first and the last ones), then to the first and last, then
messages are cut; at last all failures go, and the waves, which are made anew from the nodes.
Numbers that decisions need (attempts, retries, disruptions) stand beside them and are never cut.
"""

from collections.abc import Callable
from datetime import datetime

from tidegate.api.status import Failure, NodeStatus, Phase, WaveStatus, WorkflowStatus
from tidegate.constants import MAX_STATUS_BYTES
from tidegate.engine.conditions import conditions
from tidegate.engine.messages import clip
from tidegate.engine.node import cancelled
from tidegate.engine.reasons import Reason, RunReason

_LAST = 5
_SHORT = 64
_BYTES_A_NODE = 450
"""More than a node without failures and messages takes."""

_BYTES_A_FAILURE = 300
_BYTES_A_CHARACTER = 6
"""What JSON makes of one at the most: ``\\u0000``."""

Shorten = Callable[[NodeStatus], NodeStatus]


def bounded(status: WorkflowStatus, limit: int = MAX_STATUS_BYTES) -> WorkflowStatus:
    """``status`` in at most ``limit`` bytes of JSON."""
    if _is_surely_small(status, limit) or size(status) <= limit:
        return status
    for shorten in (_last_failures, _first_and_last, _short_messages, _no_messages, _no_failures):
        nodes = {name: shorten(node) for name, node in status.nodes.items()}
        status = status.model_copy(update={"nodes": nodes})
        if size(status) <= limit:
            return status
    return status.model_copy(update={"waves": dict[str, WaveStatus]()})


def size(status: WorkflowStatus) -> int:
    """Bytes of the status as JSON."""
    return len(status.model_dump_json(by_alias=True, exclude_none=True).encode())


def minimal(status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    """What is left where the API server refuses a status for its size: the run ends here."""
    status = status.model_copy(
        update={
            "phase": Phase.FAILED,
            "reason": str(RunReason.STATUS_TOO_LARGE),
            "message": "the API server refused the status for its size; split the Workflow",
            "finished_at": now,
            "nodes": {name: _given_up(node, now) for name, node in status.nodes.items()},
            "waves": dict[str, WaveStatus](),
            "runs": (),
        }
    )
    return status.model_copy(update={"conditions": conditions(status, now, suspended=False)})


def _given_up(node: NodeStatus, now: datetime) -> NodeStatus:
    """A node of a run that ends here; what lives of it is a stray from now on."""
    if not node.phase.has_ended:
        node = cancelled(node, Reason.CANCELLED, now)
    return _no_messages(node)


def _is_surely_small(status: WorkflowStatus, limit: int) -> bool:
    """A cheap upper bound, so that most passes needn't serialize."""
    nodes = status.nodes.values()
    failures = sum(len(node.failures) for node in nodes)
    text = sum(
        len(node.message or "")
        + len(node.outputs or "")
        + sum(len(f.message) for f in node.failures)
        for node in nodes
    )
    fixed = _BYTES_A_NODE * len(status.nodes) + _BYTES_A_FAILURE * failures + 32_768
    return fixed + _BYTES_A_CHARACTER * text <= limit


def _last_failures(node: NodeStatus) -> NodeStatus:
    if len(node.failures) <= _LAST:
        return node
    return node.model_copy(update={"failures": (node.failures[0], *node.failures[1 - _LAST :])})


def _first_and_last(node: NodeStatus) -> NodeStatus:
    if len(node.failures) <= 2:  # noqa: PLR2004 - the first and the last
        return node
    return node.model_copy(update={"failures": (node.failures[0], node.failures[-1])})


def _short_messages(node: NodeStatus) -> NodeStatus:
    failures = tuple(_cut(failure, _SHORT) for failure in node.failures)
    message = clip(node.message, _SHORT) if node.message else node.message
    return node.model_copy(update={"failures": failures, "message": message})


def _no_messages(node: NodeStatus) -> NodeStatus:
    last = tuple(_cut(failure, 0) for failure in node.failures[-1:])
    return node.model_copy(update={"failures": last, "message": None})


def _no_failures(node: NodeStatus) -> NodeStatus:
    return node.model_copy(update={"failures": ()})


def _cut(failure: Failure, length: int) -> Failure:
    message = clip(failure.message, length) if length else ""
    return failure.model_copy(update={"message": message})
