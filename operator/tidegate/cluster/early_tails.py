"""Tails of attempts whose pods are about to go: read while they can be, kept until they are due."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Final

from tidegate.api.identity import WorkflowKey
from tidegate.cluster import tails
from tidegate.cluster.log_store import LogStore
from tidegate.errors import ApiError
from tidegate.facts.model import EMPTY, PodFact
from tidegate.report.model import Tail

log = logging.getLogger(__name__)

_AT_ONCE: Final = 8
"""Requests that are under way at the same time: hundreds of attempts may be stopped at once."""
_BYTES: Final = 16 * 1024 * 1024
"""Bytes that are kept; beyond them only what is there later is read."""


class EarlyTails:
    """By Workflow and attempt; what is read is kept until it is forgotten."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._kept: dict[str, dict[str, Tail | None]] = {}
        self._bytes = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.tasks: set[asyncio.Task[None]] = set()
        """The requests that are under way."""

    def of(self, uid: str) -> Mapping[str, Tail]:
        """What was read of a Workflow's attempts."""
        kept = self._kept.get(uid, EMPTY)
        return {key: tail for key, tail in kept.items() if tail is not None}

    def ask(self, key: WorkflowKey, uid: str, attempt: str, pod: PodFact, lines: int) -> None:
        """Read the tail of an attempt now, once."""
        mine = self._kept.setdefault(uid, {})
        if not lines or attempt in mine or self._bytes > _BYTES:
            return
        mine[attempt] = None
        task = asyncio.create_task(self._read(key.namespace, uid, attempt, pod, lines))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def forget(self, uid: str, attempts: Collection[str] | None = None) -> None:
        """What is written, or the whole Workflow."""
        mine = self._kept.get(uid, {})
        for attempt in tuple(mine) if attempts is None else mine.keys() & attempts:
            self._bytes -= _size(mine.pop(attempt))
        if not mine:
            self._kept.pop(uid, None)

    async def _read(self, namespace: str, uid: str, attempt: str, pod: PodFact, lines: int) -> None:
        try:
            async with self._slots:
                if self._bytes > _BYTES:
                    return
                tail = await tails.read(self._store, namespace, pod, lines)
        except ApiError as error:
            log.debug("the end of the log of pod %s/%s can't be read: %s", namespace, pod, error)
            return
        mine = self._kept.get(uid, {})
        if attempt in mine and not tail.lost:
            mine[attempt] = tail
            self._bytes += _size(tail)


def _size(tail: Tail | None) -> int:
    return len(tail.text) if tail is not None else 0
