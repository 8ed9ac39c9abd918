"""The plan while no run is on: beginning, leftovers of the last run, requests, time to live."""

from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.api.spec import RerunPolicy
from tidegate.api.status import Phase, WorkflowStatus
from tidegate.engine import strays
from tidegate.engine.context import Context
from tidegate.engine.control import Controlled, consumed, control
from tidegate.engine.model import Plan
from tidegate.engine.reasons import RunReason
from tidegate.engine.retention import removals
from tidegate.engine.run_begin import begin, has_begun
from tidegate.engine.seal import definition_changed, sealed


def plan_idle(context: Context) -> Plan:
    """The next step of a Workflow that has no run that is on."""
    if context.facts.namespace_excluded:
        words = "the operator leaves this namespace alone (its setting excludedNamespaces)"
        status = context.recorded
        if not has_begun(status):
            status = _pending(context, RunReason.NAMESPACE_EXCLUDED, words)
        return _finished_plan(context, Controlled(status))
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
            f"kubectl annotate twf {context.workflow.key.name} tidegate.dev/rerun=all@restored"
        )
        return replace(controlled, status=_pending(context, RunReason.RESTORED, words, status))
    if context.workflow.spec.suspend:
        words = "created suspended; the first run begins once spec.suspend is false"
        return replace(controlled, status=_pending(context, RunReason.SUSPENDED, words, status))
    status = status.model_copy(update={"requests": consumed(context)})
    return replace(controlled, status=begin(context.workflow, status, context.now))


def _pending(
    context: Context, reason: RunReason, message: str, status: WorkflowStatus | None = None
) -> WorkflowStatus:
    return (status or context.recorded).model_copy(
        update={
            "phase": Phase.PENDING,
            "reason": str(reason),
            "message": message,
            "progress": f"0/{len(context.workflow.tasks)}",
        }
    )


def _changed_on_purpose(context: Context) -> bool:
    if context.workflow.spec.rerun_policy is not RerunPolicy.ON_CHANGE:
        return False
    return definition_changed(context, context.recorded)


def _finished_plan(context: Context, controlled: Controlled) -> Plan:
    status = controlled.status
    final = status.phase is not None and status.phase.is_final
    ends = tuple(strays.ends(context)) if has_begun(context.recorded) else ()
    prove = tuple(strays.orphans_to_prove(context)) if has_begun(context.recorded) else ()
    wake_at, delete = _time_to_live(context, status) if final else (None, False)
    return sealed(
        context,
        status,
        Plan(
            status=status,
            ends=ends,
            removes=tuple(removals(context)) if final else (),
            prove=prove,
            notes=controlled.notes,
            wake_at=wake_at,
            delete_workflow=delete and context.recorded == status,
        ),
    )


def _time_to_live(context: Context, status: WorkflowStatus) -> tuple[datetime | None, bool]:
    seconds = context.workflow.spec.ttl_seconds_after_finished
    if seconds is None or status.finished_at is None:
        return None, False
    at = status.finished_at + timedelta(seconds=seconds)
    return (None, True) if context.now >= at else (at, False)
