"""The table of the nodes, and of the handlers below them."""

from typing import Final

from tidegate.api.plain import clip
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.report.detail import Detail
from tidegate.report.model import Report, run_of
from tidegate.report.question import outputs_of, shown
from tidegate.report.states import is_kept, is_tolerated, ordered, state
from tidegate.report.text import cell, code, name, words
from tidegate.report.times import between, moment

_HEAD: Final = ("Node", "Wave", "Status", "Attempts", "Duration", "Output")
_WIDEST: Final = 56
"""A column isn't made wider than this for the sake of a straight line."""

Row = tuple[str, ...]


def nodes(report: Report, detail: Detail) -> list[str]:
    """The section, or nothing before the first run."""
    names = ordered(report.status, report.workflow)
    if not names:
        return []
    shown = _chosen(report, names, detail.rows)
    rows = [_row(report, each, report.status.nodes[each], detail) for each in shown]
    found = ["## Nodes", "", *table((_HEAD, *rows))]
    if len(shown) < len(names):
        found += ["", f"{len(shown)} of {len(names)} nodes, those in trouble first of all."]
    return found


def table(rows: tuple[Row, ...]) -> list[str]:
    """Rows as a table whose columns are straight in a terminal, too; the first is the head."""
    rows = tuple(tuple(map(cell, row)) for row in rows)
    columns = list(zip(*rows, strict=True))
    widths = [min(max(map(len, column)), _WIDEST) for column in columns[:-1]]
    line = [f"|{'|'.join('-' * (width + 2) for width in (*widths, len(rows[0][-1])))}|"]
    drawn = [_line(row, widths) for row in rows]
    return [drawn[0], *line, *drawn[1:]]


def _line(row: Row, widths: list[int]) -> str:
    padded = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
    return f"| {' | '.join((*padded, row[-1]))} |"


def _chosen(report: Report, names: list[str], most: int) -> list[str]:
    """At most so many of the nodes, in their order; those that ended well give way first."""
    if len(names) <= most:
        return names
    found = report.status.nodes
    well = (NodePhase.SUCCEEDED, NodePhase.SKIPPED)
    urgent = sorted(names, key=lambda each: found[each].phase in well)[:most]
    chosen = set(urgent)
    return [each for each in names if each in chosen]


def _row(report: Report, node_name: str, node: NodeStatus, detail: Detail) -> Row:
    wave = str(node.wave) if node.wave is not None else ""
    return (
        name(node_name) + _role(report, node_name, node),
        wave,
        _status(report, node_name, node),
        _attempts(node),
        _duration(report, node),
        _output(node, detail.output),
    )


def _role(report: Report, node_name: str, node: NodeStatus) -> str:
    if node.wave is not None:
        return ""
    spec = report.workflow.spec if report.workflow is not None else None
    if spec is not None and node_name in spec.on_error:
        return " (onError)"
    return " (onExit)" if spec is not None and node_name in spec.on_exit else ""


def _status(report: Report, node_name: str, node: NodeStatus) -> str:
    told = []
    if node.reason not in (None, node.phase) and node.phase is not NodePhase.SUCCEEDED:
        told.append(words(node.reason or "", 64))
    if node.served_by:
        told.append(f"by {name(node.served_by)}")
    elif node.standby and not node.phase.has_ended:
        told.append(f"by {name(node.standby)}")
    if is_kept(node, report.status):
        told.append(f"kept from run {run_of(node, report.status)}")
    if is_tolerated(node_name, node, report.workflow):
        told.append("tolerated")
    return state(node) + (f" ({', '.join(told)})" if told else "")


def _attempts(node: NodeStatus) -> str:
    if not node.attempt:
        return ""
    lost = f" ({node.disruptions} disrupted)" if node.disruptions else ""
    return f"{node.attempt}{lost}"


def _duration(report: Report, node: NodeStatus) -> str:
    began = node.started_at
    if began is None or node.finished_at is not None:
        return between(began, node.finished_at)
    return f"since {moment(began, report.status.started_at)}"


def _output(node: NodeStatus, limit: int) -> str:
    if not node.outputs or not limit:
        return ""
    pairs = _pairs(node.outputs)
    return code(pairs, limit) if pairs else ""


def _pairs(outputs: str) -> str:
    """``rows=1200, table=orders``; what is empty isn't told."""
    found = {key: shown(value) for key, value in outputs_of(outputs).items()}
    return ", ".join(f"{key}={clip(value, 256)}" for key, value in found.items() if value)
