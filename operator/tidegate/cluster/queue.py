"""Which Workflow is looked at next: each at most once at a time, ends and votes before all else."""

import asyncio
import heapq
import itertools
import time
from collections import deque
from datetime import datetime, timedelta

from tidegate import metrics
from tidegate.api.identity import WorkflowKey
from tidegate.cluster.ports import Clock

HOT, CALM = "hot", "calm"

_FIRST_BACKOFF = 0.1
_MOST_BACKOFF = 60.0
_STALE_TIMERS = 64
_LEAST_PAUSE = 0.5
"""Seconds that a key which failed is left alone, whatever happens; then any event wakes it."""


class Queue:
    """Keys in two lanes, with timers; also the port ``Agenda``.

    A key that is woken while it is worked on comes again afterwards.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lanes: dict[str, deque[WorkflowKey]] = {HOT: deque(), CALM: deque()}
        self.depths = dict.fromkeys(self._lanes, 0)
        """How many keys wait, by lane."""
        self._waiting: dict[WorkflowKey, tuple[str, float]] = {}
        """Keys that wait, each with its lane and since when."""
        self._working: set[WorkflowKey] = set()
        self._again: dict[WorkflowKey, bool] = {}
        """Keys that were woken while they were worked on, and whether that was urgent."""
        self._failures: dict[WorkflowKey, int] = {}
        self._not_before: dict[WorkflowKey, datetime] = {}
        self._timers: list[tuple[datetime, int, WorkflowKey]] = []
        self._due: dict[WorkflowKey, datetime] = {}
        self._serial = itertools.count()
        self._changed = asyncio.Event()
        self.last_taken = time.monotonic()
        """When a key was last taken, or none waited."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: WorkflowKey, *, hot: bool = False) -> None:
        """Look at ``key`` soon."""
        if key in self._working:
            self._again[key] = self._again.get(key, False) or hot
            return
        not_before = self._not_before.get(key)
        if not_before is not None and not_before > self._clock.now():
            self.wake_at(key, not_before)
            return
        lane, since = self._waiting.get(key, ("", time.monotonic()))
        if lane == HOT or (lane == CALM and not hot):
            return
        # A key that becomes urgent leaves a stale entry in the calm lane, which is skipped there.
        if lane:
            self._count(lane, -1)
        lane = HOT if hot else CALM
        self._waiting[key] = (lane, since)
        self._lanes[lane].append(key)
        self._count(lane, 1)
        self._changed.set()

    def wake_at(self, key: WorkflowKey, at: datetime) -> None:
        """Look at it again no later than ``at``."""
        due = self._due.get(key)
        if due is not None and due <= at:
            return
        self._due[key] = at
        if len(self._timers) > 2 * len(self._due) + _STALE_TIMERS:
            self._drop_stale_timers()
        heapq.heappush(self._timers, (at, next(self._serial), key))
        self._changed.set()

    async def get(self) -> WorkflowKey:
        """The next key; ``done`` must follow."""
        while True:
            self._fire_timers()
            if (key := self._next()) is not None:
                self._working.add(key)
                return key
            self.last_taken = time.monotonic()
            self._changed.clear()
            await self._wait()

    def done(self, key: WorkflowKey) -> None:
        """The work on ``key`` is over and was fine."""
        self._failures.pop(key, None)
        self._not_before.pop(key, None)
        self._release(key)

    def failed(self, key: WorkflowKey, *, fresh: bool = False) -> float:
        """The work on ``key`` failed; it comes again after the returned number of seconds.

        With ``fresh`` news that explain the failure are known by now: the first retry is at once.
        """
        count = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(_MOST_BACKOFF, _FIRST_BACKOFF * 2.0 ** (min(count, 20) - 1))
        if fresh and count == 1:
            seconds = 0.0
        now = self._clock.now()
        self._not_before[key] = now + timedelta(seconds=min(seconds, _LEAST_PAUSE))
        self.wake_at(key, now + timedelta(seconds=seconds))
        self._release(key)
        return seconds

    def begin(self) -> None:
        """Somebody takes keys from now on: how long they waited before was nobody's fault."""
        self.last_taken = time.monotonic()
        self._waiting = {key: (lane, self.last_taken) for key, (lane, _) in self._waiting.items()}

    def silent_for(self) -> float:
        """For how many seconds nobody took a key although some waited."""
        return time.monotonic() - self.last_taken if self._waiting else 0.0

    def _release(self, key: WorkflowKey) -> None:
        self._working.discard(key)
        hot = self._again.pop(key, None)
        if hot is not None:
            self.add(key, hot=hot)

    def _next(self) -> WorkflowKey | None:
        for lane, keys in self._lanes.items():
            while keys:
                key = keys.popleft()
                waits_in, since = self._waiting.get(key, ("", 0.0))
                if waits_in != lane:
                    continue
                del self._waiting[key]
                self.last_taken = time.monotonic()
                metrics.record_queue_wait(lane, self.last_taken - since)
                self._count(lane, -1)
                return key
        return None

    def _fire_timers(self) -> None:
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            at, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == at:
                del self._due[key]
                self.add(key)

    def _drop_stale_timers(self) -> None:
        """Each time that was brought forward, or put off again, has left an entry behind."""
        self._timers = [(at, next(self._serial), key) for key, at in self._due.items()]
        heapq.heapify(self._timers)

    async def _wait(self) -> None:
        timeout = None
        if self._timers:
            timeout = max(0.0, (self._timers[0][0] - self._clock.now()).total_seconds()) + 0.001
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return

    def _count(self, lane: str, change: int) -> None:
        self.depths[lane] += change
