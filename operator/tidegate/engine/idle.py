"""The plan while no run is on: beginning, leftovers of the last run, requests, time to live."""

from dataclasses import replace

from tidegate.api.spec import RerunPolicy
from tidegate.api.status import Phase, WorkflowStatus
from tidegate.engine import strays
from tidegate.engine.context import Context
from tidegate.engine.control import Controlled, consumed, control
from tidegate.engine.messages import annotate
from tidegate.engine.model import Plan
from tidegate.engine.reasons import RunReason
from tidegate.engine.retention import removals
from tidegate.engine.run_begin import begin, has_begun
from tidegate.engine.seal import definition_changed, sealed
from tidegate.engine.stray_votes import ignore_votes
from tidegate.engine.ttl import time_to_live


def plan_idle(context: Context) -> Plan:
    """The next step of a Workflow that has no run that is on."""
    controlled = control(context)
    if controlled.status.run == context.recorded.run and not has_begun(controlled.status):
        controlled = _try_to_begin(context, controlled)
    elif controlled.status.run == context.recorded.run and _changed_on_purpose(context):
        begun = begin(context.workflow, controlled.status, context.now)
        controlled = replace(controlled, status=begun)
    return _finished_plan(context, controlled)


def _try_to_begin(context: Context, controlled: Controlled) -> Controlled:
    """Begin the first run, or say why it doesn't."""
    status = controlled.status
    if status.phase is Phase.CANCELLED:
        return controlled
    if context.fact.restored:
        words = (
            "restored from a backup without its status; nothing runs until it is asked for: "
            f"{annotate(context.workflow.key, 'rerun=all@restored')}"
        )
        return replace(controlled, status=_pending(context, RunReason.RESTORED, words, status))
    if context.workflow.spec.suspend:
        words = "created suspended; the first run begins once spec.suspend is false"
        return replace(controlled, status=_pending(context, RunReason.SUSPENDED, words, status))
    status = status.model_copy(update={"requests": consumed(context)})
    return replace(controlled, status=begin(context.workflow, status, context.now))


def _pending(
    context: Context, reason: RunReason, message: str, status: WorkflowStatus
) -> WorkflowStatus:
    return status.model_copy(
        update={
            "phase": Phase.PENDING,
            "reason": str(reason),
            "message": message,
            "finished_at": None,
            "progress": f"0/{len(context.workflow.tasks)}",
        }
    )


def _changed_on_purpose(context: Context) -> bool:
    if context.workflow.spec.rerun_policy is not RerunPolicy.ON_CHANGE:
        return False
    return definition_changed(context, context.recorded)


def plan_excluded(context: Context) -> Plan:
    """Nothing is done in a namespace that the operator is told to leave alone."""
    status = context.recorded
    if has_begun(status):
        return Plan(status)
    words = "the operator leaves this namespace alone (its setting excludedNamespaces)"
    status = _pending(context, RunReason.NAMESPACE_EXCLUDED, words, status)
    return sealed(context, status, Plan(status))


def _finished_plan(context: Context, controlled: Controlled) -> Plan:
    status, notes = controlled.status, controlled.notes
    began = has_begun(context.recorded)
    if context.recorded.is_over and status.run == context.recorded.run:
        status, notes = ignore_votes(context, status, notes)
    seconds = context.workflow.spec.ttl_seconds_after_finished
    wake_at, delete = time_to_live(seconds, status, context.now)
    removes, remove_at = removals(context) if status.is_over else ((), None)
    return sealed(
        context,
        status,
        Plan(
            status=status,
            ends=tuple(strays.ends(context.recorded, context.living)) if began else (),
            removes=removes,
            prove=tuple(strays.orphans_to_prove(context.recorded, context.living)) if began else (),
            notes=notes,
            wake_at=min(filter(None, (wake_at, remove_at)), default=None),
            delete_workflow=delete and context.recorded == status,
        ),
    )
