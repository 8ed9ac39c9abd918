"""A run as lines for people, from the status of its Workflow; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

NAME_WIDTH = 14
MINUTE = 60
TENTHS_BELOW = 10
ENDED = ("Succeeded", "Failed", "Skipped", "Cancelled")
QUESTION = re.compile(r'"(.*)"', re.DOTALL)

Status = Mapping[str, Any]


def lines(status: Status) -> dict[str, str]:
    """Return a line for each node that has something to tell, by name, in order of waves."""
    nodes: Mapping[str, Status] = status.get("nodes") or {}
    by_wave = sorted(nodes.items(), key=lambda item: item[1].get("wave") or len(nodes) + 1)
    return {name: line(name, node) for name, node in by_wave if parts(node)}


def settled(status: Status) -> dict[str, str]:
    """Return the lines that won't change any more."""
    nodes: Mapping[str, Status] = status.get("nodes") or {}
    return {name: text for name, text in lines(status).items() if nodes[name]["phase"] in ENDED}


def line(name: str, node: Status) -> str:
    """Return all that a node has to tell as one line."""
    place = f"wave {node['wave']}" if node.get("wave") else "at the end"
    return f"      {place:<11}{name:<{NAME_WIDTH}} {'   '.join(parts(node))}"


def parts(node: Status) -> list[str]:
    """Return what happened to a node, attempt by attempt, and how it stands."""
    phase = node.get("phase", "Pending")
    told = [_failure(failure) for failure in node.get("failures") or []]
    now = _now(phase, node)
    return [*told, now] if now else told


def _now(phase: str, node: Status) -> str:
    match phase:
        case "Running":
            return _running(node)
        case "Waiting":
            return f"⏸ waiting: {question(node)}"
        case "Retrying":
            return _retrying(node)
        case "Succeeded":
            return _succeeded(node)
        case "Failed" if not node.get("failures"):
            return f"✗ {node.get('message') or node.get('reason', '')}"
        case "Skipped" | "Cancelled":
            return f"- {phase.lower()}: {node.get('reason', '')}"
        case _:
            return ""


def questions(status: Status) -> dict[str, str]:
    """Return the code of each question that people are asked, by node."""
    nodes: Mapping[str, Status] = status.get("nodes") or {}
    asked = {name: node for name, node in nodes.items() if node.get("phase") == "Waiting"}
    return {name: str(node["code"]) for name, node in asked.items() if node.get("code")}


def question(node: Status) -> str:
    """Return what a waiting node asks, from the quotes in its message."""
    message = str(node.get("message") or "")
    found = QUESTION.search(message.partition("kubectl ")[0])
    return found[1] if found else message


def _failure(failure: Status) -> str:
    who = failure.get("standby") or f"attempt {failure['attempt']}"
    code = failure.get("exitCode")
    why = f"exit code {code}" if failure["reason"] == "ExitCode" else failure["reason"]
    return f"✗ {who}: {why}"


def _running(node: Status) -> str:
    standby = node.get("standby")
    return f"… {standby} runs in its place" if standby else f"… attempt {node.get('attempt', 1)}"


def _retrying(node: Status) -> str:
    failures, retry_at = node.get("failures") or [], node.get("retryAt")
    ended = failures[-1].get("finishedAt") if failures else None
    return f"↻ retry in {_between(ended, retry_at)}" if ended and retry_at else "↻ retry"


def _succeeded(node: Status) -> str:
    if node.get("votes"):
        return f"✓ {', '.join(map(_vote, node['votes']))}"
    took = _between(node.get("startedAt"), node.get("finishedAt"))
    who = node.get("servedBy")
    how = f" {who}, in its place" if who else ""
    how = how or (f" attempt {node['attempt']}" if node.get("failures") else "")
    return f"✓{how}" + (f" ({took})" if took else "")


def _vote(vote: Status) -> str:
    comment = f": {vote['comment']}" if vote.get("comment") else ""
    return f"{vote['decision']} by {vote.get('by') or 'somebody'}{comment}"


def closing(status: Status) -> str:
    """Return how the run ended, and how long it took."""
    phase = status.get("phase", "Pending")
    took = _between(status.get("startedAt"), status.get("finishedAt"))
    mark = "✓" if phase == "Succeeded" else "✗"
    text = f"  {mark} {phase}" + (f" in {took}" if took else "")
    return f"{text}: {status['message']}" if status.get("message") else text


def indented(text: str) -> str:
    """Return a text of several lines as the demo shows it."""
    shown = (f"    {line}".rstrip() for line in text.rstrip().splitlines())
    return "\n".join(shown) or "    (not written yet)"


def _between(start: str | None, end: str | None) -> str:
    if not (start and end):
        return ""
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    if seconds <= 0:
        return ""
    if seconds < TENTHS_BELOW:
        return f"{round(seconds, 1):g} s"
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // MINUTE} min {int(seconds) % MINUTE:02d} s"
