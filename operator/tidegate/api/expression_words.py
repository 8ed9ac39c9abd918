"""What CEL's library says about a condition, in words for people who write one now and then."""

import re
from typing import Final

_STATUS: Final = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]\s*$")
_CHECKED: Final = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_EVALUATED: Final = re.compile(r"No matching overloads found : ([^\s(]+)(?:\((.*)\))?")
_OF_VALUE: Final = re.compile(r"No matching overloads found : \((.*)\)\.(\w+)\((.*)\)")
_NO_KEY: Final = re.compile(r"Key not found in map : (.*)")
_TYPES: Final = {"int64": "int", "uint64": "uint", "null_type": "null"}
_SHOWN: Final = {"<jump_condition>": "? :", "<iter_range>": "a loop"}
_WANTED: Final = {
    "@in": "neither a list nor a map",
    "<iter_range>": "neither a list nor a map",
    **dict.fromkeys(("!_", "_&&_", "_||_", "<jump_condition>"), "neither true nor false"),
}
"""What values are that some operators can't take."""
_NUMBERS: Final = {"int", "uint", "double"}
_HINTS: Final = {
    "token recognition error at: '$'": "names stand in a condition as they are, without $(…)",
    "token recognition error at: '= '": "CEL compares by ==",
    "input '}' expecting ':'": "a condition stands there as it is, without {{ }}",
    "input 'and'": "CEL writes &&",
    "input 'or'": "CEL writes ||",
    "undeclared reference": "a condition knows params, nodes and workflow; text stands in quotes",
}


def plain(words: str) -> str:
    """The library's ``words`` without codes and signatures, with what usually helps."""
    told = _STATUS.sub("", words.strip())
    if match := _CHECKED.fullmatch(told) or _EVALUATED.fullmatch(told):
        return _no_overload(match[1], match[2])
    if match := _OF_VALUE.fullmatch(told):
        return _no_overload(match[2], ", ".join(filter(None, (match[1], match[3]))))
    if match := _NO_KEY.fullmatch(told):
        return f"there is no {match[1]}; has(…) tells whether there is one"
    hint = next((hint for part, hint in _HINTS.items() if part in told), "")
    return f"{told}; {hint}" if hint else told


def _no_overload(function: str, types: str | None) -> str:
    """An operator or function that isn't there for values of these types, if they are known."""
    shown = _SHOWN.get(function) or function.strip("_@") or function
    if types is None:
        return f"{shown} can't take a value that is {_WANTED.get(function, 'of another type')}"
    names = [_TYPES.get(name, name) for name in types.split(", ")]
    mixed = _mixes_text_and_number(names) and not shown.isidentifier()
    hint = "; int(…) makes a number of text" if mixed else ""
    return f"{shown} can't take ({', '.join(names)}){hint}"


def _mixes_text_and_number(names: list[str]) -> bool:
    return "string" in names and not _NUMBERS.isdisjoint(names)
