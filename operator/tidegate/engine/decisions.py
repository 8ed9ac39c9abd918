"""Whether a status holds a decision that the one before doesn't.

Facts can be recorded late, as Jobs and pods tell them again. Decisions can't be told again: they
are recorded at once, before anything acts on them.
"""

from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.engine.reasons import Reason


def has_new_decision(before: WorkflowStatus, after: WorkflowStatus) -> bool:
    """Whether something was decided between the two."""
    if (before.run, before.ending, before.requests) != (after.run, after.ending, after.requests):
        return True
    if (before.ignored, before.authors) != (after.ignored, after.authors):
        return True
    if before.outcome != after.outcome and not after.is_over:
        return True
    if before.is_over != after.is_over:
        return True
    nodes = before.nodes
    return any(
        node is not nodes.get(name) and _node_decided(nodes.get(name), node)
        for name, node in after.nodes.items()
    )


def _node_decided(before: NodeStatus | None, after: NodeStatus) -> bool:
    if before is None:
        return True
    if after.retry_at is not None and after.retry_at != before.retry_at:
        return True
    if after.when != before.when or _has_no_answer(after) != _has_no_answer(before):
        return True
    if (after.opened_at, after.seen, after.votes) != (before.opened_at, before.seen, before.votes):
        return True
    if before.phase is NodePhase.WAITING and after.phase.has_ended:
        return True
    if after.phase is NodePhase.SKIPPED and before.phase is not NodePhase.SKIPPED:
        return True
    return _ending(after) is not None and _ending(after) != _ending(before)


def _has_no_answer(node: NodeStatus) -> bool:
    """Whether the node failed as its condition, which is asked once, had no answer."""
    return node.phase is NodePhase.FAILED and node.reason == Reason.CONDITION_ERROR


def _ending(node: NodeStatus) -> str | None:
    return node.job.ending if node.job is not None else None
