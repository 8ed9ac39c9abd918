"""What the log of a run is made from: everything that is to be told, read beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.api.identity import WorkflowKey
from tidegate.api.status import NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines that an attempt's container main wrote."""

    text: str
    """As they were written, whatever stands in them."""
    cut: bool = False
    """Whether there was more before them."""
    lost: str = ""
    """Why there is no text: ``its pod was gone before its log was read``."""


@dataclass(frozen=True, slots=True)
class Report:
    """A Workflow in its present run."""

    key: WorkflowKey
    workflow: ValidatedWorkflow | None
    """None where the spec is invalid; ``status.message`` then tells the faults."""
    status: WorkflowStatus
    params: Mapping[str, str] = field(default_factory=dict)
    """As the present run has them."""
    tails: Mapping[str, Tail] = field(default_factory=dict)
    """By attempt, as ``attempt_key`` names it, of the nodes that the run ``tells_of``."""
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By the id of an image: the nodes whose container main ran it, as ``node_key`` names them."""


def node_key(run: int, node: str) -> str:
    """What a node's images are kept under: ``<run>.<node>``."""
    return f"{run}.{node}"


def attempt_key(run: int, node: str, attempt: int) -> str:
    """What a tail is kept under: ``<run>.<node>.<attempt>``."""
    return f"{node_key(run, node)}.{attempt}"


def node_of(attempt: str) -> str:
    """The key of the node whose attempt has this key."""
    return attempt.rpartition(".")[0]


def run_of(node: NodeStatus, status: WorkflowStatus) -> int:
    """The run that the node's attempts belong to: a former one if the node was kept."""
    return node.job.run if node.job is not None else status.run


def tells_of(status: WorkflowStatus) -> frozenset[str]:
    """The keys of the present run's nodes, with the runs that kept ones are of."""
    return frozenset(node_key(run_of(node, status), name) for name, node in status.nodes.items())
