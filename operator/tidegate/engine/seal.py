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
from tidegate.engine.waves import wave_statuses


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
                workflow.key,
                status,
                context.now,
                suspended=workflow.spec.suspend and not status.is_over,
                ready=_ready_note(context, status),
            )
        }
    )
    before = _with_waves(context, status)
    told: tuple[Note, ...] = (*draft.notes, *notes.notes(workflow, before, status))
    counted = tuple(notes.observations(before, status))
    status = bounded(status)
    return replace(
        draft,
        status=status,
        decides=has_new_decision(recorded, status),
        notes=told,
        observations=counted,
    )


def _with_waves(context: Context, after: WorkflowStatus) -> WorkflowStatus:
    """The recorded status, whose waves are made anew if it was too large to keep them."""
    recorded = context.recorded
    if recorded.waves or not after.waves or recorded.run != after.run:
        return recorded
    waves = wave_statuses(context.workflow, recorded.nodes, recorded.run, recorded.started_at)
    return recorded.model_copy(update={"waves": waves})


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
