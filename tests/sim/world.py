"""What a history's cluster is like: lags, how its programs behave, who holds its parts together."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sim.clock import Time
from tests.sim.policies import Policies
from tests.sim.store import Store

FOREVER = 1e6
"""Seconds after which nobody waits any more."""


@dataclass(frozen=True, slots=True)
class Program:
    """What one attempt of a node or standby does."""

    seconds: float
    """How long it runs."""
    exit_code: int = 0
    oom: bool = False
    term: str = "dies"
    """On SIGTERM: dies (143), succeeds (0) or ignores it (killed after the grace period, 137)."""
    pull_blocked: float = 0.0
    """For how long its image can't be pulled."""
    message: str = ""
    """What it writes as its termination message, if it isn't killed."""


@dataclass(frozen=True, slots=True)
class Climate:
    """How slow the cluster's parts are in this history."""

    job_lag: float = 0.2
    """Mean, until the Job controller looks at a Job."""
    batch: float = 1.0
    """At least so long until it looks at a pod's news."""
    burst: float = 0.0
    """Mean of what comes on top of that."""
    start: float = 1.0
    """Mean, from a pod's creation to its program's start."""
    report: float = 0.05
    """Mean, from a program's end to the pod's status."""
    grace: int = 30


class Trace:
    """What happened, for people; texts are made only when somebody reads them."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._lines: list[tuple[float, str, str, tuple[Any, ...]]] = []

    def add(self, actor: str, what: str, *about: Any) -> None:
        self._lines.append((self._time.loop.elapsed, actor, what, about))

    def text(self, last: int = 100_000) -> str:
        return "\n".join(
            f"{at:10.3f}  {actor:<12} {what:<22} {' '.join(map(str, about))}"
            for at, actor, what, about in self._lines[-last:]
        )


@dataclass(slots=True)
class World:
    """The cluster without its operators."""

    time: Time
    store: Store
    trace: Trace
    climate: Climate
    programs: Callable[[str, int, int], Program] = lambda _who, _run, _number: Program(1.0)
    """By executor, run and number of the attempt."""
    forbidden: frozenset[str] = frozenset()
    """Executors whose pods violate Pod Security."""
    unroomed: dict[str, float] = field(default_factory=dict)
    """Executors for which no node has room, until when."""
    quota_until: float = 0.0
    """Until then a quota refuses every pod."""
    invalid: frozenset[str] = frozenset()
    """Executors whose Jobs the server finds malformed."""
    queued: float = 0.0
    """How likely it is that Kueue suspends a new Job."""
    lag: random.Random = field(default_factory=random.Random)
    policies: Policies = field(init=False)
    """Whether the API server checks votes."""

    def __post_init__(self) -> None:
        self.policies = Policies(self.time)

    def wait(self, mean: float, least: float = 0.0) -> float:
        """A random duration with a tail."""
        return least + (self.lag.expovariate(1 / mean) if mean > 0 else 0.0)

    def now(self) -> float:
        return self.time.loop.elapsed
