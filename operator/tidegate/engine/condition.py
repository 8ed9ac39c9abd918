"""Whether a node runs at all: its ``when``, asked once a run, when its turn comes.

A condition that has no answer (a division by zero, an output that isn't there) fails the node,
without retry and without fallback: nobody knows whether it was to run.
"""

from tidegate.api.status import NodePhase, NodeStatus
from tidegate.engine.context import Context
from tidegate.engine.judge import Verdict
from tidegate.engine.messages import clip
from tidegate.engine.node import failed_finally, skipped, update, with_failure
from tidegate.engine.reasons import Reason
from tidegate.engine.sources import EvaluationError, Nodes, condition_holds

_SHOWN = 200


def is_asked(name: str, node: NodeStatus, context: Context) -> bool:
    """Whether the node's condition is still to be asked."""
    is_new = node.phase is NodePhase.PENDING and node.when is None
    return is_new and name in context.workflow.conditions


def asked(name: str, node: NodeStatus, nodes: Nodes, context: Context) -> NodeStatus:
    """The node once its condition was asked: free to start, skipped, or failed."""
    condition = context.workflow.conditions[name]
    shown = clip(condition.text, _SHOWN)
    try:
        holds = condition_holds(context.workflow, condition, nodes, context.recorded.run)
    except EvaluationError as error:
        words = clip(f"when: {shown}: {error}")
        verdict = Verdict(False, Reason.CONDITION_ERROR, words, finished_at=context.now)
        return failed_finally(with_failure(node, verdict, context.now), context.now)
    node = update(node, when=holds)
    if holds:
        return node
    return skipped(node, Reason.CONDITION_FALSE, clip(f"when is false: {shown}"), context.now)
