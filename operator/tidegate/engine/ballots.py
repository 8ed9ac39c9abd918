"""Counting: whether a vote counts at an open checkpoint, and what the votes decide."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.api.checkpoint_spec import MAX_VOTES, Checkpoint
from tidegate.api.expressions import EvaluationError, matches
from tidegate.api.status import NodeStatus, Vote
from tidegate.api.vote import APPROVALS, APPROVED, REJECTED, REJECTIONS, Ballot
from tidegate.engine.messages import clip, names, quoted

PLACEHOLDER: Final = "<value>"
"""Stands in the command that people paste where they are to write a value."""
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Poll:
    """An open checkpoint, as far as votes are concerned."""

    checkpoint: Checkpoint
    node: NodeStatus
    authors: Collection[str]
    verified: bool
    """Whether the API server is known to have checked who writes votes since the opening."""
    needs_user: bool
    """Whether only votes count that the API server has checked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the votes have decided."""

    approved: bool
    votes: tuple[Vote, ...]
    """Those that decided it: the approvals that agree, or the rejection."""


def decision_of(ballot: Ballot) -> str:
    """The decision in its one form: approved, rejected, or the choice."""
    if ballot.decision in APPROVALS:
        return APPROVED
    return REJECTED if ballot.decision in REJECTIONS else ballot.decision


def fault_of(ballot: Ballot, poll: Poll) -> str:
    """Why the vote doesn't count, as the end of a sentence; empty where it does."""
    checkpoint, node = poll.checkpoint, poll.node
    if ballot.decision not in (*APPROVALS, *REJECTIONS, *checkpoint.choices):
        return f"is none of: {', '.join(('approve', 'reject', *checkpoint.choices))}"
    if ballot.code is not None and ballot.code != node.code:
        return f"names another opening: the code of this one is {node.code}"
    if ballot.code is None and checkpoint.require_code:
        return f"names no code; expected {ballot.decision}@{node.code} by <user>"
    if fault := _user_fault(ballot, poll):
        return fault
    if decision_of(ballot) == REJECTED:
        return ""
    others = {vote.by for vote in node.votes} - {ballot.by}
    if len(others) >= MAX_VOTES:
        return f"comes after those of {MAX_VOTES} others; only a rejection counts besides"
    return _input_fault(ballot, checkpoint) or _repeated(ballot, poll)


def _repeated(ballot: Ballot, poll: Poll) -> str:
    """Why it is nothing new: the same user has approved the same already."""
    said = decision_of(ballot), inputs_of(ballot, poll.checkpoint)
    for vote in present_votes(poll.node.votes):
        if vote.by == ballot.by and (vote.decision, vote.inputs) == said:
            who = clip(vote.by, _SHOWN) if vote.by else "somebody unnamed"
            return f"adds nothing: {who} has approved already, and different users must"
    return ""


def _user_fault(ballot: Ballot, poll: Poll) -> str:
    if ballot.by is None:
        if poll.needs_user or poll.verified:
            return f"names no user; expected {ballot.decision} by <user>"
        return ""
    if poll.needs_user and not poll.verified:
        return "can't be verified: the admission policies changed"
    if poll.checkpoint.forbid_authors and ballot.by in poll.authors:
        who = clip(ballot.by, _SHOWN)
        return f"is by {who}, who wrote the Workflow or asked for this run (forbidAuthors)"
    approvers = poll.checkpoint.approvers
    if approvers and not approvers.groups and ballot.by not in approvers.users:
        return f"is by {clip(ballot.by, _SHOWN)}, who is none of the approvers"
    return ""


def _input_fault(ballot: Ballot, checkpoint: Checkpoint) -> str:
    known = {asked.name: asked for asked in checkpoint.inputs}
    unknown = [name for name in ballot.inputs if name not in known]
    if unknown:
        expected = f"; there are {', '.join(known)}" if known else "; none are asked for"
        return f"has lines for unknown inputs {names(unknown)}{expected}"
    missing = [n for n, i in known.items() if i.default is None and n not in ballot.inputs]
    if missing:
        lines = ", ".join(f"{name}: <value>" for name in missing)
        return f"lacks inputs; expected further lines: {lines}"
    for name, value in ballot.inputs.items():
        asked, shown = known[name], quoted(value, _SHOWN)
        if value == PLACEHOLDER:
            return f"gives no {name}: write a value where the command has {PLACEHOLDER}"
        if asked.choices and value not in asked.choices:
            return f'gives {name} as "{shown}", which is none of: {", ".join(asked.choices)}'
        if asked.pattern is not None and not _fits(asked.pattern, value):
            return f'gives {name} as "{shown}", which doesn\'t match {asked.pattern}'
    return ""


def _fits(pattern: str, value: str) -> bool:
    try:
        return matches(pattern, value)
    except EvaluationError:
        return False


def inputs_of(ballot: Ballot, checkpoint: Checkpoint) -> dict[str, str]:
    """The values of an approval, with defaults for those that it doesn't give."""
    given = {
        asked.name: ballot.inputs.get(asked.name, asked.default) for asked in checkpoint.inputs
    }
    return {name: value for name, value in given.items() if value is not None}


def present_votes(votes: Sequence[Vote]) -> list[Vote]:
    """The latest vote of each user; all that name nobody are one user's."""
    return list({vote.by: vote for vote in votes}.values())


def agreeing(votes: Sequence[Vote]) -> list[tuple[Vote, ...]]:
    """The approvals that agree with each other, in decision and inputs; the earliest first."""
    groups: dict[tuple[object, ...], tuple[Vote, ...]] = {}
    for vote in present_votes(votes):
        key = (vote.decision, *sorted(vote.inputs.items()))
        groups[key] = (*groups.get(key, ()), vote)
    return list(groups.values())


def decide(votes: Sequence[Vote], min_approvals: int) -> Decision | None:
    """What the votes decide; one rejection rejects, whatever else there is."""
    for vote in votes:
        if vote.decision == REJECTED:
            return Decision(False, (vote,))
    enough = (group for group in agreeing(votes) if len(group) >= min_approvals)
    return next((Decision(True, group) for group in enough), None)


def differences(votes: Sequence[Vote]) -> list[str]:
    """What the voters don't agree in: decision, and names of inputs."""
    present = present_votes(votes)
    found = ["decision"] if len({vote.decision for vote in present}) > 1 else []
    asked = dict.fromkeys(name for vote in present for name in vote.inputs)
    return [*found, *(n for n in asked if len({vote.inputs.get(n) for vote in present}) > 1)]
