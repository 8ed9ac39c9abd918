"""Status moves only forward: what is decided stays decided, what is over stays over."""

from collections.abc import Iterator

from tests.sim.keeping import wrongly_kept
from tidegate.api.status import NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.failure_policy import STRENGTH


def wrong_moves(
    workflow: ValidatedWorkflow | None, before: WorkflowStatus, after: WorkflowStatus
) -> Iterator[str]:
    """What must not follow on ``before``, and did."""
    if after.run == before.run:
        yield from _moves(before, after)
    elif after.run != before.run + 1:
        yield f"run {before.run} is followed by run {after.run}"
    elif before.run and not _is_final(before):
        yield "a run begins before the former one has ended"
    elif before.run and workflow is not None:
        yield from wrongly_kept(workflow, before, after)


def _is_final(status: WorkflowStatus) -> bool:
    return status.phase is not None and status.phase.is_final


def _moves(before: WorkflowStatus, after: WorkflowStatus) -> list[str]:
    """What must not change within a run, and did."""
    found: list[str] = []
    if _is_final(before) and before.run:
        found += [
            f"{name} of a finished run changes to {getattr(after, name)}"
            for name in ("phase", "reason", "outcome", "finished_at", "started_at", "ending")
            if getattr(before, name) != getattr(after, name)
        ]
    if before.started_at is not None and before.started_at != after.started_at:
        found.append("startedAt changes")
    if before.outcome is not None and before.outcome != after.outcome:
        found.append(f"the outcome changes from {before.outcome} to {after.outcome}")
    found += _ending_moves(before, after)
    for name, node in before.nodes.items():
        later = after.nodes.get(name)
        if later is None:
            found.append(f"node {name} vanishes from status")
        else:
            found += [f"{name}: {text}" for text in _node_moves(node, later)]
            if _is_final(before) and before.run and node != later:
                found.append(f"{name} changes in a finished run: {node} -> {later}")
    return found


def _ending_moves(before: WorkflowStatus, after: WorkflowStatus) -> list[str]:
    one, other = before.ending, after.ending
    if one is None or one == other:
        return []
    if other is None or STRENGTH[other.cause] <= STRENGTH[one.cause]:
        return [f"ending goes from {one} to {other}"]
    return []


def _node_moves(before: NodeStatus, after: NodeStatus) -> list[str]:
    found = []
    if before.phase.has_ended and before.phase is not after.phase:
        found.append(f"goes from {before.phase} to {after.phase}")
    if after.attempt < before.attempt:
        found.append("its attempts count down")
    same = before.attempt == after.attempt
    if same and before.retry_at and after.retry_at and before.retry_at != after.retry_at:
        found.append(f"retryAt moves from {before.retry_at} to {after.retry_at}")
    if same and before.job and after.job and before.job.ending not in (None, after.job.ending):
        found.append(f"ending of its attempt goes from {before.job.ending} to {after.job.ending}")
    if before.when is not None and after.when is not before.when:
        found.append(f"its condition is asked twice: {before.when}, then {after.when}")
    if before.outputs is not None and after.outputs != before.outputs:
        found.append(f"its outputs change from {before.outputs} to {after.outputs}")
    if before.failures != after.failures[: len(before.failures)]:
        found.append("its failures are rewritten")
    return found
