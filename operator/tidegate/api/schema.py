"""From pydantic's JSON schema to the structural schema that a CRD wants.

Structural means: every node has a type, nothing is behind a reference or an alternative, and what
isn't described is pruned. ``problems`` finds what is left of pydantic's liberties, and missing
bounds: without maxItems and maxLength the API server refuses CEL rules as too costly.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_KEEP: Final = "x-kubernetes-preserve-unknown-fields"
_LIST_TYPE: Final = "x-kubernetes-list-type"
_LIST_KEYS: Final = "x-kubernetes-list-map-keys"
_COPIED: Final = (
    "type", "description", "format", "enum", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "maxItems", "required", "nullable",
    _KEEP, _LIST_TYPE, _LIST_KEYS, "x-kubernetes-map-type", "x-kubernetes-validations",
)  # fmt: skip
_ALLOWED: Final = frozenset({*_COPIED, "default", "properties", "items", "additionalProperties"})


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of ``model``, with the docstrings of its fields as descriptions."""
    raw = model.model_json_schema()
    return _convert(raw, raw.get("$defs", {}))


def _convert(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    schema: Schema = {key: node[key] for key in _COPIED if key in node}
    if "const" in node:
        schema["enum"] = [node["const"]]
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if "properties" in node:
        schema["properties"] = {
            name: _convert(child, definitions) for name, child in node["properties"].items()
        }
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions)
        schema.setdefault(_LIST_TYPE, "atomic")
    additional = node.get("additionalProperties")
    if isinstance(additional, dict):
        schema["additionalProperties"] = _convert(additional, definitions)
    return schema | _default(node, schema)


def _resolved(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """``node`` with its reference followed and without the alternative ``null``."""
    while "$ref" in node or "anyOf" in node:
        rest = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
        if "$ref" in node:
            node = definitions[node["$ref"].rpartition("/")[2]] | rest
        else:
            (only,) = (kind for kind in node["anyOf"] if kind.get("type") != "null")
            node = only | rest
    return node


def _default(node: Schema, schema: Schema) -> Schema:
    """The default, where it says anything; an object's is empty, its fields have their own."""
    default = node.get("default")
    if schema.get("type") == "object":
        fields = schema.get("properties", {}).values()
        return {"default": {}} if default and any("default" in f for f in fields) else {}
    return {} if default in (None, [], ()) else {"default": default}


def without_defaults(schema: Schema) -> Schema:
    """``schema`` for a status: what the operator doesn't write shall not appear."""
    bare = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in bare:
        bare["properties"] = {k: without_defaults(v) for k, v in bare["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in bare:
            bare[key] = without_defaults(bare[key])
    return bare


def problems(schema: Schema, path: str, *, bounds: bool = True) -> Iterator[str]:
    """What the API server would dislike about ``schema``; with ``bounds``, missing ones too."""
    for key in schema.keys() - _ALLOWED:
        yield f"{path}: {key} isn't allowed"
    kind = schema.get("type")
    if kind not in ("object", "array", "string", "integer", "number", "boolean"):
        yield f"{path}: type is {kind}"
    if kind == "array":
        yield from _array_problems(schema, path, bounds=bounds)
    if kind == "object" and not schema.keys() & {"properties", "additionalProperties", _KEEP}:
        yield f"{path}: an object of nothing"
    if bounds and kind == "string" and not schema.keys() & {"maxLength", "enum"}:
        yield f"{path}: no maxLength"
    for name, child in schema.get("properties", {}).items():
        if "description" not in child:
            yield f"{path}.{name}: no description"
        yield from problems(child, f"{path}.{name}", bounds=bounds)
    if "additionalProperties" in schema:
        yield from problems(schema["additionalProperties"], f"{path}{{}}", bounds=bounds)


def _array_problems(schema: Schema, path: str, *, bounds: bool) -> Iterator[str]:
    if "items" not in schema:
        yield f"{path}: no items"
        return
    if bounds and "maxItems" not in schema:
        yield f"{path}: no maxItems"
    for key in schema.get(_LIST_KEYS, ()):
        if key not in schema["items"].get("required", ()):
            yield f"{path}: key {key} isn't required"
    yield from problems(schema["items"], f"{path}[]", bounds=bounds)
