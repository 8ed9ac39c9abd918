"""Gauges that are worked out when they are asked for.

What is counted over all Workflows is told by the replica that leads, and by no other, so that a sum
over replicas is right; how well a replica hears of the cluster is told by each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector


@dataclass(frozen=True, slots=True)
class Census:
    """What all Workflows together are like at one moment."""

    phases: Mapping[str, int] = field(default_factory=dict)
    """Workflows, by phase."""
    queued: Mapping[str, int] = field(default_factory=dict)
    """Workflows that wait for a pass, by lane."""
    checkpoints: int = 0
    """Checkpoints that wait for a decision."""
    held_checkpoints: int = 0
    """Those of them that can't ask: for want of the admission policies, or for too many votes."""
    oldest_checkpoint: float = 0.0
    """Seconds for which the oldest of them has been open; 0 without any."""
    longest_idle: float = 0.0
    """Seconds since the run that stands still longest has moved; 0 if all move."""


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    text: str
    label: str
    values: Callable[[Census], Mapping[str, float]]

    def family(self, values: Mapping[str, float]) -> GaugeMetricFamily:
        labels = (self.label,) if self.label else ()
        family = GaugeMetricFamily(f"tidegate_{self.name}", self.text, labels=labels)
        for value, number in sorted(values.items()):
            family.add_metric((value,) if self.label else (), number)
        return family


_OF_ALL: Final = (
    _Gauge("workflows", "Workflows that exist, by phase.", "phase", lambda c: c.phases),
    _Gauge("queue_depth", "Workflows that wait for a pass.", "lane", lambda c: c.queued),
    _Gauge(
        "checkpoints_waiting",
        "Checkpoints that wait for a decision.",
        "",
        lambda c: {"": c.checkpoints},
    ),
    _Gauge(
        "checkpoints_held",
        "Checkpoints that wait, but can't ask anybody: PolicyMissing or TooManyVotes.",
        "",
        lambda c: {"": c.held_checkpoints},
    ),
    _Gauge(
        "checkpoint_oldest_wait_seconds",
        "For how long the oldest open checkpoint has waited; 0 without any.",
        "",
        lambda c: {"": c.oldest_checkpoint},
    ),
    _Gauge(
        "workflow_longest_idle_seconds",
        "For how long the run that stands still longest has had neither a running pod nor any "
        "other change, retries, checkpoints and queued Jobs aside; 0 if all move.",
        "",
        lambda c: {"": c.longest_idle},
    ),
)
_SILENCE: Final = _Gauge(
    "watch_silence_seconds",
    "Since when nothing was heard of a resource, not even a bookmark or an empty list.",
    "resource",
    lambda _: {},
)


class Gauges(Collector):
    """Asks ``census`` (None while this replica stands by) and ``silence`` at each scrape."""

    def __init__(
        self, census: Callable[[], Census | None], silence: Callable[[], Mapping[str, float]]
    ) -> None:
        self._census = census
        self._silence = silence

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """The gauges without values."""
        return [gauge.family({}) for gauge in (*_OF_ALL, _SILENCE)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges; a replica that stands by has no values for those of all Workflows."""
        census = self._census()
        for gauge in _OF_ALL:
            yield gauge.family(gauge.values(census) if census else {})
        yield _SILENCE.family(self._silence())


def publish(
    census: Callable[[], Census | None], silence: Callable[[], Mapping[str, float]]
) -> None:
    """From now on ask these whenever metrics are asked for."""
    REGISTRY.register(Gauges(census, silence))
