"""Votes that nothing asks for: too early, too late, on tasks, on nodes that don't exist.

Each text is told once. Their digests are kept in one list of the Workflow, out of which go first
those that no longer stand; once it is full of standing ones, further texts are ignored silently.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.engine.approval import TOO_EARLY
from tidegate.engine.checkpoint import is_open
from tidegate.engine.context import Context
from tidegate.engine.model import Note
from tidegate.engine.votes import MAX_SEEN, VoteText, ignored, was_looked_at


def ignore_votes(
    context: Context, status: WorkflowStatus, told: tuple[Note, ...] = ()
) -> tuple[WorkflowStatus, tuple[Note, ...]]:
    """``status`` with every vote remembered that nothing asks for, and what is told of them."""
    if not context.votes:
        return status, told
    new = [vote for vote in _strays(context, status.nodes) if vote.digest not in status.ignored]
    if not new:
        return status, told
    present = {vote.digest for votes in context.votes.values() for vote in votes}
    kept = status.ignored
    if len(kept) + len(new) > MAX_SEEN:
        kept = tuple(digest for digest in kept if digest in present)
    new = new[: MAX_SEEN - len(kept)]
    if not new:
        return status, told
    notes = tuple(ignored(vote, _why(context, status.nodes, vote)) for vote in new)
    remembered = (*kept, *(vote.digest for vote in new))
    return status.model_copy(update={"ignored": remembered}), (*told, *notes)


def _strays(context: Context, nodes: Mapping[str, NodeStatus]) -> Iterator[VoteText]:
    for name, votes in context.votes.items():
        node = nodes.get(name)
        if node is not None and is_open(node):
            continue
        for vote in votes:
            if node is None or not was_looked_at(node, vote):
                yield vote


def _why(context: Context, nodes: Mapping[str, NodeStatus], vote: VoteText) -> str:
    workflow, name = context.workflow, vote.key.node
    if vote.key.fault and name not in workflow.tasks:
        return f"has a key that can't be read: {vote.key.fault}"
    if name not in workflow.tasks:
        checkpoints = [n for n, task in workflow.tasks.items() if task.checkpoint]
        close = get_close_matches(name, checkpoints, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"is on a checkpoint that doesn't exist{hint}"
    if workflow.tasks[name].checkpoint is None:
        return f"is on {name}, which is a task; only checkpoints are voted on"
    node = nodes.get(name)
    if node is None or not node.phase.has_ended:
        return TOO_EARLY
    if node.phase in (NodePhase.SKIPPED, NodePhase.CANCELLED):
        return "came when the checkpoint was closed; nobody asks any more"
    return f"came too late: the checkpoint is decided ({node.reason})"
