"""Conditions: one truth for ``kubectl wait``, kstatus (Flux), Argo CD and the printer.

| phase                                | Succeeded | Finished | Ready   | Reconciling | Stalled |
|--------------------------------------|-----------|----------|---------|-------------|---------|
| Pending, Running, Waiting, Suspended | Unknown   | False    | Unknown | True        | False   |
| Succeeded                            | True      | True     | True    | False       | False   |
| Failed, Cancelled                    | False     | True     | False   | False       | True    |

Beside these Suspended, and once people were asked WaitingForApproval, whose message holds the
command that answers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tidegate.api.status import Condition, NodePhase, Phase, WorkflowStatus
from tidegate.engine.messages import clip

Truth = Literal["True", "False", "Unknown"]
_MAX_MESSAGE = 4096

_IN_PROGRESS: dict[str, Truth] = {
    "Succeeded": "Unknown",
    "Finished": "False",
    "Ready": "Unknown",
    "Reconciling": "True",
    "Stalled": "False",
}
_GOOD: dict[str, Truth] = {
    "Succeeded": "True",
    "Finished": "True",
    "Ready": "True",
    "Reconciling": "False",
    "Stalled": "False",
}
_BAD: dict[str, Truth] = {
    "Succeeded": "False",
    "Finished": "True",
    "Ready": "False",
    "Reconciling": "False",
    "Stalled": "True",
}


_WAITING = "WaitingForApproval"


@dataclass(frozen=True, slots=True)
class ReadyNote:
    """What Ready has to tell of a finished Workflow whose spec moved on."""

    reason: str
    message: str


def table(phase: Phase) -> dict[str, Truth]:
    """The truth of each condition in a phase."""
    if not phase.is_final:
        return _IN_PROGRESS
    return _GOOD if phase is Phase.SUCCEEDED else _BAD


def conditions(
    status: WorkflowStatus, now: datetime, *, suspended: bool, ready: ReadyNote | None = None
) -> tuple[Condition, ...]:
    """All conditions of ``status``, whose former ones give the times of transition."""
    phase = status.phase or Phase.PENDING
    former = {condition.type: condition for condition in status.conditions}
    truths = table(phase) | {"Suspended": "True" if suspended else "False"}
    reason = status.reason or str(phase)
    result = []
    for kind, truth in truths.items():
        why, words = (str(phase), "") if kind == "Reconciling" else (reason, "")
        if kind == "Ready" or (kind == "Stalled" and truth == "True"):
            words = clip(status.message or "", _MAX_MESSAGE)
        if kind == "Suspended":
            why, words = ("SpecSuspend" if suspended else "NotSuspended"), ""
        if kind == "Ready" and ready is not None:
            why, words = ready.reason, clip(ready.message, _MAX_MESSAGE)
        result.append(_condition(former.get(kind), status, now, (kind, truth, why, words)))
    if says := _waiting(status, known=_WAITING in former):
        result.append(_condition(former.get(_WAITING), status, now, says))
    return tuple(result)


def _waiting(status: WorkflowStatus, *, known: bool) -> tuple[str, Truth, str, str] | None:
    """Whether people are asked, and how they answer; absent where nobody was ever asked."""
    waiting = [node for node in status.nodes.values() if node.phase is NodePhase.WAITING]
    if status.is_over:
        waiting = []
    if waiting:
        words = clip("; ".join(node.message or "" for node in waiting), _MAX_MESSAGE)
        held = all(node.opened_at is None for node in waiting)
        reason = waiting[0].reason if held else None
        return _WAITING, "True", reason or "CheckpointOpen", words
    return (_WAITING, "False", "NoCheckpointOpen", "") if known else None


def _condition(
    former: Condition | None,
    status: WorkflowStatus,
    now: datetime,
    says: tuple[str, Truth, str, str],
) -> Condition:
    kind, truth, reason, message = says
    same = former is not None and former.status == truth
    return Condition(
        type=kind,
        status=truth,
        reason=reason,
        message=message,
        last_transition_time=former.last_transition_time if same and former else now,
        observed_generation=max(status.observed_generation, 0),
    )
