"""How a run begins: what it starts with, and whether it may."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tidegate.api.spec import Execution
from tidegate.api.status import NodePhase, NodeStatus, Phase, RunSummary, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.reasons import RunReason
from tidegate.engine.sources import EvaluationError, condition_holds
from tidegate.engine.waves import ended_well, was_not_wanted

MAX_RUNS = 10
"""Former runs that status remembers."""


def has_begun(status: WorkflowStatus) -> bool:
    """Whether there has been a run, be it on or over."""
    return status.run > 0


def begin(
    workflow: ValidatedWorkflow,
    status: WorkflowStatus,
    now: datetime,
    kept: Mapping[str, NodeStatus] | None = None,
) -> WorkflowStatus:
    """The status with which the next run begins; ``kept`` nodes succeeded before and stay so."""
    nodes = {name: _fresh(status.nodes.get(name)) for name in workflow.tasks} | dict(kept or {})
    nodes = {
        name: node.model_copy(
            update={
                "wave": workflow.graph.wave_of[name],
                "definition": workflow.tasks[name].definition,
            }
        )
        for name, node in nodes.items()
    }
    handlers = {
        name: NodeStatus(definition=workflow.standbys[name].definition)
        for name in (*workflow.spec.on_error, *workflow.spec.on_exit)
    }
    eager = workflow.spec.execution is Execution.EAGER
    return status.model_copy(
        update={
            "run": status.run + 1,
            "run_generation": workflow.generation,
            "observed_generation": workflow.generation,
            "phase": Phase.RUNNING,
            "reason": RunReason.NODES_RUN,
            "message": None,
            "started_at": now,
            "finished_at": None,
            "wave": None if eager else 1,
            "waves": {},
            "progress": progress(workflow, nodes),
            "waiting_for": None,
            "nodes": nodes | handlers,
            "order": _order(workflow),
            "ending": None,
            "outcome": None,
            "definition": workflow.definition,
            "runs": _with_former(status),
        }
    )


def _fresh(former: NodeStatus | None) -> NodeStatus:
    """A node that begins anew, but for the votes that were looked at: they aren't told again."""
    return NodeStatus(seen=former.seen if former is not None else ())


def _order(workflow: ValidatedWorkflow) -> tuple[str, ...] | None:
    """The list as it stands, as the lock doesn't see a reorder; None where it can't matter."""
    in_waves = workflow.spec.execution is Execution.WAVES
    chain = in_waves and all(len(wave) == 1 for wave in workflow.graph.waves)
    return None if chain else tuple(workflow.tasks)


def _with_former(status: WorkflowStatus) -> tuple[RunSummary, ...]:
    if not has_begun(status) or status.phase is None:
        return status.runs
    former = RunSummary(
        run=status.run,
        phase=status.phase,
        reason=status.reason,
        started_at=status.started_at,
        finished_at=status.finished_at,
    )
    return (*status.runs, former)[-MAX_RUNS:]


def kept_nodes(
    workflow: ValidatedWorkflow, status: WorkflowStatus, again: Iterable[str]
) -> dict[str, NodeStatus]:
    """The nodes whose success is kept although ``again`` and all that depends on them run again."""
    rerun = set(again)
    rerun |= workflow.graph.descendants(rerun)
    return {name: status.nodes[name] for name in workflow.tasks if name not in rerun}


def must_run_again(workflow: ValidatedWorkflow, status: WorkflowStatus) -> frozenset[str]:
    """Nodes without a success of the definition that they have now.

    One that was skipped by its condition is asked again: it runs if the condition is no longer
    false.
    """
    again = {
        name for name in workflow.tasks if not _is_kept(workflow, name, status.nodes.get(name))
    }
    again |= {name for name in workflow.tasks if _is_wanted_now(workflow, status, name)}
    return frozenset(
        again | {name for name in workflow.tasks if _asks_again(workflow, status, name)}
    )


def _asks_again(workflow: ValidatedWorkflow, status: WorkflowStatus, name: str) -> bool:
    """Whether the checkpoint's decision was on something else than what would run now."""
    node = status.nodes.get(name)
    if node is None or workflow.tasks[name].checkpoint is None or node.covers is None:
        return False
    return not workflow.still_covers(name, node.covers)


def _is_kept(workflow: ValidatedWorkflow, name: str, node: NodeStatus | None) -> bool:
    was_a_node = node is not None and node.wave is not None  # handlers are in no wave
    if node is None or not was_a_node:
        return False
    if node.phase is not NodePhase.SUCCEEDED and not was_not_wanted(node):
        return False
    return workflow.has_definition(name, node.definition or "")


def _is_wanted_now(workflow: ValidatedWorkflow, status: WorkflowStatus, name: str) -> bool:
    """Whether the condition that skipped the node would not do so in the next run."""
    node, condition = status.nodes.get(name), workflow.conditions.get(name)
    if node is None or condition is None or not was_not_wanted(node):
        return False
    if not condition.nodes <= status.nodes.keys():
        return True
    try:
        return condition_holds(workflow, condition, status.nodes, status.run + 1)
    except EvaluationError:
        return True


def progress(workflow: ValidatedWorkflow, nodes: Mapping[str, NodeStatus]) -> str:
    """Nodes that ended well, of all; standbys don't count."""
    well = sum(ended_well(task, nodes[name]) for name, task in workflow.tasks.items())
    return f"{well}/{len(workflow.tasks)}"
