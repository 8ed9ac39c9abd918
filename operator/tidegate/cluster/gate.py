"""The pace at which Jobs are created: fair, bursty, and no faster than the cluster starts pods.

kube-controller-manager starts about 3 Jobs a second at its defaults, so what is created much faster
only waits inside it, in an order that nobody chose.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.api.identity import WorkflowKey
from tidegate.cluster.ports import Clock
from tidegate.cluster.view import View

_STALE_JOB = timedelta(seconds=30)
"""A Job without a pod for longer has a trouble of its own and holds nobody else up."""
_GRANT_HOLDS = timedelta(seconds=5)
"""How long room is kept for a key that was woken for it."""
_FLIGHT_LASTS = timedelta(seconds=60)
"""How long a creation that was let through is waited for; longer than any request lasts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of the gate."""

    burst: int = 50
    """Creations that may leave at once after a pause."""
    rate: float = 20.0
    """Creations a second that are allowed in the long run."""
    unstarted: int = 20
    """Jobs that may wait for their pod at the same time."""


class _Bucket:
    """A token bucket; full at first."""

    def __init__(self, pace: Pace, now: datetime) -> None:
        self._pace = pace
        self._tokens = float(pace.burst)
        self._filled_at = now

    def level(self, now: datetime) -> int:
        passed = max(0.0, (now - self._filled_at).total_seconds())
        self._tokens = min(float(self._pace.burst), self._tokens + passed * self._pace.rate)
        self._filled_at = now
        return int(self._tokens)

    def take(self, count: int) -> None:
        self._tokens = min(float(self._pace.burst), self._tokens - count)


class _Turns:
    """Who waits, in fair turns: over namespaces first, over Workflows inside a namespace."""

    def __init__(self) -> None:
        self._wanted: OrderedDict[str, OrderedDict[WorkflowKey, int]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._wanted.values()))

    def __iter__(self) -> Iterator[WorkflowKey]:
        return (key for keys in self._wanted.values() for key in keys)

    def put(self, key: WorkflowKey, wanted: int) -> None:
        """``key`` waits for ``wanted`` creations; a place that it has is kept."""
        self._wanted.setdefault(key.namespace, OrderedDict())[key] = wanted

    def drop(self, key: WorkflowKey) -> None:
        """``key`` waits no longer."""
        keys = self._wanted.get(key.namespace, OrderedDict())
        keys.pop(key, None)
        if not keys:
            self._wanted.pop(key.namespace, None)

    def next(self) -> WorkflowKey:
        """Give one creation to the key whose turn it is; it and its namespace go to the end."""
        namespace, keys = next(iter(self._wanted.items()))
        key, wanted = next(iter(keys.items()))
        self._wanted.move_to_end(namespace)
        keys.move_to_end(key)
        keys[key] = wanted - 1
        if wanted == 1:
            self.drop(key)
        return key


class Gate:
    """The port ``Gate``.

    Room that becomes free is granted to the keys that wait (``turns``), which then ask again; a key
    that nobody waits before is admitted at once.
    """

    def __init__(self, view: View, clock: Clock, pace: Pace | None = None) -> None:
        self._view = view
        self._clock = clock
        self._pace = pace or Pace()
        self._bucket = _Bucket(self._pace, clock.now())
        self._waiting = _Turns()
        self._grants: dict[WorkflowKey, tuple[int, datetime]] = {}
        self._flying: deque[datetime] = deque()

    def admit(self, key: WorkflowKey, wanted: int) -> int:
        """How many of ``wanted`` creations may leave now; with 0 the key gives its place up."""
        now = self._clock.now()
        granted, _ = self._grants.pop(key, (0, now))
        self._bucket.take(-granted)
        self._expire_grants(now)
        admitted = min(granted, wanted)
        if all(other == key for other in self._waiting):
            admitted = max(admitted, min(wanted, self._room(now)))
        self._bucket.take(admitted)
        self._flying.extend([now] * admitted)
        if admitted < wanted:
            self._waiting.put(key, wanted - admitted)
        else:
            self._waiting.drop(key)
        return admitted

    def forget(self, key: WorkflowKey) -> None:
        """The Workflow is gone, or will create nothing more: its place and its room are free."""
        self.admit(key, 0)

    def answered(self) -> None:
        """A creation that was admitted got its answer, which is in the view."""
        if self._flying:
            self._flying.popleft()

    @property
    def is_awaited(self) -> bool:
        """Whether any key waits for room."""
        return len(self._waiting) > 0

    def turns(self) -> tuple[WorkflowKey, ...]:
        """The keys to wake, for which room is now kept."""
        now = self._clock.now()
        self._expire_grants(now)
        woken: dict[WorkflowKey, int] = {}
        for _ in range(self._room(now)):
            if not len(self._waiting):
                break
            key = self._waiting.next()
            woken[key] = woken.get(key, 0) + 1
        for key, count in woken.items():
            earlier, _ = self._grants.get(key, (0, now))
            self._grants[key] = (earlier + count, now)
            self._bucket.take(count)
        return tuple(woken)

    def _room(self, now: datetime) -> int:
        while self._flying and now - self._flying[0] > _FLIGHT_LASTS:
            self._flying.popleft()
        kept = sum(count for count, _ in self._grants.values())
        waiting = sum(
            not job.refused and now - job.created_at < _STALE_JOB for job in self._view.podless()
        )
        free = self._pace.unstarted - waiting - len(self._flying) - kept
        return max(0, min(self._bucket.level(now), free))

    def _expire_grants(self, now: datetime) -> None:
        """Who was woken for room and didn't come has no use for more; it may ask again."""
        for key, (count, at) in tuple(self._grants.items()):
            if now - at > _GRANT_HOLDS:
                del self._grants[key]
                self._bucket.take(-count)
                self._waiting.drop(key)
