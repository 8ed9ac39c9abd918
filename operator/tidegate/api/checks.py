"""Checks across the nodes of a spec: names, dependencies, cycles, fallbacks, handlers.

They read the spec as it was written, and pass over whatever has the wrong type (the models tell of
that), so that one mistake doesn't hide another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tidegate.api.duration import shorten
from tidegate.api.faults import Hints
from tidegate.api.fields import NAME_PATTERN
from tidegate.api.graph import find_cycles
from tidegate.errors import Fault

_MAX_WORKFLOW_NAME: Final = 63
_MAX_CYCLE: Final = 12
"""Nodes of a cycle that are named."""
_NAME: Final = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names in a spec, as far as they are text."""

    nodes: Mapping[str, Mapping[str, Any]]
    standbys: Mapping[str, Mapping[str, Any]]
    dependencies: Mapping[str, Sequence[str]]
    handlers: Mapping[str, Sequence[str]]
    """By field: onError, onExit."""


def name_faults(name: str) -> Iterator[Fault]:
    """What is wrong with the name of a Workflow: it is the value of a label of its Jobs."""
    if len(name) > _MAX_WORKFLOW_NAME or not _NAME.fullmatch(name):
        yield Fault(
            "metadata.name",
            f"must be a DNS label of at most {_MAX_WORKFLOW_NAME} characters: a-z, 0-9 and -",
        )


def cross_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong between the parts of the spec ``raw``."""
    names = _Names(
        nodes=_by_name(raw.get("nodes")),
        standbys=_by_name(raw.get("standbys")),
        dependencies={
            name: texts(node.get("dependsOn")) for name, node in _by_name(raw.get("nodes")).items()
        },
        handlers={field: texts(raw.get(field)) for field in ("onError", "onExit")},
    )
    hints = Hints()
    yield from _duplicate_names(raw, names)
    yield from _dependency_faults(names, hints)
    yield from _cycle_faults(names)
    yield from _fallback_faults(names, hints)
    yield from _handler_faults(names, hints)
    yield from _unused_standbys(names)


def objects(value: object) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects in a list, with their positions; nothing where there is no list."""
    items = value if isinstance(value, list | tuple) else ()
    return [(i, item) for i, item in enumerate(items) if isinstance(item, Mapping)]


def texts(value: object) -> list[str]:
    """The texts in a list; nothing where there is no list."""
    items = value if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, str)]


def _by_name(value: object) -> dict[str, Mapping[str, Any]]:
    named: dict[str, Mapping[str, Any]] = {}
    for _, item in objects(value):
        if isinstance(name := item.get("name"), str):
            named.setdefault(name, item)
    return named


def _duplicate_names(raw: Mapping[str, Any], names: _Names) -> Iterator[Fault]:
    for field, kind in (("nodes", "node"), ("standbys", "standby")):
        seen: set[str] = set()
        for index, item in objects(raw.get(field)):
            name = item.get("name")
            if isinstance(name, str) and name in seen:
                message = f"{shorten(name)} is the name of another {kind}, too; choose another"
                yield Fault(f"spec.{field}[{index}].name", message)
            seen |= {name} if isinstance(name, str) else set()
    for name in names.standbys:
        if name in names.nodes:
            message = f"{shorten(name)} is the name of a node, too; choose another"
            yield Fault(f"spec.standbys[{shorten(name)}].name", message)


def _dependency_faults(names: _Names, hints: Hints) -> Iterator[Fault]:
    for node, dependencies in names.dependencies.items():
        unique = set(dependencies)
        if len(unique) == len(dependencies) and node not in unique and unique <= names.nodes.keys():
            continue
        path = f"spec.nodes[{shorten(node)}].dependsOn"
        for other in dict.fromkeys(dependencies):
            if dependencies.count(other) > 1:
                yield Fault(path, f"{shorten(other)} is named more than once")
            if other == node:
                yield Fault(path, f"{shorten(node)} depends on itself")
            elif other in names.standbys and other not in names.nodes:
                yield Fault(path, f"{shorten(other)} is a standby; only nodes can be depended on")
            elif other not in names.nodes:
                hint = hints.closest(other, names.nodes)
                yield Fault(path, f"depends on {shorten(other)}, which doesn't exist{hint}")


def _cycle_faults(names: _Names) -> Iterator[Fault]:
    for cycle in find_cycles(names.dependencies):
        shown = [shorten(name) for name in cycle]
        if len(shown) > _MAX_CYCLE:
            shown = [*shown[: _MAX_CYCLE - 2], f"… {len(shown) - _MAX_CYCLE} more …", *shown[-2:]]
        yield Fault("", f"nodes {' → '.join(shown)} form a cycle")


def _fallback_faults(names: _Names, hints: Hints) -> Iterator[Fault]:
    for node, spec in names.nodes.items():
        fallback = spec.get("fallback")
        if isinstance(fallback, str) and (message := _not_standby(fallback, names, hints)):
            yield Fault(f"spec.nodes[{shorten(node)}].fallback", message)


def _handler_faults(names: _Names, hints: Hints) -> Iterator[Fault]:
    named: dict[str, str] = {}
    for field, handlers in names.handlers.items():
        for handler in handlers:
            if message := _not_standby(handler, names, hints):
                yield Fault(f"spec.{field}", message)
            elif handler in named:
                where = "twice" if named[handler] == field else "in onError and in onExit"
                yield Fault(f"spec.{field}", f"{shorten(handler)} is named {where}; once is enough")
            named.setdefault(handler, field)


def _not_standby(name: str, names: _Names, hints: Hints) -> str:
    if name in names.standbys:
        return ""
    if name in names.nodes:
        return f"{shorten(name)} is a node; only a standby can be named, move it to spec.standbys"
    hint = hints.closest(name, names.standbys)
    return f"{shorten(name)} doesn't exist in spec.standbys{hint}"


def _unused_standbys(names: _Names) -> Iterator[Fault]:
    used = {name for handlers in names.handlers.values() for name in handlers}
    used |= {f for node in names.nodes.values() if isinstance(f := node.get("fallback"), str)}
    for name in names.standbys:
        if name not in used:
            yield Fault(
                f"spec.standbys[{shorten(name)}]",
                "nothing names it: use it as a fallback, in onError or onExit, or remove it",
            )
