"""What a task may refer to: the params, and of which nodes it may read what.

A node may read whatever runs before it. A standby that serves in the place of nodes may read what
all of them may; a handler runs when any node may have failed, so it may only read outputs that have
a default. They look at the spec as it was written; what has the wrong type is passed over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tidegate.api.checks import objects, texts
from tidegate.api.duration import shorten
from tidegate.api.faults import Hints
from tidegate.api.graph import reach
from tidegate.api.references import KNOWN_NAMES, node_value, param_of

_FORMS = (
    "params.<name>, nodes.<node>.outputs.<key>, "
    "nodes.<node>.phase|reason|exitCode|servedBy, " + ", ".join(sorted(KNOWN_NAMES))
)


CHECKPOINT_OUTPUTS: Final = ("decision", "by", "comment")
"""What every checkpoint gives to later nodes, beside its inputs."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a spec names, as far as it has the right type."""

    params: Mapping[str, str]
    nodes: Mapping[str, Mapping[str, Any]]
    standbys: Collection[str]
    edges: Mapping[str, Sequence[str]]
    """By node: what it depends on."""
    primaries: Mapping[str, tuple[str, ...]]
    """By standby: the nodes in whose place it serves."""
    handlers: Collection[str]
    hints: Hints
    _before: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """The names in the spec ``raw``."""
        nodes = _by_name(raw.get("nodes"))
        primaries: dict[str, tuple[str, ...]] = {}
        for name, node in nodes.items():
            if isinstance(standby := node.get("fallback"), str):
                primaries[standby] = (*primaries.get(standby, ()), name)
        return cls(
            params={n: _value(param) for n, param in _by_name(raw.get("params")).items()},
            nodes=nodes,
            standbys=frozenset(_by_name(raw.get("standbys"))),
            edges={name: texts(node.get("dependsOn")) for name, node in nodes.items()},
            primaries=primaries,
            handlers=frozenset([*texts(raw.get("onError")), *texts(raw.get("onExit"))]),
            hints=Hints(),
        )

    def runs_before(self, other: str, name: str) -> bool:
        """Whether the node ``name`` depends on ``other``, directly or not."""
        if name not in self._before:
            self._before[name] = reach([name], self.edges)
        return other in self._before[name]

    def scope_of_node(self, name: str) -> "Scope":
        """What a node may refer to."""
        return Scope(self, (name,), f"before {shorten(name)}")

    def scope_of_standby(self, name: str) -> "Scope":
        """What a standby may refer to: what all that call for it may."""
        where = f"before every node that {shorten(name)} serves"
        handles = name in self.handlers
        return Scope(self, self.primaries.get(name, ()), where, needs_default=handles)

    def scope_of_defaults(self) -> "Scope":
        """What the defaults may refer to, which every node inherits, the first, too."""
        return Scope(self, tuple(self.nodes), "before every node that inherits these defaults")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one task may refer to."""

    names: Names
    readers: tuple[str, ...]
    """The nodes in whose place, or as which, it runs: what it reads must run before all of them."""
    where: str
    """Where those run, in words."""
    needs_default: bool = False
    """Whether only outputs with a default may be read."""

    def fault(self, expression: str) -> str:
        """What is wrong with the reference ``$(expression)``; empty where nothing is."""
        if expression in KNOWN_NAMES:
            return ""
        shown = f"$({shorten(expression)})"
        if (param := param_of(expression)) is not None:
            fault = self.param_fault(param)
            return f"{shown}: {fault}" if fault else ""
        value = node_value(expression)
        if value is None:
            return f"{shown} is unknown; known are {_FORMS}"
        fault = self.node_fault(value.node) or self.output_fault(value.node, value.output)
        return f"{shown}: {fault}" if fault else ""

    def param_fault(self, name: str) -> str:
        """What is wrong with reading a param."""
        if name in self.names.params:
            return ""
        hint = self.names.hints.closest(name, self.names.params)
        return f"there is no {shorten(name)} in spec.params{hint}"

    def node_fault(self, name: str) -> str:
        """What is wrong with reading a node."""
        if name in self.names.nodes:
            if all(self.names.runs_before(name, reader) for reader in self.readers):
                return ""
            return f"{shorten(name)} doesn't run {self.where}; only what runs before has a value"
        if name in self.names.standbys:
            return f"{shorten(name)} is a standby; only nodes can be read"
        hint = self.names.hints.closest(name, self.names.nodes)
        return f"there is no node {shorten(name)}{hint}"

    def output_fault(self, node: str, key: str) -> str:
        """What is wrong with reading an output; empty ``key``: none is read."""
        if not key:
            return ""
        spec = self.names.nodes[node]
        if spec.get("checkpoint") is not None:
            return self._checkpoint_fault(node, spec["checkpoint"], key)
        declared = _by_name(spec.get("outputs"))
        if declared and key not in declared:
            hint = self.names.hints.closest(key, declared)
            return f"{shorten(node)} declares no output {shorten(key)}{hint}"
        if self.needs_default and "default" not in declared.get(key, {}):
            return (
                f"a handler can only read outputs with a default, as {shorten(node)} may have"
                f" failed; declare it there: outputs: [{{name: {shorten(key)}, default: …}}]"
            )
        return ""

    def _checkpoint_fault(self, node: str, checkpoint: object, key: str) -> str:
        inputs = checkpoint.get("inputs") if isinstance(checkpoint, Mapping) else None
        known = (*CHECKPOINT_OUTPUTS, *_by_name(inputs))
        if key not in known:
            hint = self.names.hints.closest(key, known)
            return f"the checkpoint {shorten(node)} has no output {shorten(key)}{hint}"
        if self.needs_default:
            return (
                f"a handler can only read outputs with a default, and the checkpoint"
                f" {shorten(node)} may have decided nothing"
            )
        return ""


def _by_name(value: object) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for _, item in objects(value):
        if isinstance(name := item.get("name"), str):
            found.setdefault(name, item)
    return found


def _value(param: Mapping[str, Any]) -> str:
    value = param.get("value")
    return value if isinstance(value, str) else ""
