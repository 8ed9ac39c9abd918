"""Keeps a status within its bytes: the one place where it is shortened.

Failures go first to five of a node (the first and the last ones), then to the first and last, then
what decided checkpoints keep of their votes and messages are cut; at last all failures go, the
votes of decided checkpoints, whose outputs name the voters, and the waves, which are made anew from
the nodes.
Numbers that decisions need (attempts, retries, disruptions) stand beside them and are never cut.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from tidegate.api.identity import WorkflowKey
from tidegate.api.status import (
    Failure,
    NodePhase,
    NodeStatus,
    Phase,
    Vote,
    WaveStatus,
    WorkflowStatus,
)
from tidegate.constants import MAX_STATUS_BYTES
from tidegate.engine import notes
from tidegate.engine.conditions import conditions
from tidegate.engine.messages import clip
from tidegate.engine.model import Plan
from tidegate.engine.node import cancelled
from tidegate.engine.reasons import Reason, RunReason
from tidegate.engine.votes import DIGEST

_LAST = 5
_SHORT = 64
_BYTES_A_NODE = 450
"""More than a node without failures and messages takes."""

_BYTES_A_FAILURE = 300
_BYTES_A_VOTE = 256
_BYTES_A_DIGEST = 16
_BYTES_A_CHARACTER = 6
"""What JSON makes of one at the most: ``\\u0000``."""

Shorten = Callable[[NodeStatus], NodeStatus]


def bounded(status: WorkflowStatus, limit: int = MAX_STATUS_BYTES) -> WorkflowStatus:
    """``status`` in at most ``limit`` bytes of JSON."""
    if _is_surely_small(status, limit) or size(status) <= limit:
        return status
    for shorten in _STAGES:
        nodes = {name: shorten(node) for name, node in status.nodes.items()}
        status = status.model_copy(update={"nodes": nodes})
        if size(status) <= limit:
            return status
    return status.model_copy(update={"waves": dict[str, WaveStatus]()})


def size(status: WorkflowStatus) -> int:
    """Bytes of the status as JSON."""
    return len(status.model_dump_json(by_alias=True, exclude_none=True).encode())


def given_up(key: WorkflowKey, plan: Plan, before: WorkflowStatus, now: datetime) -> Plan:
    """What is left of a plan whose status the API server refuses for its size: the run ends here.

    What the plan had to tell did happen; of how the run ends only this is told.
    """
    status = minimal(key, plan.status, now)
    told = [note for note in plan.notes if note.kind not in notes.FINAL.values()]
    counted = [one for one in plan.observations if one.name != "workflow_finished"]
    return replace(
        plan,
        status=status,
        notes=(*told, *notes.end_notes(before, status)),
        observations=(*counted, *notes.end_observations(before, status)),
    )


def minimal(key: WorkflowKey, status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    """The smallest status that tells of a run that ends here."""
    status = status.model_copy(
        update={
            "phase": Phase.FAILED,
            "reason": str(RunReason.STATUS_TOO_LARGE),
            "message": "the API server refused the status for its size; split the Workflow",
            "finished_at": now,
            "nodes": {name: _given_up(node, now) for name, node in status.nodes.items()},
            "waves": dict[str, WaveStatus](),
            "runs": (),
        }
    )
    return status.model_copy(update={"conditions": conditions(key, status, now, suspended=False)})


def _given_up(node: NodeStatus, now: datetime) -> NodeStatus:
    """A node of a run that ends here; what lives of it is a stray from now on."""
    if not node.phase.has_ended:
        node = cancelled(node, Reason.CANCELLED, now)
    return _no_messages(node).model_copy(update={"seen": (), "votes": ()})


def _is_surely_small(status: WorkflowStatus, limit: int) -> bool:
    """A cheap upper bound, so that most passes needn't serialize."""
    nodes = status.nodes.values()
    failures = sum(len(node.failures) for node in nodes)
    text = sum(
        len(node.message or "")
        + len(node.outputs or "")
        + sum(len(f.message) for f in node.failures)
        for node in nodes
    )
    votes = sum(len(node.votes) for node in nodes)
    seen = sum(len(node.seen) for node in nodes)
    text += sum(len(entry) for node in nodes for entry in node.seen)
    text += sum(_letters(vote) for node in nodes for vote in node.votes)
    fixed = _BYTES_A_NODE * len(status.nodes) + _BYTES_A_FAILURE * failures + 65_536
    fixed += _BYTES_A_VOTE * votes + _BYTES_A_DIGEST * seen
    return fixed + _BYTES_A_CHARACTER * text <= limit


def _letters(vote: Vote) -> int:
    told = (vote.text, vote.comment or "", vote.by or "", *vote.inputs, *vote.inputs.values())
    return sum(map(len, told))


def _last_failures(node: NodeStatus) -> NodeStatus:
    if len(node.failures) <= _LAST:
        return node
    return node.model_copy(update={"failures": (node.failures[0], *node.failures[1 - _LAST :])})


def _first_and_last(node: NodeStatus) -> NodeStatus:
    if len(node.failures) <= 2:  # noqa: PLR2004 - the first and the last
        return node
    return node.model_copy(update={"failures": (node.failures[0], node.failures[-1])})


def _short_votes(node: NodeStatus) -> NodeStatus:
    """Of decided checkpoints; a policy compares the texts of votes on open ones."""
    return _with_short_votes(node) if node.phase.has_ended else node


def _with_short_votes(node: NodeStatus) -> NodeStatus:
    votes = tuple(_cut_vote(vote) for vote in node.votes)
    return node.model_copy(update={"votes": votes}) if votes else node


def _cut_vote(vote: Vote) -> Vote:
    comment = clip(vote.comment, _SHORT) if vote.comment else vote.comment
    return vote.model_copy(update={"text": "", "comment": comment})


def _short_messages(node: NodeStatus) -> NodeStatus:
    """What an open checkpoint asks stays whole."""
    failures = tuple(_cut(failure, _SHORT) for failure in node.failures)
    message = node.message
    if message and node.phase is not NodePhase.WAITING:
        message = clip(message, _SHORT)
    return node.model_copy(update={"failures": failures, "message": message})


def _no_messages(node: NodeStatus) -> NodeStatus:
    node = _with_short_votes(node)
    node = node.model_copy(update={"seen": tuple(entry[:DIGEST] for entry in node.seen)})
    last = tuple(_cut(failure, 0) for failure in node.failures[-1:])
    return node.model_copy(update={"failures": last, "message": None})


def _no_failures(node: NodeStatus) -> NodeStatus:
    """What an open checkpoint has seen stays: else an old vote would count."""
    if not node.phase.has_ended:
        return node.model_copy(update={"failures": ()})
    return node.model_copy(update={"failures": (), "seen": (), "votes": ()})


def _cut(failure: Failure, length: int) -> Failure:
    message = clip(failure.message, length) if length else ""
    return failure.model_copy(update={"message": message})


_STAGES: tuple[Shorten, ...] = (
    _last_failures,
    _first_and_last,
    _short_votes,
    _short_messages,
    _no_messages,
    _no_failures,
)
