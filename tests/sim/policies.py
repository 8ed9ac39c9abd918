"""The admission policies of a history: whether the API server checks votes, and who knows of it.

A change takes a moment until the API server heeds it, and another until an operator hears of it.
"""

from collections.abc import Callable
from datetime import timedelta

from tests.sim.clock import EPOCH, Time
from tidegate.facts.model import PolicyFact

HEARD_AFTER = 0.3
"""Seconds until operators hear of a change."""
_HEEDED_AFTER, _FORGOTTEN_AFTER, _SETTLED_AFTER = 3.0, 1.0, 10.0
_ROUNDING = 1e-3
_LONG_AGO = -1000.0


class Policies:
    """What stands in the cluster, since when."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._changes: list[tuple[float, str | None]] = [(_LONG_AGO, None)]
        self.required = False
        self.listeners: list[Callable[[], None]] = []

    def begin(self, *, present: bool, required: bool) -> None:
        """What was there before the history."""
        self.required = required
        self._changes = [(_LONG_AGO, "f0" if present else None)]

    def install(self) -> None:
        """They are written, whether they were there or not: another fingerprint."""
        self._change(f"f{len(self._changes)}")

    def remove(self) -> None:
        self._change(None)

    def _change(self, fingerprint: str | None) -> None:
        self._changes.append((self._time.loop.elapsed, fingerprint))
        for listener in list(self.listeners):
            listener()

    @property
    def present(self) -> bool:
        return self._changes[-1][1] is not None

    def since(self) -> float:
        """When they last changed."""
        return self._changes[-1][0]

    def changed_within(self, seconds: float) -> bool:
        """Whether an operator may think otherwise than what is so."""
        return self._time.loop.elapsed - self.since() <= seconds

    def fact(self) -> PolicyFact:
        """As operators know it."""
        now = self._time.loop.elapsed
        at, fingerprint = next(x for x in reversed(self._changes) if x[0] <= now - HEARD_AFTER)
        settled = now - at >= _SETTLED_AFTER - _ROUNDING
        awaited = fingerprint is not None and not settled
        wake_at = EPOCH + timedelta(seconds=at + _SETTLED_AFTER) if awaited else None
        return PolicyFact(fingerprint, settled, wake_at, self.required)

    def in_force(self) -> bool:
        """Whether the API server heeds them."""
        now = self._time.loop.elapsed
        heeded = False
        for at, fingerprint in self._changes:
            if fingerprint is not None:
                heeded = heeded or now - at >= _HEEDED_AFTER
            elif now - at >= _FORGOTTEN_AFTER:
                heeded = False
        return heeded


__all__ = ["HEARD_AFTER", "Policies"]
