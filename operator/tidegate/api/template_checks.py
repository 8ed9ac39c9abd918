"""Checks of a pod template's shape: what the merge needs, and what only the operator may set.

The rest is the API server's to judge, which creates Jobs with strict field validation.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tidegate import constants as c
from tidegate.api.duration import shorten
from tidegate.api.faults import item_label
from tidegate.api.references import find_references, param_of, spaced_references, texts_of
from tidegate.api.scope import Scope
from tidegate.errors import Fault

_CONTAINERS: Final = ("containers", "initContainers")
_NAMED: Final = (*_CONTAINERS, "volumes")
_OPERATORS_OWN: Final = {
    "restartPolicy": "can't be set: it is always Never; use retry to run a node again",
    "activeDeadlineSeconds": "can't be set; use timeout",
}
_PLACES: Final = "references stand in command, args and env values, and params in image, too"


def template_faults(template: object, path: str, scope: Scope) -> Iterator[Fault]:
    """What is wrong with a pod template; None anywhere means that a field is removed."""
    if not isinstance(template, Mapping):
        return
    for key in template:
        if key not in ("metadata", "spec"):
            yield Fault(f"{path}.{shorten(key)}", "is no field; a template has metadata and spec")
    yield from _metadata_faults(template.get("metadata"), f"{path}.metadata")
    yield from unreplaced_faults(template.get("metadata"), f"{path}.metadata")
    yield from _spec_faults(template.get("spec"), f"{path}.spec", scope)


def _metadata_faults(metadata: object, path: str) -> Iterator[Fault]:
    if metadata is None:
        return
    if not isinstance(metadata, Mapping):
        yield Fault(path, "must be an object")
        return
    for field in ("labels", "annotations"):
        pairs = metadata.get(field)
        if pairs is None:
            continue
        if not isinstance(pairs, Mapping):
            yield Fault(f"{path}.{field}", "must be an object")
            continue
        for key, value in pairs.items():
            if is_ours(key):
                yield Fault(f"{path}.{field}", f"{shorten(key)} can't be set; Tidegate does")
            elif not isinstance(value, str | None):
                yield Fault(f"{path}.{field}", f"{shorten(key)} must be text; put it in quotes")


def is_ours(key: str) -> bool:
    """Whether the key of a label or annotation belongs to the operator."""
    prefix = key.partition("/")[0] if "/" in key else ""
    return prefix == c.GROUP or prefix.endswith(f".{c.GROUP}")


def _spec_faults(spec: object, path: str, scope: Scope) -> Iterator[Fault]:
    if spec is None:
        return
    if not isinstance(spec, Mapping):
        yield Fault(path, "must be an object")
        return
    for field, message in _OPERATORS_OWN.items():
        if spec.get(field) is not None:
            yield Fault(f"{path}.{field}", message)
    rest = {key: value for key, value in spec.items() if key not in _CONTAINERS}
    yield from unreplaced_faults(rest, path)
    for field in _NAMED:
        if spec.get(field) is not None:
            yield from _list_faults(spec[field], f"{path}.{field}")
    for field in _CONTAINERS:
        for index, container in enumerate(_items(spec.get(field))):
            if isinstance(container, Mapping):
                label = item_label(container, index)
                yield from _container_faults(container, f"{path}.{field}[{label}]", scope)


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _list_faults(items: object, path: str) -> Iterator[Fault]:
    if not isinstance(items, list):
        yield Fault(path, "must be a list")
        return
    seen: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            yield Fault(f"{path}[{index}]", "must be an object")
            continue
        name = item.get("name")
        if not (isinstance(name, str) and name):
            yield Fault(f"{path}[{index}]", "needs a name")
        elif name in seen:
            yield Fault(f"{path}[{index}]", f"{shorten(name)} is named twice")
        else:
            seen.add(name)


def _container_faults(container: Mapping[str, Any], path: str, scope: Scope) -> Iterator[Fault]:
    yield from reference_faults(container, path, scope)
    yield from rest_faults(container, path)
    for field in ("env", "envFrom", "volumeMounts", "command", "args", "ports"):
        if not isinstance(container.get(field), list | None):
            yield Fault(f"{path}.{field}", "must be a list")
    for index, entry in enumerate(_items(container.get("env"))):
        if not (isinstance(entry, Mapping) and isinstance(entry.get("name"), str)):
            yield Fault(f"{path}.env[{index}]", "must be an object with a name")


def reference_faults(container: Mapping[str, Any], path: str, scope: Scope) -> Iterator[Fault]:
    """References of ours, in the short hands or in a container, that stand for nothing."""
    for field, text, _ in texts_of(container):
        yield from blank_faults(text, f"{path}.{field}")
        for reference in find_references(text):
            expression = reference.expression
            if field == "image" and param_of(expression) is None:
                message = f"$({shorten(expression)}) can't stand in an image; only params can"
                yield Fault(f"{path}.{field}", message)
            elif message := scope.fault(expression):
                yield Fault(f"{path}.{field}", message)


def blank_faults(text: str, path: str) -> Iterator[Fault]:
    """Blanks in references, which keep them from being any."""
    for found in spaced_references(text):
        plain = f"$({shorten(found.strip())})"
        yield Fault(path, f"$({shorten(found)}): write it without blanks: {plain}")


def rest_faults(container: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """References of ours in the fields of a container in which none is replaced."""
    for field, value in container.items():
        if field == "env":
            named = [e for e in _items(value) if isinstance(e, Mapping)]
            rest: object = [{key: e[key] for key in e if key != "value"} for e in named]
        else:
            rest = None if field in ("image", "command", "args") else value
        yield from unreplaced_faults(rest, f"{path}.{shorten(str(field))}")


def unreplaced_faults(value: object, path: str) -> Iterator[Fault]:
    """References of ours in any text of ``value``, where they would stay as they are written."""
    if isinstance(value, str):
        for reference in find_references(value):
            yield Fault(path, f"$({shorten(reference.expression)}) isn't replaced here; {_PLACES}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from unreplaced_faults(item, f"{path}.{shorten(str(key))}")
    else:
        for index, item in enumerate(_items(value)):
            yield from unreplaced_faults(item, f"{path}[{item_label(item, index)}]")
