"""Waiting for something to become true, on watches; in vain it says what was seen last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from tests.kit.client import Client, Object, Query

SOON = 30.0
PAUSE = 0.2
LONG = 120.0


class WaitedError(AssertionError):
    """What was waited for did not come in time."""


def wait_for(
    client: Client,
    query: Query,
    condition: Callable[[dict[str, Object]], Any],
    what: str,
    seconds: float = SOON,
) -> dict[str, Object]:
    """Watch until ``condition`` holds for the objects that the query names, by name.

    It is asked at first and after each change; what it returns counts as in ``if``.
    """
    seen: dict[str, Object] = {}
    for seen in client.watch(query, seconds):
        if condition(seen):
            return seen
    return in_vain(what, seconds, "\n".join(map(summary, seen.values())))


def wait_for_one(
    client: Client,
    query: Query,
    condition: Callable[[Object], Any],
    what: str,
    seconds: float = SOON,
) -> Object:
    """Watch one object until ``condition`` holds for it."""
    seen = wait_for(
        client,
        query,
        lambda found: query.name in found and condition(found[query.name]),
        what,
        seconds,
    )
    return seen[query.name]


def wait_gone(client: Client, query: Query, what: str = "", seconds: float = LONG) -> None:
    """Watch until nothing is left of what the query names."""
    wait_for(client, query, lambda found: not found, what or f"no {query.resource} left", seconds)


def until(condition: Callable[[], Any], what: str, seconds: float = SOON) -> None:
    """Ask again and again, where no watch tells: of logs, and of what the server caches."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            in_vain(what, seconds, "")
        pause.wait(PAUSE)


def in_vain(what: str, seconds: float, seen: str) -> NoReturn:
    """Fail with what was waited for and what was seen instead."""
    raise WaitedError(f"waited {seconds:.0f} s for: {what}\nseen last:\n{seen or '  nothing'}")


def summary(found: Object) -> str:
    """Return an object in a line or two."""
    meta, status = found["metadata"], found.get("status") or {}
    words = [status.get(key) for key in ("phase", "reason", "message") if status.get(key)]
    if "conditions" in status and not words:
        words = [f"{c['type']}={c['status']}" for c in status["conditions"]]
    nodes = [
        f"    {name}: {node.get('phase')} {node.get('reason') or ''} {node.get('message') or ''}"
        for name, node in (status.get("nodes") or {}).items()
    ]
    head = f"  {meta['name']}: {' '.join(map(str, words)) or 'no status'}"
    return "\n".join([head, *nodes])
