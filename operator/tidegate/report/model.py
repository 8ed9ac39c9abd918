"""What the log of a run is made from: everything that is to be told, read beforehand."""

from collections.abc import Mapping
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
    """By attempt, as ``attempt_key`` names it."""
    images: Mapping[str, str] = field(default_factory=dict)
    """By attempt, likewise: the id of the image that its container main ran."""


def attempt_key(run: int, node: str, attempt: int) -> str:
    """What tails and images are kept under: ``<run>.<node>.<attempt>``."""
    return f"{run}.{node}.{attempt}"


def run_of(node: NodeStatus, status: WorkflowStatus) -> int:
    """The run that the node's attempts belong to: a former one if the node was kept."""
    return node.job.run if node.job is not None else status.run
