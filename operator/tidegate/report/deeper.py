"""Which images ran, and where to look for more."""

from collections.abc import Collection, Iterator
from typing import Final

from tidegate.api.plain import one_line
from tidegate.api.status import NodePhase, Phase
from tidegate.engine.reasons import RunReason
from tidegate.report import commands
from tidegate.report.detail import Detail
from tidegate.report.model import Report, node_of, run_of
from tidegate.report.states import ordered
from tidegate.report.text import code, fenced, names
from tidegate.report.trouble import in_trouble

_NAMES: Final = 6


def images(report: Report, detail: Detail) -> list[str]:
    """The ids of the images that ran, each with its nodes."""
    if not report.images or not detail.images:
        return []
    lines = [
        f"- {code(image, 256)}: {names([_name_in(key) for key in keys], _NAMES)}"
        for image, keys in report.images.items()
    ]
    more = len(lines) - detail.images
    rest = [f"- and {more} more"] if more > 0 else []
    return ["## Images", "", *lines[: detail.images], *rest]


def _name_in(key: str) -> str:
    """The node in ``<run>.<node>``; no name of a node has a dot."""
    return key.partition(".")[2] or key


def deeper(report: Report, _: Detail) -> list[str]:
    """The section with commands to paste."""
    return ["## Look deeper", "", *fenced(_commands(report), "sh")]


def _commands(report: Report) -> Iterator[str]:
    key, status = report.key, report.status
    is_there = status.reason != RunReason.WORKFLOW_DELETED
    if is_there:
        yield "# the Workflow with its Events"
        yield commands.describe(key)
    if status.run > 0:
        yield "# Jobs and pods of this run"
        yield commands.jobs(key, status.run)
    if node := _node_to_look_at(report):
        yield f"# all that {one_line(node)} wrote, while its pods stand"
        yield commands.logs(key, node, run_of(status.nodes[node], status))
    if report.tails and status.log is not None:
        yield "# the last lines of an attempt, also when its pod is gone"
        yield commands.tail(key, status.log.config_map, _tail_to_look_at(report.tails, node))
    if is_there:
        yield from _next(report)


def _node_to_look_at(report: Report) -> str:
    """The node that one would look at first."""
    nodes = report.status.nodes
    ran = [name for name in ordered(report.status, report.workflow) if nodes[name].attempt]
    for name, node in in_trouble(report):
        if node.attempt:
            return name
    for phase in (NodePhase.RETRYING, NodePhase.RUNNING):
        for name in ran:
            if nodes[name].phase is phase:
                return name
    return ran[-1] if ran else ""


def _tail_to_look_at(tails: Collection[str], node: str) -> str:
    """The last one of ``node``, or of whichever node has one."""

    def order(attempt: str) -> tuple[bool, int]:
        number = attempt.rpartition(".")[2]
        return _name_in(node_of(attempt)) == node, int(number) if number.isdecimal() else 0

    return max(tails, key=order)


def _next(report: Report) -> Iterator[str]:
    """What one may want to ask for."""
    status = report.status
    if status.run == 0 or status.phase is None:
        return
    if not status.phase.is_final:
        yield "# end this run"
        yield commands.cancel(report.key)
    elif status.phase is not Phase.SUCCEEDED:
        yield "# run again what did not succeed"
        yield commands.rerun(report.key, "failed")
