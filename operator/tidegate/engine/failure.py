"""What follows an attempt that failed: a retry, the fallback, or the end of the node."""

from dataclasses import replace
from datetime import datetime

from tidegate.api.identity import chance
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.constants import MAIN_CONTAINER
from tidegate.engine import messages
from tidegate.engine.context import Context, current_attempt
from tidegate.engine.judge import Verdict
from tidegate.engine.node import cancelled, failed_finally, falls_back, update, with_failure
from tidegate.engine.reasons import NOT_COUNTED, Reason
from tidegate.engine.retry import Again, Exhausted, Failed, next_try
from tidegate.engine.step import Role


def after_failure(
    name: str, node: NodeStatus, role: Role, context: Context, verdict: Verdict
) -> NodeStatus:
    """The node after ``verdict``: ended, or with what it waits for before it is tried again."""
    verdict = _with_recorded_words(node, verdict)
    failed_at = verdict.finished_at or context.now
    failed = with_failure(node, verdict, failed_at)
    if verdict.reason in (Reason.CANCELLED, Reason.DEADLINE_EXCEEDED):
        return cancelled(failed, verdict.reason, failed_at)
    where_logs_are = messages.logs(context.workflow.key, name)
    if not role.may_retry:
        return failed_finally(failed, failed_at, where_logs_are)
    tried = _next_try(name, failed, role, context, (verdict, failed_at))
    if isinstance(tried, Again):
        return _retrying(failed, role, verdict, failed_at, tried)
    if tried.why:
        verdict = replace(verdict, message=messages.not_retried(verdict.message, tried.why))
        failed = with_failure(node, verdict, failed_at)
    if role.fallback is None or node.standby:
        return failed_finally(failed, failed_at, where_logs_are)
    return falls_back(failed, role.fallback)


def _with_recorded_words(node: NodeStatus, verdict: Verdict) -> Verdict:
    """An attempt that was ended keeps the words in which that was decided."""
    if node.job is None or node.job.ending is None or verdict.message:
        return verdict
    return Verdict(
        False,
        verdict.reason,
        node.message or "",
        started_at=verdict.started_at,
        finished_at=verdict.finished_at,
    )


def _next_try(
    name: str,
    node: NodeStatus,
    role: Role,
    context: Context,
    ended: tuple[Verdict, datetime],
) -> Again | Exhausted:
    verdict, failed_at = ended
    policy = role.server(node).retry
    attempt = current_attempt(name, node, context.recorded.run)
    return next_try(
        policy,
        Failed(
            reason=verdict.reason,
            exit_code=verdict.exit_code if verdict.container == MAIN_CONTAINER else None,
            ended_at=failed_at,
            may_heal=verdict.may_heal and not (node.job is not None and node.job.hopeless),
        ),
        retries=node.retries,
        disruptions=node.disruptions,
        since=node.serving_since or node.started_at or failed_at,
        chance=chance(context.workflow.uid, attempt) if attempt is not None else 0.0,
        forgives_disruptions=role.forgives_disruptions or policy is not None,
    )


def _retrying(
    node: NodeStatus, role: Role, verdict: Verdict, failed_at: datetime, again: Again
) -> NodeStatus:
    policy = role.server(node).retry
    counts = {"retries": node.retries + 1} if again.counted else {}
    if not again.counted and verdict.reason == Reason.DISRUPTED:
        counts = {"disruptions": node.disruptions + 1}
    limit = policy.limit if policy is not None else 0
    return update(
        node,
        phase=NodePhase.RETRYING,
        reason=str(verdict.reason) if verdict.reason != NOT_COUNTED else Reason.QUOTA_EXCEEDED,
        message=messages.retries(
            verdict, again, failed_at, (node.retries + int(again.counted), limit)
        ),
        retry_at=again.at,
        **counts,
    )
