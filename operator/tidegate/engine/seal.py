"""What every plan ends with: conditions, bounds, notes, and whether it decides something."""

from dataclasses import replace

from tidegate.api.status import LIVE_PHASES, WorkflowStatus
from tidegate.engine import notes
from tidegate.engine.authors import with_author
from tidegate.engine.conditions import ReadyNote, conditions
from tidegate.engine.context import Context
from tidegate.engine.decisions import has_new_decision
from tidegate.engine.log_ref import with_log
from tidegate.engine.messages import annotate
from tidegate.engine.model import Note, Plan
from tidegate.engine.run_begin import has_begun
from tidegate.engine.size import bounded


def sealed(context: Context, status: WorkflowStatus, draft: Plan) -> Plan:
    """The plan with conditions, bounds, notes, and whether it decides something."""
    recorded, workflow = context.recorded, context.workflow
    status = with_author(status, context.fact)
    status = status.model_copy(update={"observed_generation": workflow.generation})
    retain = workflow.spec.log.retain
    status = with_log(workflow.key, workflow.uid, recorded, status, retain=retain)
    status = status.model_copy(
        update={
            "conditions": conditions(
                status,
                context.now,
                suspended=workflow.spec.suspend and not status.is_over,
                ready=_ready_note(context, status),
            )
        }
    )
    status = bounded(status)
    told: tuple[Note, ...] = (*draft.notes, *notes.notes(workflow, recorded, status))
    return replace(
        draft,
        status=status,
        decides=has_new_decision(recorded, status),
        notes=told,
        observations=tuple(notes.observations(recorded, status)),
    )


def _ready_note(context: Context, status: WorkflowStatus) -> ReadyNote | None:
    if status.phase in LIVE_PHASES or not has_begun(status):
        return None
    if not definition_changed(context, status):
        return None
    how = annotate(context.workflow.key, f"rerun=failed@run-{status.run + 1}")
    return ReadyNote(
        "ChangedSinceRun", f"the spec has changed since run {status.run}; to run it: {how}"
    )


def definition_changed(context: Context, status: WorkflowStatus) -> bool:
    """Whether the spec would run something else than the run that ``status`` speaks of."""
    if status.run_generation == context.workflow.generation or status.definition is None:
        return False
    return status.definition != context.workflow.definition
