"""The graph of a Workflow's nodes: waves, and who depends on whom.

A node's wave is 1 + the greatest wave of its dependencies (Kahn's algorithm).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, Self


class HasDependencies(Protocol):
    """A node, as far as the graph needs to know it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Names of nodes of the same graph."""
        ...


@dataclass(frozen=True, slots=True)
class Graph:
    """An acyclic graph of nodes."""

    waves: tuple[tuple[str, ...], ...]
    """Wave 1 first; inside a wave in the order of the list."""
    wave_of: Mapping[str, int]
    """From 1; in the order of the list."""
    dependencies: Mapping[str, tuple[str, ...]]
    """Direct ones, as written, each once."""
    dependents: Mapping[str, tuple[str, ...]]
    """Direct ones, in the order of the list."""

    @classmethod
    def build(cls, nodes: Iterable[HasDependencies]) -> Self:
        """The graph of ``nodes``; raises ValueError on a cycle or an unknown name."""
        dependencies = {node.name: tuple(dict.fromkeys(node.depends_on)) for node in nodes}
        dependents: dict[str, list[str]] = {name: [] for name in dependencies}
        for name, needed in dependencies.items():
            for other in needed:
                if other not in dependents:
                    raise ValueError(f"{name} depends on {other}, which doesn't exist")
                dependents[other].append(name)
        waves = _kahn(dependencies, dependents)
        wave_of = {name: number for number, wave in enumerate(waves, 1) for name in wave}
        if len(wave_of) < len(dependencies):
            raise ValueError("the nodes form a cycle")
        return cls(
            waves,
            MappingProxyType({name: wave_of[name] for name in dependencies}),
            MappingProxyType(dependencies),
            MappingProxyType({name: tuple(others) for name, others in dependents.items()}),
        )

    def descendants(self, names: Iterable[str]) -> frozenset[str]:
        """All nodes that depend on any of ``names``, directly or not; not ``names`` themselves."""
        return reach(names, self.dependents)

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """All nodes that any of ``names`` depends on, directly or not; not ``names`` themselves."""
        return reach(names, self.dependencies)


def find_cycles(dependencies: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """A shortest cycle of each knot of nodes that depend on each other: ``(b, c, b)``.

    Each arrow reads "depends on". Unknown names and dependencies on oneself are passed over.
    """
    known = {
        name: [other for other in needed if other in dependencies and other != name]
        for name, needed in dependencies.items()
    }
    left = _on_or_between_cycles(known)
    cycles: list[tuple[str, ...]] = []
    knotted: set[str] = set()
    for name in dependencies:
        if name in left and name not in knotted and (cycle := _shortest_cycle(name, left)):
            cycles.append(cycle)
            forward = reach([name], left)
            knotted |= {name} | (forward & reach([name], _reversed(left)))
    return tuple(cycles)


def _kahn(
    dependencies: Mapping[str, Sequence[str]], dependents: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], ...]:
    """Waves of all nodes that can be reached; those on cycles and behind them can't."""
    position = {name: i for i, name in enumerate(dependencies)}
    missing = {name: len(needed) for name, needed in dependencies.items()}
    wave = [name for name, count in missing.items() if count == 0]
    waves = []
    while wave:
        waves.append(tuple(wave))
        following = []
        for name in wave:
            for other in dependents[name]:
                missing[other] -= 1
                if missing[other] == 0:
                    following.append(other)
        wave = sorted(following, key=position.__getitem__)
    return tuple(waves)


def _on_or_between_cycles(edges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """``edges`` less the nodes that lead into no cycle."""
    reverse = _reversed(edges)
    open_edges = {name: len(needed) for name, needed in edges.items()}
    loose = [name for name, count in open_edges.items() if count == 0]
    for name in loose:
        for other in reverse[name]:
            open_edges[other] -= 1
            if open_edges[other] == 0:
                loose.append(other)
    gone = set(loose)
    return {
        name: [other for other in needed if other not in gone]
        for name, needed in edges.items()
        if name not in gone
    }


def _shortest_cycle(start: str, edges: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for other in edges[name]:
            if other == start:
                return _path_back(name, start, came_from)
            if other not in came_from:
                came_from[other] = name
                queue.append(other)
    return None


def _path_back(end: str, start: str, came_from: Mapping[str, str]) -> tuple[str, ...]:
    path = [start, end] if end != start else [start]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return tuple(reversed(path))


def _reversed(edges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    reverse: dict[str, list[str]] = {name: [] for name in edges}
    for name, others in edges.items():
        for other in others:
            reverse[other].append(name)
    return reverse


def reach(names: Iterable[str], edges: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """All that the edges lead to from ``names``, directly or not; not ``names`` themselves."""
    given = set(names)
    seen: set[str] = set()
    stack = list(given)
    while stack:
        for other in edges.get(stack.pop(), ()):
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return frozenset(seen - given)
