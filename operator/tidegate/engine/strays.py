"""Attempts that are to be stopped, because recorded status has decided against them.

Only what the recorded status holds counts here: the decision to end an attempt, a node that has
ended without it, a later attempt, a later run, a run that is over.
"""

from collections.abc import Iterator

from tidegate.api.identity import AttemptId
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.engine.context import Living, current_attempt
from tidegate.engine.model import End, EndMode
from tidegate.engine.reasons import Reason
from tidegate.facts.model import AttemptFact, JobFact


def ends(recorded: WorkflowStatus, living: Living) -> Iterator[End]:
    """What must be stopped now."""
    for attempts in living.values():
        for attempt, fact in attempts:
            reason = decided_against(recorded, attempt, fact)
            if reason is not None:
                yield from _stop(attempt, fact, reason)


def orphans_to_prove(recorded: WorkflowStatus, living: Living) -> Iterator[AttemptId]:
    """Attempts to be stopped whose pods are seen but whose Job isn't: is it really gone?"""
    for attempts in living.values():
        for attempt, fact in attempts:
            if fact.job is None and not fact.job_gone and decided_against(recorded, attempt, fact):
                yield attempt


def decided_against(status: WorkflowStatus, attempt: AttemptId, fact: AttemptFact) -> str | None:
    """The reason for which recorded status wants the attempt stopped; None if it doesn't."""
    if status.run == 0 or attempt.run > status.run:
        return None
    node = status.nodes.get(attempt.node)
    if node is None:
        return Reason.CANCELLED
    if attempt == current_attempt(attempt.node, node, status.run):
        return _decided_against_current(node, fact)
    if attempt.run < status.run or node.phase.has_ended or attempt.number <= node.attempt:
        return Reason.CANCELLED
    return Reason.CANCELLED if status.is_over else None


def _decided_against_current(node: NodeStatus, fact: AttemptFact) -> str | None:
    if node.job is not None and node.job.ending is not None:
        return node.job.ending
    if node.phase.has_ended or node.phase is NodePhase.RETRYING:
        return Reason.CANCELLED
    if fact.job is not None and node.job is not None and node.job.uid not in ("", fact.job.uid):
        return Reason.CANCELLED
    return None


def _stop(attempt: AttemptId, fact: AttemptFact, reason: str) -> Iterator[End]:
    job = fact.job
    if job is not None:
        mode = _mode(job, fact)
        if mode is not None:
            yield End(attempt, mode, job.name, job.uid, str(reason))
        return
    if not fact.job_gone:
        return
    for pod in fact.pods:
        if not pod.is_over and pod.deletion_at is None:
            yield End(attempt, EndMode.DELETE_POD, pod.name, pod.uid, str(reason))


def _mode(job: JobFact, fact: AttemptFact) -> EndMode | None:
    """How to stop a living Job; None where it is being stopped already."""
    if job.deleting or (job.end is not None and not job.end.succeeded):
        return None
    if job.suspended or (job.started_at is None and not fact.pods):
        return EndMode.DELETE_JOB
    return None if job.end_reason is not None else EndMode.STOP_JOB
