"""What a rerun keeps of the run before: successes that nothing beneath them puts in question."""

from collections.abc import Iterator

from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.waves import was_not_wanted


def ended_well(node: NodeStatus) -> bool:
    return node.phase is NodePhase.SUCCEEDED or was_not_wanted(node)


def wrongly_kept(
    workflow: ValidatedWorkflow, before: WorkflowStatus, after: WorkflowStatus
) -> Iterator[str]:
    """What the new run keeps, but must not, or runs again, but must not."""
    kept = {name for name in workflow.tasks if ended_well(after.nodes[name])}
    for name in kept:
        former = before.nodes.get(name)
        if former is None or not ended_well(former):
            yield f"run {after.run} keeps {name}, which had not succeeded"
        lost = set(workflow.graph.dependencies[name]) - kept
        if lost:
            yield f"run {after.run} keeps {name}, although {lost} runs again"
    if (after.requests.rerun or "").startswith("failed") and before.requests != after.requests:
        yield from _run_for_nothing(workflow, before, after, kept)


def _asks_about_something_else(
    workflow: ValidatedWorkflow, name: str, before: WorkflowStatus, after: WorkflowStatus
) -> bool:
    """Whether anything before or behind a checkpoint changed: then it asks again."""
    if workflow.tasks[name].checkpoint is None:
        return False
    graph = workflow.graph
    near = {name, *graph.ancestors([name]), *graph.descendants([name])}
    gone = set(before.nodes) - set(after.nodes)
    return bool(gone) or any(
        x not in before.nodes or before.nodes[x].definition != after.nodes[x].definition
        for x in near
    )


def _run_for_nothing(
    workflow: ValidatedWorkflow, before: WorkflowStatus, after: WorkflowStatus, kept: set[str]
) -> Iterator[str]:
    for name in set(workflow.tasks) - kept:
        former = before.nodes.get(name)
        same = former is not None and former.definition == after.nodes[name].definition
        if not same or former is None or former.phase is not NodePhase.SUCCEEDED:
            continue
        if _asks_about_something_else(workflow, name, before, after):
            continue
        if set(workflow.graph.dependencies[name]) <= kept:
            yield f"run {after.run} runs {name} again, although it and all before it had succeeded"
