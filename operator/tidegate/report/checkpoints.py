"""What people were asked and what they decided: who, when, and with which words."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from tidegate.api.checkpoint_spec import Checkpoint, OnTimeout
from tidegate.api.status import NodePhase, NodeStatus, Vote
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.states import SYMBOLS, is_kept, ordered
from tidegate.report.text import code, fenced, name, opening, words
from tidegate.report.times import moment, took, utc

_DECIDED: Final = {
    "Approved": "was approved",
    "ApprovedByTimeout": "was approved by the clock, as nobody had decided",
    "Rejected": "was rejected",
    "RejectedByTimeout": "was rejected by the clock, as not enough had approved",
}
_INPUT: Final = 160


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
    base = report.status.started_at
    yield f"{SYMBOLS[node.phase]} **{name(node_name)}** {_headline(report, node, spec)}"
    told, command = _split(node.message or "") if node.phase is NodePhase.WAITING else ("", "")
    if told:
        yield from ("", opening(told, detail.message))
    elif spec is not None:
        yield from ("", f"Asked: {words(spec.message, detail.message)}")
    if node.votes:
        yield ""
        yield from (f"- {_vote(vote, base, detail)}" for vote in node.votes[: detail.votes])
        if len(node.votes) > detail.votes:
            yield f"- and {len(node.votes) - detail.votes} more votes"
    if command:
        yield ""
        yield from fenced([command], "sh")


def _spec(workflow: ValidatedWorkflow | None, node_name: str) -> Checkpoint | None:
    nodes = workflow.spec.nodes if workflow is not None else ()
    return next((node.checkpoint for node in nodes if node.name == node_name), None)


def _headline(report: Report, node: NodeStatus, spec: Checkpoint | None) -> str:
    base = report.status.started_at
    if node.phase is NodePhase.WAITING:
        since = f" since {moment(node.opened_at, base)}" if node.opened_at else ""
        coded = f" (code {code(node.code, 16)})" if node.code else ""
        return f"waits{since}{coded}{_until(report, node, spec)}"
    how = _DECIDED.get(node.reason or "")
    if how is None:
        reason = f" ({words(node.reason, 64)})" if node.reason else ""
        how = f"was closed: {node.phase}{reason}"
    at = f", {moment(node.finished_at, base)}" if node.finished_at else ""
    kept = " in a former run, which still holds" if is_kept(node, report.status) else ""
    return f"{how}{kept}{at}{took(node.opened_at, node.finished_at)}"


def _until(report: Report, node: NodeStatus, spec: Checkpoint | None) -> str:
    """When the clock decides, and how."""
    if spec is None or spec.timeout is None or node.opened_at is None:
        return ""
    try:
        deadline = utc(node.opened_at) + spec.timeout
    except OverflowError:
        return ""
    then = "approved" if spec.on_timeout is OnTimeout.APPROVE else "rejected"
    return f" until {moment(deadline, report.status.started_at)}, then it is {then} by the clock"


def _split(message: str) -> tuple[str, str]:
    """What a message says, and the command in it that a person can paste."""
    told, found, command = message.partition("kubectl ")
    told = told.rstrip().removesuffix("answer with:").rstrip("; ")
    return told, f"{found}{command}"


def _vote(vote: Vote, base: datetime | None, detail: Detail) -> str:
    who = f"by {name(vote.by)}" if vote.by else "by somebody who gave no name"
    proof = "verified" if vote.verified else "not verified"
    text = f"{name(vote.decision)} {who} ({proof}), {moment(vote.at, base)}"
    if vote.comment:
        text = f"{text}: {words(vote.comment, detail.message)}"
    given = " · ".join(code(f"{key}={value}", _INPUT) for key, value in vote.inputs.items())
    return f"{text} · {given}" if given else text
