"""The graph as mermaid draws it: only names of nodes and states are in it.

Git hosts draw at most 500 edges and 50,000 characters, and nobody reads that many; larger graphs
are drawn as waves.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tidegate.api.status import NodePhase, NodeStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.states import SYMBOLS
from tidegate.report.text import fenced

_MAX_EDGES: Final = 300
_MAX_BOXES: Final = 50
"""Waves, or groups of them."""
_SIDEWAYS: Final = 8
"""So many boxes in a row still fit across a page."""
_COLOURS: Final = {
    NodePhase.SUCCEEDED: "fill:#dafbe1,stroke:#1a7f37,color:#0b3d17",
    NodePhase.FAILED: "fill:#ffebe9,stroke:#cf222e,color:#6e0f16",
    NodePhase.CANCELLED: "fill:#fff1e5,stroke:#bc4c00,color:#5c2500",
    NodePhase.SKIPPED: "fill:#f6f8fa,stroke:#8c959f,color:#57606a",
    NodePhase.RUNNING: "fill:#ddf4ff,stroke:#0969da,color:#08305e",
    NodePhase.RETRYING: "fill:#ddf4ff,stroke:#bf8700,color:#08305e",
    NodePhase.WAITING: "fill:#fff8c5,stroke:#bf8700,color:#4d3800",
    NodePhase.PENDING: "fill:#ffffff,stroke:#8c959f,color:#24292f",
}
_WORST: Final = (
    NodePhase.FAILED,
    NodePhase.CANCELLED,
    NodePhase.WAITING,
    NodePhase.RETRYING,
    NodePhase.RUNNING,
    NodePhase.PENDING,
    NodePhase.SKIPPED,
    NodePhase.SUCCEEDED,
)


def graph(report: Report, detail: Detail) -> list[str]:
    """The section; nothing where no graph is known, or where the spec has another one by now."""
    workflow = report.workflow
    if workflow is None or not report.status.nodes or not _is_of_this_run(workflow, report):
        return []
    edges = sum(map(len, workflow.graph.dependencies.values()))
    if len(workflow.tasks) <= detail.boxes and edges <= _MAX_EDGES:
        drawn = list(_nodes(workflow, report))
        told: list[str] = []
    else:
        drawn = list(_waves(workflow, report))
        told = [f"{len(workflow.tasks)} nodes with {edges} dependencies, drawn as waves.", ""]
    used = {line.rpartition(":::")[2] for line in drawn if ":::" in line}
    classes = [f"  classDef {phase} {_COLOURS[phase]}" for phase in NodePhase if phase in used]
    return ["## Graph", "", *told, *fenced([*drawn, *classes], "mermaid")]


def _is_of_this_run(workflow: ValidatedWorkflow, report: Report) -> bool:
    recorded = {name: node.wave for name, node in report.status.nodes.items() if node.wave}
    return recorded == dict(workflow.graph.wave_of)


def _direction(workflow: ValidatedWorkflow) -> str:
    return "flowchart LR" if len(workflow.graph.waves) <= _SIDEWAYS else "flowchart TD"


def _nodes(workflow: ValidatedWorkflow, report: Report) -> Iterator[str]:
    yield _direction(workflow)
    nodes = report.status.nodes
    ids = {name: f"n{number}" for number, name in enumerate(workflow.tasks, 1)}
    for name, key in ids.items():
        node = nodes[name]
        yield _box(key, f"{SYMBOLS[node.phase]} {name}", node.phase)
        if standby := _standby(workflow, node):
            yield _box(f"{key}f", f"{SYMBOLS[node.phase]} {standby}", node.phase)
            yield f"  {key} -.-> {key}f"
    for name, needed in workflow.graph.dependencies.items():
        if needed:
            yield f"  {' & '.join(ids[other] for other in needed)} --> {ids[name]}"


def _standby(workflow: ValidatedWorkflow, node: NodeStatus) -> str | None:
    """The standby that ran in the node's place."""
    standby = node.served_by or node.standby
    return standby if standby in workflow.standbys else None


def _box(key: str, label: str, phase: NodePhase) -> str:
    return f'  {key}["{label}"]:::{phase}'


def _waves(workflow: ValidatedWorkflow, report: Report) -> Iterator[str]:
    """A box for each wave, or for several where there are many."""
    waves = workflow.graph.waves
    size = -(-len(waves) // _MAX_BOXES)
    starts = range(0, len(waves), size)
    yield "flowchart LR" if len(starts) <= _SIDEWAYS else "flowchart TD"
    for start in starts:
        names = [name for wave in waves[start : start + size] for name in wave]
        counts = Counter(report.status.nodes[name].phase for name in names)
        last = min(start + size, len(waves))
        which = f"wave {last}" if last == start + 1 else f"waves {start + 1} to {last}"
        told = ", ".join(f"{counts[phase]} {phase}" for phase in _WORST if counts[phase])
        worst = next(phase for phase in _WORST if counts[phase])
        yield _box(f"w{start + 1}", f"{which}: {told}", worst)
    if len(starts) > 1:
        yield f"  {' --> '.join(f'w{start + 1}' for start in starts)}"
