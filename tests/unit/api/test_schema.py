from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from tidegate.api.model import Model
from tidegate.api.schema import problems, structural, without_defaults


class Colour(StrEnum):
    RED = "Red"


class Inner(Model):
    """An inner part."""

    size: Annotated[int, Field(ge=1, le=9)] = 3
    """How
    large."""


class Outer(Model):
    """An outer part."""

    name: Annotated[str, Field(max_length=5)]
    """Its name."""
    inner: Inner = Inner()
    """What is inside."""
    maybe: Inner | None = None
    """What may be inside."""
    colour: Colour = Colour.RED
    """How it looks."""
    kind: Literal["A"] = "A"
    """What it is."""
    items: Annotated[tuple[Inner, ...], Field(max_length=2)] = ()
    """A list."""
    by_name: dict[str, Inner] = Field(default_factory=dict)
    """A map."""


INNER = {
    "type": "object",
    "properties": {
        "size": {
            "type": "integer",
            "description": "How large.",
            "minimum": 1,
            "maximum": 9,
            "default": 3,
        }
    },
}


def test_a_model_becomes_structural() -> None:
    assert structural(Outer) == {
        "type": "object",
        "description": "An outer part.",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "Its name.", "maxLength": 5},
            "inner": {**INNER, "description": "What is inside.", "default": {}},
            "maybe": {**INNER, "description": "What may be inside."},
            "colour": {
                "type": "string",
                "description": "How it looks.",
                "enum": ["Red"],
                "default": "Red",
            },
            "kind": {
                "type": "string",
                "description": "What it is.",
                "enum": ["A"],
                "default": "A",
            },
            "items": {
                "type": "array",
                "description": "A list.",
                "maxItems": 2,
                "items": {**INNER, "description": "An inner part."},
                "x-kubernetes-list-type": "atomic",
            },
            "byName": {
                "type": "object",
                "description": "A map.",
                "additionalProperties": {**INNER, "description": "An inner part."},
            },
        },
    }
    assert list(problems(structural(Outer), "outer")) == []


def test_a_status_has_no_defaults() -> None:
    assert "default" not in str(without_defaults(structural(Outer)))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "x: type is None"),
        ({"type": "string", "$ref": "#/y", "maxLength": 1}, "x: $ref isn't allowed"),
        ({"type": "string"}, "x: no maxLength"),
        ({"type": "object"}, "x: an object of nothing"),
        ({"type": "array", "maxItems": 1}, "x: no items"),
        ({"type": "array", "items": {"type": "boolean"}}, "x: no maxItems"),
        (
            {"type": "object", "properties": {"a": {"type": "boolean"}}},
            "x.a: no description",
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "x{}: no maxLength",
        ),
        (
            {
                "type": "array",
                "maxItems": 1,
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "boolean"},
            },
            "x: key name isn't required",
        ),
    ],
)
def test_what_a_server_would_dislike_is_found(schema: dict[str, Any], words: str) -> None:
    assert list(problems(schema, "x")) == [words]


def test_bounds_are_asked_for_only_where_they_matter() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    assert list(problems(schema, "x", bounds=False)) == []
