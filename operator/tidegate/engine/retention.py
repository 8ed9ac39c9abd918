"""Which Jobs are removed although their Workflow stays: ``jobRetention``."""

from datetime import datetime, timedelta

from tidegate.api.identity import AttemptId
from tidegate.api.spec import JobRetention
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.engine.context import Context, current_attempt
from tidegate.engine.judge import is_stopped
from tidegate.engine.model import Remove
from tidegate.facts.model import AttemptFact

REMOVED_AFTER = timedelta(seconds=120)
"""How long a Job stays after its end. Its name keeps a creation that is still on its way, of a
request that hangs or a leader that was paused, from running the attempt a second time."""


def removals(context: Context) -> tuple[tuple[Remove, ...], datetime | None]:
    """Jobs that recorded status no longer needs and the policy doesn't keep; when to look again."""
    policy = context.workflow.spec.job_retention
    if policy is JobRetention.ALWAYS:
        return (), None
    removes: list[Remove] = []
    later: list[datetime] = []
    for attempt, fact in context.facts.attempts.items():
        if fact.job is None or fact.job.deleting or not _may_go(context, policy, attempt, fact):
            continue
        at = (_ended_at(fact) or context.now) + REMOVED_AFTER
        if context.now < at:
            later.append(at)
        else:
            removes.append(Remove(attempt, fact.job.name, fact.job.uid))
    return tuple(removes), min(later, default=None)


def _ended_at(fact: AttemptFact) -> datetime | None:
    if fact.job is not None and fact.job.end is not None:
        return fact.job.end.at
    return max((pod.finished_at for pod in fact.pods if pod.finished_at), default=None)


def _may_go(context: Context, policy: JobRetention, attempt: AttemptId, fact: AttemptFact) -> bool:
    node = context.recorded.nodes.get(attempt.node)
    if not is_stopped(fact) or not _is_recorded(context, attempt, node):
        return False
    return policy is JobRetention.NEVER or _succeeded(attempt, node, fact)


def _is_recorded(context: Context, attempt: AttemptId, node: NodeStatus | None) -> bool:
    """Whether status holds all that it ever will of the attempt: nothing is asked of its Job again.

    A former run is over, also for a node that is no more. A node that has ended takes up nothing,
    not even an attempt that was begun and never recorded.
    """
    if attempt.run < context.recorded.run:
        return True
    if node is None:
        return False
    if node.phase.has_ended:
        return True
    if attempt == current_attempt(attempt.node, node, context.recorded.run):
        return node.phase is NodePhase.RETRYING
    return attempt.number < node.attempt


def _succeeded(attempt: AttemptId, node: NodeStatus | None, fact: AttemptFact) -> bool:
    if fact.job is not None and fact.job.end is not None:
        return fact.job.end.succeeded
    if node is None:
        return False
    return node.phase is NodePhase.SUCCEEDED and attempt.number == node.attempt
