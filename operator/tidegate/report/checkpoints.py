"""What people were asked and what they decided: who, when, and with which words."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from tidegate.api.checkpoint_spec import Checkpoint, OnTimeout
from tidegate.api.plain import one_line
from tidegate.api.status import NodePhase, NodeStatus, Vote
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.ballots import present_votes
from tidegate.engine.reasons import Reason
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.question import question
from tidegate.report.states import SYMBOLS, is_kept, ordered
from tidegate.report.text import code, fenced, name, opening, sentence, words
from tidegate.report.times import moment, took, utc

_DECIDED: Final = {
    "Approved": "was approved",
    "ApprovedByTimeout": "was approved by the clock",
    "Rejected": "was rejected",
    "RejectedByTimeout": "was rejected by the clock",
}
_BY_CLOCK: Final = (Reason.APPROVED_BY_TIMEOUT, Reason.REJECTED_BY_TIMEOUT)
_INPUT: Final = 160
_COMMAND: Final = re.compile(r"""kubectl annotate [^"']*"[^"]*"(?:\$'(?:[^'\\]|\\.)*')?""")
"""An annotation in double quotes, whose further lines follow in the shell's ``$'…'``."""


def checkpoints(report: Report, detail: Detail) -> list[str]:
    """The section, or nothing where no checkpoint has opened."""
    nodes = report.status.nodes
    found = [n for n in ordered(report.status, report.workflow) if _is_told(nodes[n])]
    if not found:
        return []
    found.sort(key=lambda each: nodes[each].phase is not NodePhase.WAITING)
    lines = ["## Checkpoints"]
    for each in found[: detail.votes]:
        lines += ["", *_checkpoint(report, each, nodes[each], detail)]
    if len(found) > detail.votes:
        lines += ["", f"And {len(found) - detail.votes} more: the table has them."]
    return lines


def _is_told(node: NodeStatus) -> bool:
    return node.opened_at is not None or bool(node.votes) or node.phase is NodePhase.WAITING


def _checkpoint(report: Report, node_name: str, node: NodeStatus, detail: Detail) -> Iterator[str]:
    spec = _spec(report.workflow, node_name)
    yield f"{SYMBOLS[node.phase]} **{name(node_name)}** {_headline(report, node, spec)}"
    if node.phase is NodePhase.WAITING and node.message:
        yield from _open(node.message, detail)
    elif spec is not None:
        yield from ("", f"Asked: {words(question(report, spec.message), detail.message)}")
    if node.votes:
        base = report.status.started_at
        yield ""
        yield from (f"- {_vote(vote, base, detail)}" for vote in node.votes[: detail.votes])
        if len(node.votes) > detail.votes:
            yield f"- and {len(node.votes) - detail.votes} more votes"


def _open(message: str, detail: Detail) -> Iterator[str]:
    """What an open checkpoint says, with the command that answers on a line of its own."""
    before, command, after = _split(one_line(message))
    yield from ("", sentence(opening(before, detail.message)))
    if command:
        yield from ("", "Answer with:", "", *fenced([command], "sh"))
    if after:
        yield from ("", f"Besides: {words(after, detail.message)}")


def _spec(workflow: ValidatedWorkflow | None, node_name: str) -> Checkpoint | None:
    nodes = workflow.spec.nodes if workflow is not None else ()
    return next((node.checkpoint for node in nodes if node.name == node_name), None)


def _headline(report: Report, node: NodeStatus, spec: Checkpoint | None) -> str:
    base = report.status.started_at
    if node.phase is NodePhase.WAITING:
        since = f" since {moment(node.opened_at, base)}" if node.opened_at else ""
        return f"waits{since}{_until(report, node, spec)}."
    how = _DECIDED.get(node.reason or "")
    if how is None:
        reason = f" ({words(node.reason, 64)})" if node.reason else ""
        how = f"was closed: {node.phase}{reason}"
    elif node.reason in _BY_CLOCK:
        how = f"{how}, as {_undecided(node, spec)}"
    at = f", {moment(node.finished_at, base)}" if node.finished_at else ""
    kept = " in a former run, which still holds" if is_kept(node, report.status) else ""
    return f"{how}{kept}{at}{took(node.opened_at, node.finished_at)}."


def _undecided(node: NodeStatus, spec: Checkpoint | None) -> str:
    """Why people hadn't decided when the time was over."""
    approved = len(present_votes(node.votes))
    if not approved:
        return "nobody had decided"
    if spec is None:
        return "too few had approved"
    if approved < spec.min_approvals:
        return f"only {approved} of {spec.min_approvals} had approved"
    return f"the {approved} who had approved didn't agree"


def _until(report: Report, node: NodeStatus, spec: Checkpoint | None) -> str:
    """When the clock decides, and how."""
    if spec is None or spec.timeout is None or node.opened_at is None:
        return ""
    try:
        deadline = utc(node.opened_at) + spec.timeout
    except OverflowError:
        return ""
    how = "approves" if spec.on_timeout is OnTimeout.APPROVE else "rejects"
    return f"; the clock {how} at {moment(deadline, report.status.started_at)}"


def _split(message: str) -> tuple[str, str, str]:
    """What comes before the command that a person can paste, the command, and the rest."""
    found = _COMMAND.search(message)
    if found is None:
        return message, "", ""
    before = message[: found.start()].removesuffix("answer with: ").rstrip("; ")
    return before, found[0], message[found.end() :].lstrip("; ")


def _vote(vote: Vote, base: datetime | None, detail: Detail) -> str:
    who = f"by {name(vote.by)}" if vote.by else "by somebody who gave no name"
    proof = "verified" if vote.verified else "not verified"
    text = f"{name(vote.decision)} {who} ({proof}), {moment(vote.at, base)}"
    if vote.comment:
        text = f"{text}: {words(vote.comment, detail.message)}"
    given = " · ".join(code(f"{key}={value}", _INPUT) for key, value in vote.inputs.items())
    return f"{text} · {given}" if given else text
