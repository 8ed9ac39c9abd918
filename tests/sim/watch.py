"""Watches: what of the cluster's news reaches an operator, when, how often, and what never does.

Within one kind news stay in order; between kinds nothing is. A broken stream loses what it held and
begins again with a list. The Workflows' stream may swallow a deletion, as kopf does; a list with a
diff finds that out minutes later.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.sim.store import WORKFLOW, Raw
from tests.sim.world import World


@dataclass(frozen=True, slots=True)
class Weather:
    """How well news travel."""

    lag: float = 0.02
    """Mean."""
    slow_kind: str = ""
    """The kind of which news take longer than of the others."""
    slow_lag: float = 0.0
    repeat: float = 0.0
    """How likely an event is to come twice."""
    swallow: float = 0.0
    """How likely the deletion of a Workflow is not told."""


class Sink(Protocol):
    """The view's entrances for one kind, and whom they wake."""

    def seen(self, raw: Raw) -> None: ...
    def gone(self, raw: Raw) -> None: ...
    def listed(self, token: int, items: Sequence[Raw]) -> None: ...
    def token(self) -> int: ...


class Process(Protocol):
    """Who watches."""

    name: str
    dead: bool

    def frozen_until(self) -> float:
        """When the process runs again; what has passed if it runs."""


class Stream:
    """One operator's list and watch of one kind."""

    def __init__(
        self, world: World, kind: str, sink: Sink, process: Process, weather: Weather
    ) -> None:
        self._world = world
        self._kind = kind
        self._sink = sink
        self._process = process
        self._weather = weather
        self._chance = world.time.chance(f"{process.name}/{kind}")
        self._era = 0
        self._open = False
        self._last = 0.0
        self._held: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.synced = False
        world.store.listeners.append(self._on_event)

    def close(self) -> None:
        self._era += 1
        self._held.clear()
        self._open = False
        self._world.store.listeners.remove(self._on_event)

    def relist(self, outage: float = 0.0) -> None:
        """The stream breaks; after ``outage`` comes a list, and the watch goes on from it."""
        self._era += 1
        self._held.clear()
        self._open = False
        self._world.time.after(outage, self._ask, self._era)

    def _ask(self, era: int) -> None:
        if era != self._era or self._process.dead:
            return
        thaw = self._process.frozen_until()
        if thaw > self._world.now():
            self._world.time.loop.call_at(thaw, self._ask, era)
            return
        token = self._sink.token()
        self._world.time.after(self._lag(), self._snapshot, era, token)

    def _snapshot(self, era: int, token: int) -> None:
        if era != self._era or self._process.dead:
            return
        self._open = True
        items = list(self._world.store.all(self._kind))
        self._send(self._lag(), self._listed, token, items)

    def _listed(self, token: int, items: list[Raw]) -> None:
        self._sink.listed(token, items)
        self.synced = True

    def _on_event(self, kind: str, event: str, raw: Raw, _old: Raw | None) -> None:
        if kind != self._kind or not self._open:
            return
        if event == "DELETED" and kind == WORKFLOW and self._draw(self._weather.swallow):
            self._world.trace.add(self._process.name, "never hears", raw["metadata"]["name"])
            self._world.time.after(self._chance.uniform(10, 300), self.relist)
            return
        deliver = self._sink.gone if event == "DELETED" else self._sink.seen
        self._send(self._lag(), deliver, raw)
        if self._draw(self._weather.repeat):
            self._send(self._lag(), deliver, raw)

    def _send(self, lag: float, deliver: Callable[..., None], *args: Any) -> None:
        """First in, first out, whatever the timers do."""
        self._last = max(self._last, self._world.now() + lag)
        self._held.append((deliver, args))
        self._world.time.loop.call_at(self._last, self._deliver, self._era)

    def _deliver(self, era: int) -> None:
        if era != self._era or self._process.dead:
            return
        thaw = self._process.frozen_until()
        if thaw > self._world.now():
            self._world.time.loop.call_at(thaw, self._deliver, era)
            return
        deliver, args = self._held.popleft()
        deliver(*args)

    def _lag(self) -> float:
        slow = self._kind == self._weather.slow_kind
        mean = self._weather.slow_lag if slow else self._weather.lag
        return 0.001 + self._chance.expovariate(1 / mean)

    def _draw(self, rate: float) -> bool:
        return rate > 0 and self._chance.random() < rate
