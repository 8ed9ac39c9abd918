"""What people ask for by annotation: cancel and rerun.

Each text acts once and is consumed, also one that can do nothing or stood there from the start;
what is ignored is told, with the reason.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.api.status import Cause, Ending, Phase, Requests, WorkflowStatus
from tidegate.constants import ANNOTATION_CANCEL, ANNOTATION_RERUN
from tidegate.engine.context import Context
from tidegate.engine.failure_policy import is_stronger
from tidegate.engine.messages import clip
from tidegate.engine.model import Note, NoteKind
from tidegate.engine.reasons import RunReason
from tidegate.engine.run_begin import begin, has_begun, kept_nodes, must_run_again

CANCEL = re.compile(r"(graceful|now)(?:@.*)?", re.DOTALL)
"""How to cancel; what follows the @ makes the text a new one."""
_RERUN = re.compile(r"(failed|all|from=[a-z0-9-]{1,40})(?:@.*)?", re.DOTALL)
_MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Controlled:
    """The status after all requests were looked at."""

    status: WorkflowStatus
    notes: tuple[Note, ...] = ()


def control(context: Context) -> Controlled:
    """Look at both annotations; whatever text is new is carried out or refused, and consumed."""
    cancel = _new_text(context, ANNOTATION_CANCEL, context.recorded.requests.cancel)
    rerun = _new_text(context, ANNOTATION_RERUN, context.recorded.requests.rerun)
    result = Controlled(context.recorded)
    if cancel is not None:
        result = _consume(context, result, "cancel", cancel, _cancel)
    if rerun is not None:
        result = _consume(context, result, "rerun", rerun, _rerun)
    return result


def remembered(text: str) -> str:
    """The text as status keeps it."""
    return text[:_MAX_REMEMBERED]


def _new_text(context: Context, key: str, consumed: str | None) -> str | None:
    text = context.fact.annotations.get(key)
    return None if text is None or remembered(text) == consumed else text


_Act = Callable[[Context, WorkflowStatus, str], WorkflowStatus | str]


def _consume(context: Context, before: Controlled, which: str, text: str, act: _Act) -> Controlled:
    """Carry out ``act``, which gives the new status, or says why it does nothing."""
    requests = before.status.requests.model_copy(update={which: remembered(text)})
    if context.recorded.phase is None:
        outcome: WorkflowStatus | str = "it stood there before the operator saw the Workflow"
    else:
        outcome = act(context, before.status, text)
    notes = before.notes
    if isinstance(outcome, str):
        shown = clip(text, 60)
        message = f'request {which} "{shown}" ignored: {outcome}'
        notes = (*notes, Note(NoteKind.REQUEST_IGNORED, message, warning=True))
        outcome = before.status
    return Controlled(outcome.model_copy(update={"requests": requests}), notes)


def _cancel(context: Context, status: WorkflowStatus, text: str) -> WorkflowStatus | str:
    match = CANCEL.fullmatch(text)
    if match is None:
        return "it is none of graceful, now (then @ and anything new to ask again)"
    if status.is_over:
        return f"the Workflow has ended ({status.phase})"
    if not has_begun(status):
        return _cancelled_unbegun(context, status)
    cause: Cause = "CancelGraceful" if match[1] == "graceful" else "CancelNow"
    if status.outcome is not None and cause != "CancelNow":
        return "the nodes have ended, only handlers run; only now ends them"
    if not is_stronger(cause, status.ending):
        return "the run is being cancelled already"
    ending = Ending(cause=cause, at=context.now)
    return status.model_copy(update={"ending": ending})


def _cancelled_unbegun(context: Context, status: WorkflowStatus) -> WorkflowStatus:
    return status.model_copy(
        update={
            "phase": Phase.CANCELLED,
            "reason": RunReason.CANCEL_REQUESTED,
            "message": "cancelled before it began",
            "finished_at": context.now,
        }
    )


def _rerun(context: Context, status: WorkflowStatus, text: str) -> WorkflowStatus | str:
    match = _RERUN.fullmatch(text)
    if match is None:
        return "it is none of failed, from=<node>, all (then @ and anything new to ask again)"
    if status.phase is not None and not status.phase.is_final:
        if has_begun(status):
            return "a run is on; cancel it (tidegate.dev/cancel) or wait"
        if status.reason != RunReason.RESTORED:
            return "no run has begun yet"
    return _begin_again(context, status, match[1])


def _begin_again(context: Context, status: WorkflowStatus, mode: str) -> WorkflowStatus | str:
    workflow = context.workflow
    if mode == "all" or not has_begun(status):
        return begin(workflow, status, context.now)
    again = must_run_again(workflow, status)
    if mode.startswith("from="):
        name = mode.removeprefix("from=")
        if name not in workflow.tasks:
            return f"there is no node {name}"
        again |= {name}
    if not again:
        return "NothingToRerun: every node has succeeded as it is defined now"
    return begin(workflow, status, context.now, kept_nodes(workflow, status, again))


def consumed(context: Context) -> Requests:
    """Requests with whatever stands in the annotations taken as consumed."""
    annotations = context.fact.annotations
    texts = {"cancel": ANNOTATION_CANCEL, "rerun": ANNOTATION_RERUN}
    found = {k: remembered(annotations[a]) for k, a in texts.items() if a in annotations}
    return context.recorded.requests.model_copy(update=found)
