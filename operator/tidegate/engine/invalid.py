"""The plan for a Workflow that can't be run as it is written: nothing moves, everything is told.

A run that is on can come here, too, if a newer operator is stricter: the definition is locked then,
so a cancel gives the run up, whichever it asks for; what still runs is ended.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tidegate.api.status import LIVE_PHASES, Phase, Requests, WorkflowStatus
from tidegate.constants import ANNOTATION_CANCEL, ANNOTATION_RERUN
from tidegate.engine import strays
from tidegate.engine.authors import with_author
from tidegate.engine.conditions import ReadyNote, conditions
from tidegate.engine.context import living
from tidegate.engine.control import CANCEL, remembered
from tidegate.engine.log_ref import with_log
from tidegate.engine.messages import annotate, clip
from tidegate.engine.model import Note, NoteKind, Plan
from tidegate.engine.node import cut_short
from tidegate.engine.reasons import RunReason
from tidegate.engine.run_begin import has_begun
from tidegate.engine.ttl import time_to_live
from tidegate.errors import Fault
from tidegate.facts.model import Facts, WorkflowFact

_MAX_MESSAGE = 16_384
_WAY_OUT = "this run can't go on; run the operator that began it, or cancel:"


def plan_invalid(
    fact: WorkflowFact,
    status: WorkflowStatus,
    faults: Sequence[Fault],
    facts: Facts,
    now: datetime,
) -> Plan:
    """Before the first run the Workflow is Failed/InvalidSpec; after it only Ready tells of it."""
    message = clip("invalid spec: " + "; ".join(map(str, faults)), _MAX_MESSAGE)
    if status.phase in LIVE_PHASES:
        after, requests = _given_up_if_asked(fact, status, now), list[str]()
        message = f"{message}; {_WAY_OUT} {annotate(fact.key, 'cancel=now')}"
    else:
        after, requests = _consumed(fact, status)
    told = [_ignored(which) for which in requests] if status.phase is not None else []
    if not has_begun(status) and status.phase is not Phase.CANCELLED:
        if (status.reason, status.message) != (RunReason.INVALID_SPEC, message):
            told.append(Note(NoteKind.INVALID_SPEC, clip(message), warning=True))
        after = after.model_copy(
            update={
                "phase": Phase.FAILED,
                "reason": str(RunReason.INVALID_SPEC),
                "message": message,
                "finished_at": status.finished_at or now,
            }
        )
        after = with_log(fact.key, fact.uid, status, after, retain=_retains_log(fact))
    after = with_author(after, fact).model_copy(update={"observed_generation": fact.generation})
    ready = ReadyNote(str(RunReason.INVALID_SPEC), message)
    after = after.model_copy(
        update={"conditions": conditions(fact.key, after, now, suspended=False, ready=ready)}
    )
    wake_at, delete = time_to_live(_seconds(fact), after, now)
    left = living(facts) if has_begun(status) else {}
    return Plan(
        after,
        ends=tuple(strays.ends(status, left)),
        prove=tuple(strays.orphans_to_prove(status, left)),
        decides=after != status,
        notes=tuple(told),
        wake_at=wake_at,
        delete_workflow=delete and after == status,
    )


def _given_up_if_asked(fact: WorkflowFact, status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    """The run that is on, cancelled if a new text of the annotation says so."""
    text = fact.annotations.get(ANNOTATION_CANCEL, "")
    if remembered(text) == status.requests.cancel or CANCEL.fullmatch(text) is None:
        return status
    requests = status.requests.model_copy(update={"cancel": remembered(text)})
    words = "the run was cancelled before it could start"
    return status.model_copy(
        update={
            "phase": Phase.CANCELLED,
            "reason": str(RunReason.CANCEL_REQUESTED),
            "message": "cancelled on request, as its spec is invalid for this operator",
            "finished_at": now,
            "waiting_for": None,
            "requests": requests,
            "nodes": {name: cut_short(node, now, words) for name, node in status.nodes.items()},
        }
    )


def _seconds(fact: WorkflowFact) -> int | None:
    seconds = fact.spec.get("ttlSecondsAfterFinished")
    return seconds if isinstance(seconds, int) else None


def _retains_log(fact: WorkflowFact) -> bool:
    log = fact.spec.get("log")
    return isinstance(log, Mapping) and log.get("retain") is True


def _consumed(fact: WorkflowFact, status: WorkflowStatus) -> tuple[WorkflowStatus, list[str]]:
    """The status with every request taken as consumed, and the requests that are new."""
    known = status.requests.model_dump()
    texts = {"cancel": ANNOTATION_CANCEL, "rerun": ANNOTATION_RERUN}
    found = {k: remembered(fact.annotations[a]) for k, a in texts.items() if a in fact.annotations}
    new = [which for which, text in found.items() if text != known[which]]
    requests = Requests.model_validate(known | found)
    return status.model_copy(update={"requests": requests}), new


def _ignored(which: str) -> Note:
    message = f"request {which} ignored: InvalidSpec: correct the spec first"
    return Note(NoteKind.REQUEST_IGNORED, message, warning=True)
