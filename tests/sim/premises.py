"""No action rests on a decision that recorded status doesn't hold: a property of ``plan`` alone.

Every plan of every history is held against it.
"""

from collections.abc import Iterator
from datetime import datetime

from tidegate.api.identity import AttemptId
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.model import Plan
from tidegate.facts.model import Facts


def unfounded(
    workflow: ValidatedWorkflow, status: WorkflowStatus, facts: Facts, now: datetime, plan: Plan
) -> Iterator[str]:
    """What in ``plan`` rests on something that ``status``, as it was read, doesn't hold.

    Starts of a plan that decides something are not carried out: its status is recorded first.
    """
    for start in () if plan.decides else plan.starts:
        yield from unfounded_start(workflow, status, start.attempt, now)
    for end in plan.ends:
        yield from unfounded_end(status, end.attempt, end.uid)
    for removal in plan.removes:
        node = status.nodes.get(removal.attempt.node)
        if (
            node is not None
            and removal.attempt.run == status.run
            and not _is_told(node, removal.attempt)
        ):
            yield f"removes {removal.attempt}, but status doesn't say how it ended"
    known = facts.answers
    if plan.delete_workflow and (status.phase is None or not status.phase.is_final or known):
        yield "deletes a Workflow that isn't recorded as finished"
    if plan.decides and plan.status == status:
        yield "says that it decides, but changes nothing"


def unfounded_start(
    workflow: ValidatedWorkflow, status: WorkflowStatus, attempt: AttemptId, now: datetime
) -> Iterator[str]:
    """Why ``attempt`` must not start on this status."""
    node = status.nodes.get(attempt.node)
    if status.run != attempt.run or status.phase is None or status.phase.is_final:
        yield f"starts {attempt}, but status says run {status.run}, {status.phase}"
    if node is None:
        yield f"starts {attempt}, of which status knows no node"
        return
    for name in undecided(workflow, status, attempt.node):
        yield f"starts {attempt}, but it isn't recorded that the checkpoint {name} was decided"
    if attempt.node in workflow.conditions and not node.when:
        yield f"starts {attempt}, but it isn't recorded that its condition holds"
    if node.phase.has_ended:
        yield f"starts {attempt}, but the node is recorded as {node.phase}"
    if node.job is not None and node.job.ending and node.attempt >= attempt.number:
        yield f"starts {attempt}, but it is recorded as ending"
    if attempt.node in workflow.standbys and status.outcome is None:
        yield f"starts handler {attempt} before the outcome is recorded"
    same_executor = (node.standby or "") == attempt.standby
    if attempt.number > 1 and same_executor and node.attempt == attempt.number - 1:
        yield from _retry(node, attempt, now)
    elif attempt.number > 1 and same_executor:
        yield f"starts {attempt}, but status knows of attempt {node.attempt} only"


def undecided(workflow: ValidatedWorkflow, status: WorkflowStatus, name: str) -> Iterator[str]:
    """The checkpoints before a node of which status holds no end."""
    for before in workflow.graph.dependencies.get(name, ()):
        recorded = status.nodes.get(before)
        ended = recorded is not None and recorded.phase.has_ended
        if workflow.tasks[before].checkpoint is not None and not ended:
            yield before


def _retry(node: NodeStatus, attempt: AttemptId, now: datetime) -> Iterator[str]:
    fallback_begins = bool(attempt.standby) and not any(
        failure.standby == attempt.standby for failure in node.failures
    )
    if node.phase is not NodePhase.RETRYING:
        yield f"retries with {attempt}, but the node is recorded as {node.phase}"
    elif not fallback_begins and node.retry_at is None:
        yield f"retries with {attempt}, but no retryAt is recorded"
    elif node.retry_at is not None and node.retry_at > now:
        yield f"retries with {attempt} at {now}, before {node.retry_at}"


def unfounded_end(status: WorkflowStatus, attempt: AttemptId, job_uid: str) -> Iterator[str]:
    """Why ``attempt`` must not be ended on this status."""
    node = status.nodes.get(attempt.node)
    if node is None or attempt.run < status.run or (status.phase and status.phase.is_final):
        return
    if attempt.run > status.run:
        yield f"ends {attempt} of a run that isn't recorded"
    decided = (
        node.job is not None and node.job.ending is not None and node.attempt == attempt.number
    )
    past = attempt.number < node.attempt or node.phase.has_ended
    waits = node.phase is NodePhase.RETRYING and attempt.number <= node.attempt
    other = node.attempt == attempt.number and (node.standby or "") != attempt.standby
    replaced = node.job is not None and node.job.uid not in ("", job_uid)
    if not (decided or past or waits or other or replaced):
        yield f"ends {attempt}, which nothing recorded is against: {node}"


def _is_told(node: NodeStatus, attempt: AttemptId) -> bool:
    if attempt.number < node.attempt or node.phase.has_ended:
        return True
    return node.phase is NodePhase.RETRYING and attempt.number <= node.attempt
