"""Which Jobs are removed although their Workflow stays: ``jobRetention``."""

from collections.abc import Iterator

from tidegate.api.identity import AttemptId
from tidegate.api.spec import JobRetention
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.engine.context import Context, current_attempt
from tidegate.engine.judge import is_stopped
from tidegate.engine.model import Remove
from tidegate.facts.model import AttemptFact


def removals(context: Context) -> Iterator[Remove]:
    """Jobs that recorded status no longer needs, and that the policy doesn't keep."""
    policy = context.workflow.spec.job_retention
    if policy is JobRetention.ALWAYS:
        return
    for attempt, fact in context.facts.attempts.items():
        if fact.job is None or fact.job.deleting or not is_stopped(fact):
            continue
        node = context.recorded.nodes.get(attempt.node)
        if node is None or not _is_recorded(context, attempt, node):
            continue
        if policy is JobRetention.NEVER or _succeeded(attempt, node, fact):
            yield Remove(attempt, fact.job.name, fact.job.uid)


def _is_recorded(context: Context, attempt: AttemptId, node: NodeStatus) -> bool:
    """Whether status holds how the attempt ended, so that nothing is asked of its Job again."""
    if attempt.run < context.recorded.run:
        return True
    current = current_attempt(attempt.node, node, context.recorded.run)
    if attempt == current:
        return node.phase.has_ended or node.phase is NodePhase.RETRYING
    return attempt.number < node.attempt


def _succeeded(attempt: AttemptId, node: NodeStatus, fact: AttemptFact) -> bool:
    if fact.job is not None and fact.job.end is not None:
        return fact.job.end.succeeded
    return node.phase is NodePhase.SUCCEEDED and attempt.number == node.attempt
