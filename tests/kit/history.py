"""What Jobs and pods themselves tell of a run: who ran when, in which order, how many at once.

Times of the API are cut to whole seconds; as cutting keeps their order, intervals that don't
overlap in truth never seem to (their end counts as outside).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tests.kit.client import Object
from tests.kit.run import OF_NODE, Run, instant


@dataclass(frozen=True)
class Ran:
    """One container ``main`` that has ended."""

    node: str
    run: str
    attempt: str
    pod: str
    start: datetime
    end: datetime


def history(pods: Iterable[Object]) -> list[Ran]:
    """Return when each pod's ``main`` ran, in order of start."""
    found = [ran for pod in pods if (ran := _ran(pod)) is not None]
    return sorted(found, key=lambda ran: (ran.start, ran.end))


def _ran(pod: Object) -> Ran | None:
    labels = pod["metadata"]["labels"]
    for container in pod["status"].get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if container["name"] == "main" and ended and ended.get("startedAt"):
            return Ran(
                labels[OF_NODE],
                labels["tidegate.dev/run"],
                labels["tidegate.dev/attempt"],
                pod["metadata"]["name"],
                instant(ended["startedAt"]),
                instant(ended["finishedAt"]),
            )
    return None


def most_at_once(ran: Sequence[Ran]) -> int:
    """Return the greatest number that ran at the same time."""
    return max(
        (sum(other.start <= one.start < other.end for other in ran) for one in ran), default=0
    )


def assert_each_ran_once(run: Run, nodes: Iterable[str]) -> None:
    """Assert that each node had exactly one Job and one pod, whatever happened to the operator."""
    wanted = Counter(dict.fromkeys(nodes, 1))
    assert Counter(job["metadata"]["labels"][OF_NODE] for job in run.jobs()) == wanted
    assert Counter(pod["metadata"]["labels"][OF_NODE] for pod in run.pods()) == wanted


def assert_no_node_twice_at_once(run: Run) -> None:
    """Assert that no two pods of a node ran at the same time, and no attempt had two Jobs."""
    by_node = defaultdict(list)
    for ran in history(run.pods()):
        by_node[ran.node, ran.run].append(ran)
    for series in by_node.values():
        for before, after in pairwise(series):
            assert before.end <= after.start, f"{before} and {after} ran at once"
    attempts = Counter(
        tuple(
            job["metadata"]["labels"][f"tidegate.dev/{key}"] for key in ("run", "node", "attempt")
        )
        for job in run.jobs()
    )
    assert not [attempt for attempt, count in attempts.items() if count > 1]


def assert_barriers(run: Run, waves: Sequence[Iterable[str]]) -> None:
    """Assert that no Job of a wave was made before every pod of the wave before it had ended."""
    ran = history(run.pods())
    made: Mapping[str, datetime] = {
        job["metadata"]["labels"][OF_NODE]: instant(job["metadata"]["creationTimestamp"])
        for job in run.jobs()
    }
    for wave, following in pairwise(waves):
        members = set(wave)
        ended = [one.end for one in ran if one.node in members]
        assert len(ended) >= len(members), f"pods of {members} are missing"
        for node in following:
            assert made[node] >= max(ended), f"{node} was made before {members} had ended"
