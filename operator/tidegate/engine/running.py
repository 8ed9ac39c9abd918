"""The plan while a run is on.

The order in which it looks at things is the order of the calls in ``plan_run``: control, judge and
step each node, failure policy, readiness and parallelism, handlers, run end, summary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidegate.api.identity import AttemptId
from tidegate.api.status import NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.constants import MAX_RUN_OUTPUT_BYTES
from tidegate.engine import messages, run_end, strays, summary
from tidegate.engine import task as tasks
from tidegate.engine.checkpoint import step_checkpoint
from tidegate.engine.context import Context
from tidegate.engine.control import control
from tidegate.engine.failure_policy import leave, may_begin, wind_down
from tidegate.engine.fallback import fallback_env
from tidegate.engine.handlers import (
    DEFAULT_TIMEOUT,
    handler_env,
    next_handler,
    wind_down_handlers,
)
from tidegate.engine.model import Note, Plan, Start
from tidegate.engine.outputs import size_of
from tidegate.engine.reasons import Reason, RunReason
from tidegate.engine.retention import removals
from tidegate.engine.run_begin import progress
from tidegate.engine.seal import sealed
from tidegate.engine.step import NodeStep, Role
from tidegate.engine.stray_votes import ignore_votes
from tidegate.engine.waves import current_wave, is_ready, wave_statuses


@dataclass
class _Draft:
    """What the pass has found so far about the nodes; local to one call of ``plan``."""

    nodes: dict[str, NodeStatus]
    wants: dict[str, AttemptId] = field(default_factory=dict)
    values: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    live: int = 0
    prove: list[AttemptId] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)
    stepped: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    room: int = MAX_RUN_OUTPUT_BYTES
    """Bytes that outputs may still take in the run."""

    def __post_init__(self) -> None:
        self.room -= sum(size_of(node.outputs) for node in self.nodes.values())

    def take(self, name: str, step: NodeStep) -> None:
        """Add the step of one node or handler."""
        self.room += size_of(self.nodes[name].outputs) - size_of(step.status.outputs)
        self.nodes[name] = step.status
        self.stepped.add(name)
        if step.wants is not None:
            self.wants[name] = step.wants
            self.values[name] = step.values
        if step.prove is not None:
            self.prove.append(step.prove)
        if step.wake_at is not None:
            self.wakes.append(step.wake_at)
        self.live += step.live
        self.notes += step.notes

    def over(self, status: WorkflowStatus) -> WorkflowStatus:
        """``status`` with the nodes as they are found to be."""
        return status.model_copy(update={"nodes": dict(self.nodes)})


def plan_run(context: Context) -> Plan:
    """The next step of a Workflow whose run is on."""
    controlled = control(context)
    draft = _Draft(dict(context.recorded.nodes))
    _step_nodes(context, controlled.status, draft)
    status = _latched(context, controlled.status, draft)
    starts, held = _node_starts(context, status, draft)
    handler_starts = _handlers(context, status, draft)
    status = _run_end(context, status, draft)
    status, notes = ignore_votes(context, status, (*controlled.notes, *draft.notes))
    status = _summarized(context, status, draft, held=held)
    removes, remove_at = removals(context)
    wakes = [*draft.wakes, *_deadline(context, status), *filter(None, [remove_at])]
    return sealed(
        context,
        status,
        Plan(
            status=status,
            starts=(*starts, *handler_starts),
            ends=tuple(strays.ends(context.recorded, context.living)),
            removes=removes,
            prove=(*draft.prove, *strays.orphans_to_prove(context.recorded, context.living)),
            notes=notes,
            wake_at=min(wakes, default=None),
        ),
    )


def _role(context: Context, name: str, draft: _Draft) -> Role:
    ending = context.recorded.ending
    return Role(
        context.workflow.tasks[name],
        context.workflow.stand_ins.get(name),
        may_retry=leave(context.workflow, name, ending).retry,
        nodes=draft.nodes,
        room=draft.room,
        abandons_lost_pods=ending is not None and ending.cause != "Failure",
    )


def _in_order(context: Context) -> Iterator[str]:
    """The nodes as they stood in the list when the run began."""
    yield from context.recorded.order or context.workflow.tasks


def _step_nodes(context: Context, status: WorkflowStatus, draft: _Draft) -> None:
    """Judge every node's latest attempt, and take up attempts that prove to exist already."""
    for name in _in_order(context):
        node = draft.nodes[name]
        if node.phase is NodePhase.RUNNING:
            draft.take(name, tasks.step_task(name, node, _role(context, name, draft), context))
        elif node.phase is NodePhase.WAITING:
            draft.take(name, step_checkpoint(name, node, _role(context, name, draft), context))
    while _step_ready_nodes(context, status, draft):
        pass  # an attempt that was taken up and has ended already may have made others ready


def _step_ready_nodes(context: Context, status: WorkflowStatus, draft: _Draft) -> bool:
    """Step the nodes that became ready; whether any of them proved to have ended."""
    wave = current_wave(context.workflow, draft.nodes)
    ending = context.recorded.ending is not None
    latched = run_end.latch_failure(context, status, draft.nodes)
    any_ended = False
    for name in _in_order(context):
        node = draft.nodes[name]
        if name in draft.stepped or node.phase.has_ended:
            continue
        if node.phase is not NodePhase.RETRYING and not is_ready(
            context.workflow, name, draft.nodes, wave, ending=ending
        ):
            continue
        begins = may_begin(context.workflow, name, latched) or node.phase is NodePhase.RETRYING
        step = _step_ready(name, node, _role(context, name, draft), context, begins=begins)
        draft.take(name, step)
        if step.status.phase.has_ended:
            any_ended = True
            latched = run_end.latch_failure(context, status, draft.nodes)
    return any_ended


def _step_ready(
    name: str, node: NodeStatus, role: Role, context: Context, *, begins: bool
) -> NodeStep:
    """The step of a node whose turn has come; if the run's end holds it back, it isn't asked."""
    is_checkpoint = role.task.checkpoint is not None
    if not is_checkpoint and (begun := tasks.adopt(name, node, role, context)) is not None:
        return begun
    if not begins:
        return NodeStep(node)
    step = step_checkpoint if is_checkpoint else tasks.step_task
    return step(name, node, role, context)


def _latched(context: Context, status: WorkflowStatus, draft: _Draft) -> WorkflowStatus:
    """The status with the cause for which the run ends, and with everything marked that follows."""
    ending = run_end.latch(context, status, draft.nodes)
    task_nodes = {name: draft.nodes[name] for name in context.workflow.tasks}
    draft.nodes |= wind_down(context.workflow, task_nodes, ending, context.now)
    return draft.over(status.model_copy(update={"ending": ending}))


def _node_starts(
    context: Context, status: WorkflowStatus, draft: _Draft
) -> tuple[list[Start], bool]:
    """The nodes that start now, and whether parallelism holds others back."""
    if status.outcome is not None or context.workflow.spec.suspend:
        return [], False
    room = context.workflow.spec.parallelism - draft.live
    starts: list[Start] = []
    held = False
    for name, attempt in draft.wants.items():
        node = draft.nodes[name]
        if node.phase not in (NodePhase.PENDING, NodePhase.RETRYING):
            continue
        former = context.living_besides(name, attempt)
        if former:
            draft.nodes[name] = _waits_for_former(node, former)
        elif len(starts) < room:
            env = fallback_env(name, node) if node.standby else ()
            starts.append(Start(attempt, env, draft.values[name]))
        else:
            held = True
    return starts, held


def _waits_for_former(node: NodeStatus, former: list[AttemptId]) -> NodeStatus:
    if node.reason == Reason.STOPPING:
        return node
    words = messages.former_attempt_runs(map(str, former))
    return node.model_copy(update={"reason": Reason.STOPPING, "message": words})


def _handlers(context: Context, status: WorkflowStatus, draft: _Draft) -> list[Start]:
    """Handlers run one after another, once the outcome stands in recorded status."""
    draft.nodes |= wind_down_handlers(context, draft.over(status))
    if context.recorded.outcome is None:
        return []
    found = next_handler(context, draft.over(status))
    while found is not None and found[1].status.phase.has_ended:
        draft.take(*found)
        found = next_handler(context, draft.over(status))
    if found is None:
        return []
    draft.take(*found)
    name, wanted = found[0], found[1].wants
    if wanted is None:
        return []
    if former := context.living_besides(name, wanted):
        draft.nodes[name] = _waits_for_former(draft.nodes[name], former)
        return []
    return [Start(wanted, handler_env(context), draft.values[name], DEFAULT_TIMEOUT)]


def _run_end(context: Context, status: WorkflowStatus, draft: _Draft) -> WorkflowStatus:
    """Record the outcome once all nodes have stopped, and the final phase once all has."""
    status = draft.over(status)
    if not all(draft.nodes[name].phase.has_ended for name in context.workflow.tasks):
        return status
    if _still_living(context, draft.nodes):
        return status
    result = status.outcome or run_end.outcome(context, status)
    status = status.model_copy(update={"outcome": result})
    draft.nodes |= wind_down_handlers(context, status)
    status = draft.over(status)
    if any(not node.phase.has_ended for node in draft.nodes.values()):
        return status
    return run_end.finish(context, status, result)


def _still_living(context: Context, nodes: Mapping[str, NodeStatus]) -> bool:
    """Whether something of this run may still run, pods that were given up for lost aside."""
    run = context.recorded.run
    for name, attempts in context.living.items():
        node = nodes.get(name)
        given_up = node is not None and node.reason == Reason.NODE_LOST and node.phase.has_ended
        mine = [attempt for attempt, _ in attempts if attempt.run == run]
        if mine and not given_up and not _is_running_handler(name, node, context):
            return True
    return False


def _is_running_handler(name: str, node: NodeStatus | None, context: Context) -> bool:
    return name in context.workflow.standbys and node is not None and not node.phase.has_ended


def _deadline(context: Context, status: WorkflowStatus) -> list[datetime]:
    at = run_end.deadline(context.workflow, status)
    if at is None or status.outcome is not None or at <= context.now:
        return []
    return [at]


def _summarized(
    context: Context, status: WorkflowStatus, draft: _Draft, *, held: bool
) -> WorkflowStatus:
    """The status with everything that is derived from its nodes."""
    workflow, nodes = context.workflow, status.nodes
    same = nodes == context.recorded.nodes and context.recorded.waves
    began = status.started_at
    status = status.model_copy(
        update={
            "waves": context.recorded.waves
            if same
            else wave_statuses(workflow, nodes, status.run, began),
            "progress": progress(workflow, nodes),
            "waiting_for": summary.waiting_for(workflow, nodes),
        }
    )
    if status.is_over:
        return status.model_copy(update={"message": summary.finished(workflow, status)})
    phase = _live_phase(context, status, draft)
    status = status.model_copy(
        update={
            "phase": phase,
            "reason": _live_reason(status, phase),
            "wave": current_wave(workflow, nodes) or status.wave,
        }
    )
    message = summary.running(workflow, status, full=held)
    return status.model_copy(update={"message": message})


def _live_phase(context: Context, status: WorkflowStatus, draft: _Draft) -> Phase:
    """Running, unless nothing can go on but what is held back, or what waits for people."""
    phases = {node.phase for node in status.nodes.values()}
    if status.outcome is not None or NodePhase.RUNNING in phases:
        return Phase.RUNNING
    if context.workflow.spec.suspend:
        return Phase.SUSPENDED
    about_to_start = NodePhase.RETRYING in phases or any(
        not status.nodes[name].phase.has_ended for name in draft.wants
    )
    waits = NodePhase.WAITING in phases and not about_to_start
    return Phase.WAITING if waits else Phase.RUNNING


def _live_reason(status: WorkflowStatus, phase: Phase) -> str:
    if status.outcome is not None:
        return str(RunReason.HANDLERS_RUN)
    if phase is Phase.SUSPENDED:
        return str(RunReason.SUSPENDED)
    if phase is Phase.WAITING and status.ending is None:
        return str(RunReason.WAITING_FOR_APPROVAL)
    return str(RunReason.ENDING if status.ending is not None else RunReason.NODES_RUN)
