"""Conditions: one truth for ``kubectl wait``, kstatus (Flux), Argo CD and the printer.

| phase                                | Succeeded | Finished | Ready   | Reconciling | Stalled |
|--------------------------------------|-----------|----------|---------|-------------|---------|
| Pending, Running, Waiting, Suspended | Unknown   | False    | Unknown | True        | False   |
| Succeeded                            | True      | True     | True    | False       | False   |
| Failed, Cancelled                    | False     | True     | False   | False       | True    |

Beside these Suspended, and once people were asked WaitingForApproval, whose message holds the
command that answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tidegate.api.identity import WorkflowKey
from tidegate.api.status import Condition, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.engine.messages import clip

Truth = Literal["True", "False", "Unknown"]
_MAX_MESSAGE = 4096
_MAX_HINT = 512

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
    key: WorkflowKey,
    status: WorkflowStatus,
    now: datetime,
    *,
    suspended: bool,
    ready: ReadyNote | None = None,
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
    if says := _waiting(key, status, known=_WAITING in former):
        result.append(_condition(former.get(_WAITING), status, now, says))
    return tuple(result)


def _waiting(
    key: WorkflowKey, status: WorkflowStatus, *, known: bool
) -> tuple[str, Truth, str, str] | None:
    """Whether people are asked, and how they answer; absent where nobody was ever asked."""
    waiting = {n: x for n, x in status.nodes.items() if x.phase is NodePhase.WAITING}
    if status.is_over or not waiting:
        return (_WAITING, "False", "NoCheckpointOpen", "") if known else None
    held = all(node.opened_at is None for node in waiting.values())
    reason = next(iter(waiting.values())).reason if held else None
    return _WAITING, "True", reason or "CheckpointOpen", _questions(key, waiting)


def _questions(key: WorkflowKey, waiting: Mapping[str, NodeStatus]) -> str:
    """What all say; if that is too long, where it stands: half a command is worse than none."""
    words = "; ".join(node.message or "" for node in waiting.values())
    if len(words) <= _MAX_MESSAGE:
        return clip(words, _MAX_MESSAGE)
    shown = clip(", ".join(waiting), _MAX_MESSAGE - _MAX_HINT)
    return (
        f"waiting for approval of {shown}; there is no room here for all they ask: each question,"
        " and the command that answers it, stands in the message of its node, as in: kubectl get"
        f" -n {key.namespace} twf {key.name} -o jsonpath={{.status.nodes.{next(iter(waiting))}"
        ".message}"
    )


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
