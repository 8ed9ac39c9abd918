"""What stands at the top: which run, how it ended, from when to when, and what it was given."""

import re
from typing import Final

from tidegate.api.status import WorkflowStatus
from tidegate.engine.reasons import RunReason
from tidegate.report.detail import Detail
from tidegate.report.model import Report
from tidegate.report.text import code, name, opening, sentence, words
from tidegate.report.times import between, clock, day, moment

_FAULT: Final = re.compile(r"; (?=(?:spec|metadata)[.:\[]|nodes [^ ]+ → |and [0-9]+ more faults)")
_EXPECTED: Final = (RunReason.NODES_RUN, RunReason.NODES_SUCCEEDED)
"""Reasons that say nothing besides the phase."""
_PARAM: Final = 80
"""Characters of a parameter's value."""


def header(report: Report, detail: Detail) -> list[str]:
    """The title and the lines below it."""
    status = report.status
    phase = str(status.phase or "Pending")
    run = f" · run {status.run}" if status.run > 0 else ""
    facts = [_times(status), f"namespace {name(report.key.namespace)}", *_facts(status)]
    lines = [f"# {name(report.key.name)}{run} · {phase}", "", " · ".join(filter(None, facts))]
    if told := _told(report, detail):
        lines += ["", *told]
    if report.params:
        lines += ["", _params(report, detail)]
    return lines


def _times(status: WorkflowStatus) -> str:
    start, end = status.started_at, status.finished_at
    if start is None:
        return f"{day(end)} {clock(end)} UTC" if end is not None else "no run has begun"
    begun = f"{day(start)} {clock(start)}"
    if end is None:
        return f"since {begun} UTC"
    return f"{begun} → {moment(end, start)} UTC ({between(start, end)})"


def _facts(status: WorkflowStatus) -> list[str]:
    found = []
    if status.reason and status.reason not in _EXPECTED:
        found.append(words(status.reason, 64))
    if status.progress and status.run > 0:
        found.append(f"{words(status.progress.replace('/', ' of ', 1), 64)} nodes ended well")
    if status.runs:
        found.append(_former(status))
    return found


def _former(status: WorkflowStatus) -> str:
    shown = ", ".join(f"run {run.run} {run.phase}" for run in status.runs[-3:])
    return f"before: {shown}"


def _told(report: Report, detail: Detail) -> list[str]:
    """The sentence of status; not of a failure, which is told in full right after."""
    status = report.status
    if status.reason == RunReason.INVALID_SPEC:
        return _faults(status.message or "", detail)
    if status.reason == RunReason.NODE_FAILED or not status.message:
        return []
    if status.waiting_for and not status.is_over:
        return [f"**Now:** waiting for approval: {words(status.waiting_for, detail.message)}"]
    if not status.is_over:
        return [f"**Now:** {words(status.message, detail.message)}"]
    return [sentence(opening(status.message, detail.message))]


def _faults(message: str, detail: Detail) -> list[str]:
    """An invalid spec: what is wrong with it, each fault in a line."""
    faults = _FAULT.split(message.removeprefix("invalid spec: "))
    shown = [f"- {opening(fault, detail.message)}" for fault in faults[: detail.rows]]
    if len(faults) > len(shown):
        shown.append(f"- and {len(faults) - len(shown)} more: `status.message` has them all")
    return ["## What is wrong with the spec", "", "No Job was created.", "", *shown]


def _params(report: Report, detail: Detail) -> str:
    given = list(report.params.items())
    shown = [code(f"{key}={value}", _PARAM) for key, value in given[: detail.params]]
    if len(given) > len(shown):
        shown.append(f"and {len(given) - len(shown)} more")
    return f"Parameters: {' · '.join(shown)}"
