"""Handlers: standbys that run when the run is about to end, one after another."""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from tidegate.api.identity import log_name
from tidegate.api.status import LIVE_PHASES, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.constants import MAX_RUN_OUTPUT_BYTES
from tidegate.engine import node as transitions
from tidegate.engine import task as tasks
from tidegate.engine.context import Context
from tidegate.engine.messages import clip, failed_finally
from tidegate.engine.outputs import size_of
from tidegate.engine.reasons import Reason
from tidegate.engine.step import NodeStep, Role

DEFAULT_TIMEOUT = 600.0
"""Seconds that an attempt of a handler may take where its standby sets no timeout."""
_MAX_ERRORS = 8 * 1024


def handler_names(workflow: ValidatedWorkflow) -> tuple[str, ...]:
    """Handlers in the order in which they would run."""
    return (*workflow.spec.on_error, *workflow.spec.on_exit)


def needed_handlers(workflow: ValidatedWorkflow, phase: Phase, *, cancelled_now: bool) -> list[str]:
    """The handlers that an outcome calls for, in order."""
    if cancelled_now:
        return []
    on_error = workflow.spec.on_error if phase is Phase.FAILED else ()
    return [*on_error, *workflow.spec.on_exit]


def role(context: Context, name: str, nodes: Mapping[str, NodeStatus]) -> Role:
    """A handler has no fallback, and forgives disruptions only if it has a retry of its own."""
    ending = context.recorded.ending
    return Role(
        context.workflow.standbys[name],
        forgives_disruptions=False,
        nodes=nodes,
        room=MAX_RUN_OUTPUT_BYTES - sum(size_of(node.outputs) for node in nodes.values()),
        abandons_lost_pods=ending is not None and ending.cause == "CancelNow",
    )


def next_handler(context: Context, status: WorkflowStatus) -> tuple[str, NodeStep] | None:
    """The handler whose turn it is and its next step; None when all have ended."""
    for name in handler_names(context.workflow):
        node = status.nodes.get(name)
        if node is None or node.phase.has_ended:
            continue
        its_role = role(context, name, status.nodes)
        step = tasks.step_task(name, node, its_role, context)
        if step.wants is not None:
            step = tasks.adopt(name, node, its_role, context) or step
        return name, step
    return None


def wind_down_handlers(context: Context, status: WorkflowStatus) -> dict[str, NodeStatus]:
    """The handlers, once those that the outcome doesn't call for are marked.

    A cancel ``now`` ends the handler that runs and skips the others.
    """
    outcome = status.outcome
    if outcome is None or status.phase not in LIVE_PHASES:
        return {}
    now_cancelled = status.ending is not None and status.ending.cause == "CancelNow"
    needed = needed_handlers(context.workflow, outcome.phase, cancelled_now=now_cancelled)
    changed: dict[str, NodeStatus] = {}
    for name in handler_names(context.workflow):
        node = status.nodes.get(name)
        if node is None or node.phase.has_ended or name in needed:
            continue
        changed[name] = _not_needed(context, node, now_cancelled=now_cancelled)
    return changed


def _not_needed(context: Context, node: NodeStatus, *, now_cancelled: bool) -> NodeStatus:
    match node.phase:
        case NodePhase.RUNNING:
            return transitions.ending(node, Reason.CANCELLED)
        case NodePhase.RETRYING:
            return transitions.cancelled(node, Reason.CANCELLED, context.now)
        case _ if now_cancelled:
            words = "the run was cancelled before it could start"
            return transitions.skipped(node, Reason.RUN_ENDED, words, context.now)
        case _:
            words = "the run ended in a way that doesn't call for it"
            return transitions.skipped(node, Reason.NOT_NEEDED, words, context.now)


def handler_env(context: Context) -> tuple[tuple[str, str], ...]:
    """What a handler is told of the run, from recorded status."""
    status = context.recorded
    phase = status.outcome.phase if status.outcome is not None else Phase.FAILED
    errors = errors_json(failed_nodes(status, context.workflow.tasks))
    workflow = context.workflow
    log = log_name(workflow.key.name, workflow.uid, retain=workflow.spec.log.retain)
    return (
        ("TIDEGATE_ERRORS", errors),
        ("TIDEGATE_LOG_CONFIGMAP", log),
        ("TIDEGATE_PHASE", str(phase)),
    )


def errors_json(failed: Sequence[tuple[str, NodeStatus]]) -> str:
    """Nodes that failed as JSON of at most 8 KiB; the last ones are left out where they must."""
    for message_length in (1024, 256, 64, 0):
        text = json.dumps([_error(n, node, message_length) for n, node in failed])
        if len(text.encode()) <= _MAX_ERRORS:
            return text
    while len(text.encode()) > _MAX_ERRORS:
        failed = failed[: len(failed) // 2]
        text = json.dumps([_error(n, node, 0) for n, node in failed])
    return text


def failed_nodes(status: WorkflowStatus, among: Container[str]) -> list[tuple[str, NodeStatus]]:
    """Those of ``among`` that failed, the first cause first, the others as they ended."""
    first = status.ending.node if status.ending is not None else None
    failed = [
        (name, node)
        for name, node in status.nodes.items()
        if node.phase is NodePhase.FAILED and name in among
    ]
    return sorted(
        failed,
        key=lambda item: (
            item[0] != first,
            item[1].finished_at.timestamp() if item[1].finished_at else 0.0,
            item[0],
        ),
    )


def _error(name: str, node: NodeStatus, message_length: int) -> dict[str, Any]:
    error: dict[str, Any] = {"node": name, "reason": node.reason}
    if node.exit_code is not None:
        error["exitCode"] = node.exit_code
    message = failed_finally(node) if node.failures else node.message
    if message_length and message:
        error["message"] = clip(message, message_length)
    if node.standby:
        error["servedBy"] = node.standby
    return error
