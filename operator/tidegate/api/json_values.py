"""Values that nodes pass on: JSON, without what its readers would each take differently.

Duplicate keys, NaN, numbers beyond 64 bits, half surrogate pairs, NUL characters and deep nesting
are refused in words, as jq, Python, CEL and the kubelet don't agree on them.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

MAX_DEPTH: Final = 32
"""Lists and objects inside each other."""
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
_UNKNOWN_BYTES: Final = "\ufffd"
"""What stands in an API object for bytes that are no UTF-8."""
_TOO_DEEP: Final = f"is nested more than {MAX_DEPTH} levels deep"


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that ``text`` is; raises ValueError that says what else it is."""
    if _UNKNOWN_BYTES in text:
        raise ValueError("holds bytes that are no UTF-8")
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"is no JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(found, dict):
        raise ValueError(f"is {kind_of(found)}, not a JSON object")  # noqa: TRY004 - bad text
    if fault := value_fault(found):
        raise ValueError(fault)
    return found


def value_fault(value: object, depth: int = MAX_DEPTH) -> str:
    """Why a decoded JSON value can't be passed on; empty where it can."""
    if isinstance(value, str):
        return _text_fault(value)
    if isinstance(value, float) and not isfinite(value):
        return "holds a number that is none or has no bound"
    if isinstance(value, int) and not _MIN_INT <= value <= _MAX_INT:
        return f"holds a number beyond 64 bits, {_shown(str(value))}; write it as text"
    if not isinstance(value, Mapping | list | tuple):
        return ""
    if depth == 0:
        return _TOO_DEEP
    items = [*value, *value.values()] if isinstance(value, Mapping) else value
    return next((fault for item in items if (fault := value_fault(item, depth - 1))), "")


def compact(value: object) -> str:
    """``value`` as JSON without blanks; keys in their own order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def kind_of(value: object) -> str:
    """What kind of JSON value it is, in words."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    return kinds.get(type(value), "an object" if isinstance(value, Mapping) else "a list")


def _text_fault(text: str) -> str:
    if "\0" in text:
        return "holds a NUL character, which no argument or variable can hold"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"holds the key {json.dumps(_shown(twice))} twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"holds {name}, which is no JSON")


def _integer(text: str) -> int:
    if len(text) > len(str(_MIN_INT)):
        raise ValueError(f"holds a number beyond 64 bits, {_shown(text)}; write it as text")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"holds a number beyond 64 bits, {_shown(text)}; write it as text")
    return number


def _shown(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"  # noqa: PLR2004 - enough to find it
