"""Virtual time: an asyncio loop that jumps to its next timer instead of waiting for it.

The loop stops by itself when nothing is left to do: that is what quiescence means here.
"""

import asyncio
import asyncio.base_events
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class _NoFiles:
    """A selector without files: waiting moves the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            self._loop.idle = True
            self._loop.stop()
        elif timeout > 0:
            self._loop.pass_time(timeout)
        return []

    def close(self) -> None:
        """Nothing is open."""


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """Runs until nothing is scheduled any more, or until ``limit`` seconds have passed."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.idle = False
        self.faults: list[BaseException] = []
        self._limit = limit
        self._selector = _NoFiles(self)
        self._clock_resolution = 1e-6
        self.set_exception_handler(self._keep)

    def __del__(self) -> None:
        self.close()

    def time(self) -> float:
        return self.elapsed

    def pass_time(self, seconds: float) -> None:
        self.elapsed += seconds
        if self.elapsed > self._limit:
            self.stop()

    def _keep(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.faults.append(error)
        self.stop()

    def _process_events(self, event_list: list[Any]) -> None:
        """No files, no events."""

    def _write_to_self(self) -> None:
        """No other thread ever wakes this loop."""


class Time:
    """The clock of a world, and chance by name, all from one seed."""

    def __init__(self, seed: int, limit: float) -> None:
        self.seed = seed
        self.loop = VirtualLoop(limit)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.elapsed)

    def text(self) -> str:
        """Now as metav1.Time: whole seconds, cut off."""
        return stamp(self.now())

    def after(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        self.loop.call_at(self.loop.elapsed + max(seconds, 0.0), call, *args)

    def chance(self, name: object) -> random.Random:
        """A source of chance that doesn't depend on what others drew."""
        return random.Random(f"{self.seed}/{name}")


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
