"""Faults in people's words: where something is wrong, what, and what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from tidegate.api.duration import shorten
from tidegate.api.fields import KEY_PATTERN
from tidegate.api.json_values import kind_of
from tidegate.api.spec import WorkflowSpec
from tidegate.errors import Fault

MAX_FAULTS: Final = 200
"""More than anyone reads; the rest is only counted."""
_MAX_HINTS: Final = 20
"""Finding the closest of 500 names takes a millisecond."""
_DNS_LABEL: Final = "a-z, 0-9 and - only, beginning and ending with a letter or digit"
_KEY: Final = "letters, digits, _ and - only, beginning with a letter or _"
_NODE_ONLY: Final = frozenset(
    {"dependsOn", "trigger", "when", "fallback", "allowFailure", "checkpoint"}
)


class Hints:
    """Suggestions for misspelt names, as many as make sense in one message."""

    def __init__(self) -> None:
        self._left = _MAX_HINTS

    def closest(self, name: str, known: Iterable[str]) -> str:
        """``; did you mean …?``, or nothing."""
        if self._left == 0 or len(name) > 64:  # noqa: PLR2004 - no name is that long
            return ""
        self._left -= 1
        matches = get_close_matches(name, list(known), n=1)
        return f"; did you mean {matches[0]}?" if matches else ""


def bounded(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """``faults``, each once, and no more than a person reads."""
    unique = tuple(dict.fromkeys(faults))
    if len(unique) <= MAX_FAULTS:
        return unique
    more = Fault("", f"and {len(unique) - MAX_FAULTS} more faults")
    return (*unique[:MAX_FAULTS], more)


def faults_of(error: ValidationError, raw: Mapping[str, Any]) -> list[Fault]:
    """The faults that pydantic found in the spec ``raw``."""
    hints = Hints()
    found = [e for e in error.errors(include_url=False) if not _is_echo(e)]
    return [Fault(field_path(e["loc"], raw), _message(dict(e), hints)) for e in found]


def _is_echo(error: Mapping[str, Any]) -> bool:
    """Whether a list is found too short only because none of its items is valid."""
    return error["type"] == "too_short" and bool(error["input"])


def field_path(location: Sequence[str | int], raw: object) -> str:
    """``spec.nodes[extract].retry.limit``: items by their names where they have one."""
    path, value = "spec", raw
    for part in location:
        if isinstance(part, str):
            path += f".{shorten(part)}"
            value = value.get(part) if isinstance(value, Mapping) else None
        else:
            has_it = isinstance(value, list | tuple) and part < len(value)
            value = value[part] if has_it else None  # type: ignore[index]
            path += f"[{item_label(value, part)}]"
    return path


def item_label(item: object, index: int) -> str:
    """What stands between the brackets: the item's name, or else its index."""
    name = item.get("name") if isinstance(item, Mapping) else None
    return shorten(name) if isinstance(name, str) and name else str(index)


def _message(error: Mapping[str, Any], hints: Hints) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(error["loc"], hints)
    if kind == "enum":
        return _no_choice(error["input"], context["expected"], hints)
    if kind == "string_pattern_mismatch":
        rule = _KEY if context["pattern"] == KEY_PATTERN else _DNS_LABEL
        return f"{shorten(error['input'])} is no valid name: {rule}"
    if kind == "value_error":
        return str(context["error"])
    if template := _WORDS.get(kind):
        given = {"got": kind_of(error["input"])} | context
        return template.format(**{key: _number(value) for key, value in given.items()})
    return str(error["msg"])


_WORDS: Final = {
    "missing": "is required",
    "string_type": "must be text, not {got}",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long; at most {max_length} characters are possible",
    "int_type": "must be a whole number, not {got}",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, not {got}",
    "bool_type": "must be true or false, not {got}",
    "tuple_type": "must be a list, not {got}",
    "dict_type": "must be an object, not {got}",
    "model_type": "must be an object, not {got}",
    "model_attributes_type": "must be an object, not {got}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a number",
    "too_short": "needs at least {min_length}, has {actual_length}",
    "too_long": "has too many items; at most {max_length} are possible",
}


def _number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_choice(given: object, expected: str, hints: Hints) -> str:
    choices = expected.replace("'", "").replace(" or ", ", ")
    hint = hints.closest(given, choices.split(", ")) if isinstance(given, str) else ""
    return f"{shorten(given)} is none of: {choices}{hint}"


def _unknown_field(location: Sequence[str | int], hints: Hints) -> str:
    field = str(location[-1])
    if location[0] == "standbys" and field in _NODE_ONLY:
        return "only nodes have it; a standby runs when a fallback or handler calls for it"
    return f"is no field{hints.closest(field, _fields_at(location[:-1]))}"


def _fields_at(location: Sequence[str | int]) -> list[str]:
    """The fields of the model at ``location``."""
    model: type[BaseModel] = WorkflowSpec
    for part in location:
        for field in model.model_fields.values():
            if field.alias == part:
                model = _model_in(field.annotation) or model
    return [field.alias for field in model.model_fields.values() if field.alias]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in get_args(annotation) if (m := _model_in(arg))), None)
