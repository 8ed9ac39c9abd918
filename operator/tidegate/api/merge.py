"""Merging pod templates by Kubernetes' own merge keys.

A map is merged key by key and ``null`` removes a key. A list whose items have a merge key is merged
by it, in the order of the base with new items behind; every other list is replaced whole. Nothing
that was passed in is changed or shared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

Object = dict[str, Any]
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Rule:
    """How the value of one field is merged."""

    keys: tuple[str, ...] = ()
    """Fields that identify an item of the list; empty for a map."""
    whole: bool = False
    """Whether an item replaces its namesake instead of being merged into it."""
    fields: "Mapping[str, _Rule]" = field(default_factory=lambda: _NOTHING)
    """Rules for fields of the map, or of the list's items."""


_CONTAINER: Final = MappingProxyType(
    {
        "env": _Rule(("name",), whole=True),
        "volumeMounts": _Rule(("mountPath",), whole=True),
        "volumeDevices": _Rule(("devicePath",)),
        "ports": _Rule(("containerPort", "protocol")),
    }
)
_POD: Final = MappingProxyType(
    {
        "containers": _Rule(("name",), fields=_CONTAINER),
        "initContainers": _Rule(("name",), fields=_CONTAINER),
        "volumes": _Rule(("name",), whole=True),
        "imagePullSecrets": _Rule(("name",)),
        "hostAliases": _Rule(("ip",)),
        "topologySpreadConstraints": _Rule(("topologyKey", "whenUnsatisfiable")),
    }
)
_TEMPLATE: Final = _Rule(fields=MappingProxyType({"spec": _Rule(fields=_POD)}))
_PLAIN: Final = _Rule()
_DEFAULTS: Final = MappingProxyType({"protocol": "TCP"})
"""What a field of a merge key is where an item leaves it out."""


def merge_template(base: Mapping[str, Any] | None, over: Mapping[str, Any] | None) -> Object:
    """``over`` laid over ``base``, both PodTemplateSpecs as maps; either may be None."""
    return _merge_maps(base or _NOTHING, over or _NOTHING, _TEMPLATE)


def merge_env(
    base: Sequence[Mapping[str, Any]], over: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """Variables of a container, merged by name."""
    if not (base and over):
        return tuple(base or over)
    return tuple(_merge_lists(base, over, _CONTAINER["env"]))


def _merge_maps(base: Mapping[str, Any], over: Mapping[str, Any], rule: _Rule) -> Object:
    merged: Object = {}
    for key, value in base.items():
        if key not in over and value is not None:
            merged[key] = _merge(None, value, rule.fields.get(key, _PLAIN))
        elif over.get(key) is not None:
            merged[key] = _merge(value, over[key], rule.fields.get(key, _PLAIN))
    for key, value in over.items():
        if key not in base and value is not None:
            merged[key] = _merge(None, value, rule.fields.get(key, _PLAIN))
    return merged


def _merge(base: object, over: object, rule: _Rule) -> object:
    if isinstance(over, Mapping):
        return _merge_maps(base if isinstance(base, Mapping) else _NOTHING, over, rule)
    if isinstance(over, list | tuple):
        return _merge_lists(base if isinstance(base, list | tuple) else (), over, rule)
    return over


def _merge_lists(base: Sequence[Any], over: Sequence[Any], rule: _Rule) -> list[Any]:
    """By key; whole where the rule has none or an item is no map with its key."""
    if not rule.keys or any(_key(item, rule) is None for item in (*base, *over)):
        return [_merge(None, item, rule) for item in over]
    merged = [_merge_maps(_NOTHING, item, rule) for item in base]
    position = {_key(item, rule): i for i, item in enumerate(base)}
    for item in over:
        key = _key(item, rule)
        if key not in position:
            position[key] = len(merged)
            merged.append(_merge_maps(_NOTHING, item, rule))
        else:
            former = _NOTHING if rule.whole else merged[position[key]]
            merged[position[key]] = _merge_maps(former, item, rule)
    return merged


def _key(item: object, rule: _Rule) -> tuple[str | int, ...] | None:
    if not isinstance(item, Mapping):
        return None
    values = [item.get(key) or _DEFAULTS.get(key) for key in rule.keys]
    known = tuple(value for value in values if isinstance(value, str | int))
    return known if len(known) == len(values) else None
