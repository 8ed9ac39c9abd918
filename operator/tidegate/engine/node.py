"""The changes that a node's status goes through, each a function from one status to the next."""

from datetime import datetime
from typing import Any

from tidegate.api.identity import AttemptId
from tidegate.api.status import Failure, JobRef, NodePhase, NodeStatus
from tidegate.api.task import Task
from tidegate.engine import messages
from tidegate.engine.judge import Verdict
from tidegate.engine.reasons import NOT_COUNTED, Reason

_LEAVE_LOGS = (Reason.EXIT_CODE, Reason.OOM_KILLED, Reason.TIMEOUT)


def begun(node: NodeStatus, attempt: AttemptId, job: JobRef, at: datetime) -> NodeStatus:
    """The node once ``attempt`` has its Job, which began at ``at``."""
    return update(
        node,
        phase=NodePhase.RUNNING,
        reason=None,
        message=None,
        attempt=attempt.number,
        job=job,
        started_at=node.started_at or at,
        serving_since=node.serving_since or at,
        retry_at=None,
    )


def succeeded(node: NodeStatus, verdict: Verdict, outputs: str | None, now: datetime) -> NodeStatus:
    """The node once an attempt of it succeeded; ``now`` stands in where nobody knows when."""
    return update(
        node,
        phase=NodePhase.SUCCEEDED,
        reason=None,
        message=None,
        exit_code=0,
        outputs=outputs,
        finished_at=verdict.finished_at or now,
        served_by=node.standby,
        retry_at=None,
    )


def ending(
    node: NodeStatus, reason: str, message: str | None = None, *, hopeless: bool = False
) -> NodeStatus:
    """The node with the decision to end its running attempt; the first reason stays."""
    if node.job is None or node.job.ending is not None:
        return node
    job = node.job.model_copy(update={"ending": str(reason), "hopeless": hopeless or None})
    return update(node, job=job, reason=str(reason), message=message)


def falls_back(node: NodeStatus, fallback: Task) -> NodeStatus:
    """The node once its standby is to run in its place."""
    return update(
        node,
        phase=NodePhase.RETRYING,
        reason=Reason.FALLBACK,
        message=messages.falls_back(node, fallback.name),
        standby=fallback.name,
        retries=0,
        serving_since=None,
        retry_at=None,
    )


def with_failure(node: NodeStatus, verdict: Verdict, failed_at: datetime) -> NodeStatus:
    """The node with one more failure in its history."""
    if verdict.reason == NOT_COUNTED:
        return node
    failure = Failure(
        attempt=node.attempt,
        standby=node.standby,
        reason=str(verdict.reason),
        exit_code=verdict.exit_code,
        message=messages.clip(verdict.message),
        started_at=verdict.started_at,
        finished_at=failed_at,
    )
    return update(
        node,
        failures=(*node.failures, failure),
        exit_code=verdict.exit_code,
        started_at=node.started_at or verdict.started_at or failed_at,
    )


def failed_finally(node: NodeStatus, at: datetime, where_logs_are: str = "") -> NodeStatus:
    """The node once nothing more is tried; ``where_logs_are`` is told if there can be any."""
    last = node.failures[-1] if node.failures else None
    message = messages.failed_finally(node)
    if where_logs_are and last and last.reason in _LEAVE_LOGS:
        message = f"{message}; {where_logs_are}"
    return update(
        node,
        phase=NodePhase.FAILED,
        reason=last.reason if last else Reason.UNKNOWN,
        message=message,
        finished_at=(last.finished_at if last else None) or at,
        retry_at=None,
    )


def cancelled(node: NodeStatus, reason: str, at: datetime) -> NodeStatus:
    """The node once the end of the run has ended its attempt."""
    return update(
        node,
        phase=NodePhase.CANCELLED,
        reason=str(reason),
        message=node.message if node.reason == reason else None,
        finished_at=at,
        retry_at=None,
    )


def skipped(node: NodeStatus, reason: Reason, message: str, at: datetime) -> NodeStatus:
    """The node once it is clear that it won't run."""
    return update(
        node,
        phase=NodePhase.SKIPPED,
        reason=str(reason),
        message=message,
        finished_at=at,
        retry_at=None,
    )


def cut_short(node: NodeStatus, at: datetime, words: str) -> NodeStatus:
    """The node of a run that ends here; ``words`` say why it won't run where it never did."""
    if node.phase.has_ended:
        return node
    if node.attempt:
        return cancelled(node, Reason.CANCELLED, at)
    return skipped(node, Reason.RUN_ENDED, words, at)


def update(node: NodeStatus, **changes: Any) -> NodeStatus:
    """The node with some fields changed."""
    return node.model_copy(update=changes)
