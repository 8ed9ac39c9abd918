"""What an open checkpoint tells people, and what becomes of it once it is decided."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from tidegate.api.checkpoint_spec import MAX_VOTES, Checkpoint
from tidegate.api.duration import human
from tidegate.api.identity import WorkflowKey
from tidegate.api.json_values import compact
from tidegate.api.references import told
from tidegate.api.status import NodePhase, NodeStatus, Vote
from tidegate.api.vote import APPROVED, REJECTED
from tidegate.constants import ANNOTATION_VOTE, MAX_RUN_OUTPUT_BYTES
from tidegate.engine.authors import all_authors
from tidegate.engine.ballots import PLACEHOLDER, Decision, agreeing, differences, present_votes
from tidegate.engine.context import Context
from tidegate.engine.judge import Verdict
from tidegate.engine.messages import clip, names, quoted
from tidegate.engine.node import failed_finally, update, with_failure
from tidegate.engine.outputs import size_of
from tidegate.engine.reasons import Reason
from tidegate.engine.sources import MissingValueError, reference_values
from tidegate.engine.step import Role
from tidegate.engine.votes import MAX_SEEN, MAX_STANDING, VoteText, is_dead
from tidegate.facts.model import PolicyFact

TOO_EARLY: Final = "came before the checkpoint opened; only votes on an open question count"
_ME: Final = "$(kubectl auth whoami -o jsonpath='{.status.userInfo.username}')"
_MAX_QUESTION: Final = 1024
_MAX_WAITING: Final = 4096
_MAX_COMMENT: Final = 300
_MAX_NAME: Final = 100
_MAX_CHOICES: Final = 4
_MAX_DEFAULT: Final = 40
_MAX_TAILS: Final = 600


def question(name: str, role: Role, context: Context) -> str:
    """The question with its references replaced; raises MissingValueError."""
    workflow, checkpoint = context.workflow, role.task.checkpoint
    values = {
        **workflow.values(context.recorded.run, name),
        **dict(reference_values(workflow, role.task, role.nodes)),
    }
    return told(checkpoint.message if checkpoint else "", values.get, _MAX_QUESTION)


def question_again(name: str, role: Role, context: Context) -> str:
    """The question of an open checkpoint; what it reads was there when it opened."""
    try:
        return question(name, role, context)
    except MissingValueError:
        return role.task.checkpoint.message if role.task.checkpoint else ""


# --- while it waits ------------------------------------------------------------------------------


def waiting(
    name: str, node: NodeStatus, role: Role, context: Context, asked: str, *, ignored: str = ""
) -> str:
    """The question, until when, how far it is, what was ignored, and last the command."""
    checkpoint = role.task.checkpoint
    if checkpoint is None:
        return ""
    until = ""
    if checkpoint.timeout is not None and node.opened_at is not None:
        until = f" until {moment(node.opened_at + checkpoint.timeout)}"
    parts = [f'waiting for approval of {name}: "{quoted(asked, _MAX_QUESTION)}"{until}']
    parts += _so_far(node, checkpoint)
    parts += filter(None, (too_few_are_left(node, checkpoint, context),))
    parts += [ignored] if ignored else []
    parts += _dead(name, node, context)
    words = [f"{word}@{node.code}" for word in checkpoint.choices[:_MAX_CHOICES]]
    other = f"{names(words)} approve, too; " if words else ""
    parts.append(f"{other}{REJECTED}@{node.code} rejects")
    answer = f"; answer with: {command(name, node, checkpoint, context)}"
    return f"{clip('; '.join(parts), _MAX_WAITING - len(answer))}{answer}"


def too_few_are_left(node: NodeStatus, checkpoint: Checkpoint, context: Context) -> str:
    """That it can't be approved, as those who might are authors; empty where it can.

    Nobody knows who is in a group, nor whom a role lets vote. Votes that counted stay.
    """
    approvers = checkpoint.approvers
    if not checkpoint.forbid_authors or approvers is None or approvers.groups:
        return ""
    authors = all_authors(context.recorded, context.fact) - {vote.by for vote in node.votes}
    left = [user for user in approvers.users if user not in authors]
    need = checkpoint.min_approvals
    if len(left) >= need:
        return ""
    who = f"only {names([clip(user, _MAX_NAME) for user in left])}" if left else "none"
    return (
        f"it can't be approved: {need} must approve, and {who} of the approvers can vote, as the"
        " others wrote the Workflow or asked for this run (forbidAuthors); cancel it, and let"
        " somebody who is no approver name more of them and ask for a rerun"
    )


def _dead(name: str, node: NodeStatus, context: Context) -> list[str]:
    """What stands there and doesn't count: written again, the same text changes nothing."""
    keys = [vote.suffix for vote in context.votes.get(name, ()) if is_dead(node, vote)]
    if not keys:
        return []
    stands, does = ("s", "doesn't") if len(keys) == 1 else ("", "don't")
    vote = f"vote{'s'[: len(keys) != 1]} under {names(keys)}"
    told = [f"the {vote} stand{stands} there but {does} count: vote with @{node.code}"]
    if len(node.seen) >= MAX_SEEN:
        told.append("full: no further approval is taken until some of these are removed")
    return told


def _so_far(node: NodeStatus, checkpoint: Checkpoint) -> list[str]:
    if not node.votes:
        need = checkpoint.min_approvals
        return [f"{need} approvals are needed"] if need > 1 else []
    present, agreed = present_votes(node.votes), max(map(len, agreeing(node.votes)))
    told = [f"{agreed} of {checkpoint.min_approvals} approvals ({_who(present)})"]
    if differ := differences(node.votes):
        told.append(f"they differ in {names(differ)} and must agree")
    if len(present) >= MAX_VOTES:
        told.append(
            f"full: {MAX_VOTES} users have voted, and no other can approve; some of them vote"
            " anew, or reject it, or cancel and rerun"
        )
    return told


def moment(at: datetime) -> str:
    """A time for people that may be days away, UTC."""
    return f"{at:%a %d %b %H:%M} UTC"


def command(name: str, node: NodeStatus, checkpoint: Checkpoint, context: Context) -> str:
    """The command that approves, ready to be pasted into a shell.

    It takes a key under which nothing stands that counts or may count: nobody must overwrite
    that, whoever wrote it. What doesn't count may be overwritten by everybody, says the policy.
    """
    key = context.workflow.key
    votes = context.votes.get(name, ())
    taken = {vote.suffix for vote in votes if not is_dead(node, vote)}
    tags = (f"{name}.{number}" for number in range(1, len(taken) + 3))
    keys = [*tags] if checkpoint.min_approvals > 1 else [name, *tags]
    free = next(key for key in keys if key not in taken)
    lines = "".join(f"\\n{line}" for line in _input_lines(checkpoint))
    vote = f'"{ANNOTATION_VOTE}{free}={APPROVED}@{node.code} by {_ME}"'
    more = f"$'{lines}'" if lines else ""
    return f"kubectl annotate --overwrite -n {key.namespace} twf {key.name} {vote}{more}"


def _input_lines(checkpoint: Checkpoint) -> Iterator[str]:
    """Lines for what must be given, and for defaults that are short and need no quoting.

    The others needn't stand there: they hold without a line.
    """
    for asked in checkpoint.inputs:
        if asked.default is None:
            yield f"{asked.name}: {PLACEHOLDER}"
        elif len(asked.default) <= _MAX_DEFAULT and not set(asked.default) & set("'\\"):
            yield f"{asked.name}: {asked.default}"


def policy_missing(name: str, policies: PolicyFact) -> str:
    """It may only count votes that the API server has checked, and that isn't checked now."""
    what = f"{name} can't ask yet: only votes count whose writer the API server has checked, and"
    if policies.fingerprint is not None:
        return f"{what} the admission policies that do so were written a moment ago"
    return (
        f"{what} the admission policies that do so (tidegate-votes and others of the chart) are"
        " missing, altered or of another version; it asks once they are in force"
    )


def too_many_votes(name: str, key: WorkflowKey, votes: Sequence[VoteText]) -> str:
    """So many votes stand there already that they couldn't be told from new ones."""
    tails = ",".join(_tails(name, votes))
    return (
        f"{name} can't ask yet: {len(votes)} votes on it stand there already, of which at most"
        f" {MAX_STANDING} can be told from new ones; to remove them: kubectl annotate -n"
        f" {key.namespace} twf {key.name} {ANNOTATION_VOTE}{name}{{{tails}}}-"
    )


def _tails(name: str, votes: Sequence[VoteText]) -> Iterator[str]:
    """What follows the name in the keys of votes, as much as the message of an Event has room for.

    Once these are removed, the next ones are told.
    """
    left = _MAX_TAILS
    for vote in votes:
        tail = vote.suffix.removeprefix(name)
        left -= len(tail) + 1
        if left < 0:
            return
        yield tail


# --- once it is decided --------------------------------------------------------------------------


def decided(node: NodeStatus, decision: Decision, role: Role, now: datetime) -> NodeStatus:
    """The checkpoint once people have decided."""
    votes = decision.votes
    told = {
        "decision": votes[0].decision,
        "by": ", ".join(filter(None, (vote.by for vote in votes))),
        "comment": "; ".join(filter(None, (vote.comment for vote in votes))),
        **votes[0].inputs,
    }
    word = APPROVED if votes[0].decision == APPROVED else f"{APPROVED} ({votes[0].decision})"
    word = word if decision.approved else REJECTED
    comment = f": {clip(told['comment'], _MAX_COMMENT)}" if told["comment"].strip() else ""
    message = f"{word} by {_who(votes)}{comment}"
    reason = Reason.APPROVED if decision.approved else Reason.REJECTED
    return _ended(node, (reason, message), told, role, now)


def timed_out(node: NodeStatus, role: Role, at: datetime, *, approves: bool) -> NodeStatus:
    """The checkpoint once its clock has decided, at ``at``."""
    checkpoint = role.task.checkpoint
    limit = human(checkpoint.timeout) if checkpoint and checkpoint.timeout else ""
    who = "nobody decided" if not node.votes else f"only {_who(present_votes(node.votes))} approved"
    word = APPROVED if approves else REJECTED
    message = f"{word} by the clock: {who} within {limit}, until {moment(at)} (onTimeout)"
    defaults = {i.name: i.default for i in checkpoint.inputs} if checkpoint else {}
    told = {"decision": word, "by": "", "comment": ""}
    if approves:
        told |= {key: value for key, value in defaults.items() if value is not None}
    reason = Reason.APPROVED_BY_TIMEOUT if approves else Reason.REJECTED_BY_TIMEOUT
    return _ended(node, (reason, message), told, role, at)


def _ended(
    node: NodeStatus,
    why: tuple[Reason, str],
    told: Mapping[str, str],
    role: Role,
    at: datetime,
) -> NodeStatus:
    reason, message = why
    outputs = compact(told)
    if size_of(outputs) > role.room:
        outputs = compact({**told, "comment": ""})
    if size_of(outputs) > role.room:
        words = f"{message}; but its outputs would exceed {MAX_RUN_OUTPUT_BYTES // 1024} KiB a run"
        verdict = Verdict(False, Reason.OUTPUT_TOO_LARGE, words, finished_at=at)
        return failed_finally(with_failure(node, verdict, at), at)
    good = reason in (Reason.APPROVED, Reason.APPROVED_BY_TIMEOUT)
    return update(
        node,
        phase=NodePhase.SUCCEEDED if good else NodePhase.FAILED,
        reason=str(reason),
        message=clip(message),
        outputs=outputs,
        finished_at=at,
    )


def _who(votes: Sequence[Vote]) -> str:
    people = [clip(vote.by, _MAX_NAME) if vote.by else "somebody unnamed" for vote in votes]
    unverified = "" if all(vote.verified for vote in votes) else " (not verified)"
    return f"{names(people)}{unverified}"
