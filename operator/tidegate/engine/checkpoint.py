"""The next step of a checkpoint: it opens, asks, counts votes, and is decided by them or the clock.

Opening and decision are decisions: they stand in recorded status before anything acts on them. As
the opening is written under the version that the votes were read in, no vote can come in between
that is neither remembered as standing nor new.
"""

import base64
from datetime import datetime

from tidegate.api.checkpoint_spec import Checkpoint, OnTimeout
from tidegate.api.identity import digest
from tidegate.api.model import format_time
from tidegate.api.status import NodePhase, NodeStatus, Vote
from tidegate.api.vote import parse_vote
from tidegate.engine import approval
from tidegate.engine.authors import all_authors
from tidegate.engine.ballots import Poll, decide, decision_of, fault_of, inputs_of
from tidegate.engine.condition import asked, is_asked
from tidegate.engine.context import Context
from tidegate.engine.judge import Verdict
from tidegate.engine.model import Note
from tidegate.engine.node import failed_finally, update, with_failure
from tidegate.engine.reasons import Reason
from tidegate.engine.sources import MissingValueError, has_all_sources
from tidegate.engine.step import NodeStep, Role
from tidegate.engine.votes import (
    MAX_SEEN,
    MAX_STANDING,
    VoteText,
    ignored,
    ignored_words,
    stood_there,
    was_looked_at,
    with_ignored,
    with_vote,
    without_gone,
)

_CODE_BYTES = 4
_CODE = 5


def step_checkpoint(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    """The next step of the checkpoint ``name``, whose status is ``node``."""
    checkpoint = role.task.checkpoint
    if node.phase.has_ended or checkpoint is None:
        return NodeStep(node)
    if is_open(node) and not _is_outdated(node, checkpoint, context):
        return _step_open(name, node, role, context)
    return _step_closed(name, node, role, context)


def is_open(node: NodeStatus) -> bool:
    """Whether the checkpoint asks: votes on it count."""
    return node.phase is NodePhase.WAITING and node.opened_at is not None


def needs_policy(checkpoint: Checkpoint, context: Context) -> bool:
    """Whether only votes count that the API server has checked."""
    asks = checkpoint.approvers is not None or checkpoint.forbid_authors
    return asks or context.facts.policies.required


def _is_outdated(node: NodeStatus, checkpoint: Checkpoint, context: Context) -> bool:
    """Whether it opened under policies that are no longer those in force."""
    if not needs_policy(checkpoint, context):
        return False
    return node.policy is None or node.policy != context.facts.policies.fingerprint


# --- opening -------------------------------------------------------------------------------------


def _step_closed(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    """Opens it, or says why it can't be opened yet."""
    checkpoint = role.task.checkpoint
    if checkpoint is None or not has_all_sources(context.workflow, role.task, role.nodes):
        return NodeStep(node)
    if is_asked(name, node, context):
        return NodeStep(asked(name, node, role.nodes, context))
    if context.workflow.spec.suspend and node.started_at is None:
        return NodeStep(node)
    try:
        question = approval.question(name, role, context)
    except MissingValueError as error:
        verdict = Verdict(False, Reason.MISSING_OUTPUT, str(error), finished_at=context.now)
        return NodeStep(failed_finally(with_failure(node, verdict, context.now), context.now))
    policies, votes = context.facts.policies, context.votes.get(name, ())
    if needs_policy(checkpoint, context) and policies.in_force is None:
        words = approval.policy_missing(name, policies)
        return NodeStep(_held(node, Reason.POLICY_MISSING, words), wake_at=policies.wake_at)
    if len(votes) > MAX_STANDING:
        # What was looked at may be removed by anybody, says the admission policy.
        words = approval.too_many_votes(name, context.workflow.key, votes)
        looked_at = tuple(vote.entry for vote in votes[:MAX_SEEN])
        node = node if node.seen == looked_at else update(node, seen=looked_at)
        return NodeStep(_held(node, Reason.TOO_MANY_VOTES, words))
    return _opened(name, node, role, context, question)


def _held(node: NodeStatus, reason: Reason, message: str) -> NodeStatus:
    """The checkpoint while something keeps it from asking; what was asked before is void."""
    if (node.phase, node.reason, node.message) == (NodePhase.WAITING, reason, message):
        return node
    return update(
        node,
        phase=NodePhase.WAITING,
        reason=str(reason),
        message=message,
        opened_at=None,
        code=None,
        policy=None,
        votes=(),
    )


def _opened(name: str, node: NodeStatus, role: Role, context: Context, question: str) -> NodeStep:
    votes = context.votes.get(name, ())
    covers = context.workflow.covered_by(name)
    opened_at = context.now
    run = context.recorded.run
    what = (context.workflow.uid, run, name, format_time(opened_at), covers, question)
    opened = update(
        node,
        phase=NodePhase.WAITING,
        reason=str(Reason.WAITING_FOR_APPROVAL),
        started_at=node.started_at or opened_at,
        opened_at=opened_at,
        code=_code(*what),
        policy=context.facts.policies.in_force,
        covers=covers,
        seen=tuple(vote.entry for vote in votes),
        votes=(),
    )
    opened = update(opened, message=approval.waiting(name, opened, role, context, question))
    notes = (stood_there(name, opened.code, votes),) if votes else ()
    return NodeStep(opened, wake_at=_end(opened, role), notes=notes)


def _code(*what: object) -> str:
    """Five characters, lower case letters and digits, that tell openings apart."""
    return base64.b32encode(digest(*what)[:_CODE_BYTES]).decode().lower()[:_CODE]


def _end(node: NodeStatus, role: Role) -> datetime | None:
    """When the clock decides."""
    timeout = role.task.checkpoint.timeout if role.task.checkpoint else None
    return node.opened_at + timeout if timeout and node.opened_at else None


# --- counting ------------------------------------------------------------------------------------


def _step_open(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    """Counts what is new, and then looks at the clock: facts come before clocks."""
    checkpoint = role.task.checkpoint
    if checkpoint is None:
        return NodeStep(node)
    counted, notes, last = _counted(name, node, checkpoint, context)
    if decision := decide(counted.votes, checkpoint.min_approvals):
        decided = approval.decided(counted, decision, role, context.now)
        return NodeStep(decided, notes=notes)
    end = _end(counted, role)
    if end is not None and context.now >= end:
        approves = checkpoint.on_timeout is OnTimeout.APPROVE
        return NodeStep(approval.timed_out(counted, role, end, approves=approves), notes=notes)
    too_few = approval.too_few_are_left(counted, checkpoint, context)
    if counted is not node or too_few not in (counted.message or ""):
        question = approval.question_again(name, role, context)
        words = approval.waiting(name, counted, role, context, question, ignored=last)
        counted = update(counted, message=words)
    return NodeStep(counted, wake_at=end, notes=notes)


def _counted(
    name: str, node: NodeStatus, checkpoint: Checkpoint, context: Context
) -> tuple[NodeStatus, tuple[Note, ...], str]:
    """The node once every new vote was counted or ignored; and the words on the last ignored."""
    notes: list[Note] = []
    last = ""
    votes = context.votes.get(name, ())
    node = without_gone(node, votes)
    for vote in votes:
        if was_looked_at(node, vote):
            continue
        counts = _judged(vote, node, checkpoint, context)
        if isinstance(counts, Vote):
            node = with_vote(node, counts, vote) or node
        elif (remembered := with_ignored(node, vote)) is not None:
            node, last = remembered, ignored_words(vote, counts)
            notes.append(ignored(vote, counts))
    return node, tuple(notes), last


def _judged(
    vote: VoteText, node: NodeStatus, checkpoint: Checkpoint, context: Context
) -> Vote | str:
    """The vote as it counts, or why it doesn't."""
    if vote.key.fault:
        return f"has a key that can't be read: {vote.key.fault}"
    ballot = parse_vote(vote.text)
    if isinstance(ballot, str):
        return ballot
    verified = node.policy is not None and node.policy == context.facts.policies.fingerprint
    authors = all_authors(context.recorded, context.fact)
    poll = Poll(checkpoint, node, authors, verified, needs_policy(checkpoint, context))
    if fault := fault_of(ballot, poll):
        return fault
    return Vote(
        key=vote.suffix,
        decision=decision_of(ballot),
        by=ballot.by,
        verified=verified,
        at=context.now,
        comment=ballot.comment,
        inputs=inputs_of(ballot, checkpoint),
        text=vote.text,
    )
