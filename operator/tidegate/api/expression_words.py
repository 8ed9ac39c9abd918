"""What CEL's library says about a condition, in words for people who write one now and then."""

import re
from typing import Final

_STATUS: Final = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]\s*$")
_CHECKED: Final = re.compile(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_EVALUATED: Final = re.compile(r"No matching overloads found : (\S+?)\((.*)\)")
_NO_KEY: Final = re.compile(r"Key not found in map : (.*)")
_TYPES: Final = {"int64": "int", "uint64": "uint", "null_type": "null"}
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
    if match := _NO_KEY.fullmatch(told):
        return f"there is no {match[1]}; has(…) tells whether there is one"
    hint = next((hint for part, hint in _HINTS.items() if part in told), "")
    return f"{told}; {hint}" if hint else told


def _no_overload(function: str, types: str) -> str:
    """An operator or function that isn't there for values of these types."""
    names = [_TYPES.get(name, name) for name in types.split(", ")]
    shown = function.strip("_@") or function
    hint = "; int(…) makes a number of text" if _mixes_text_and_number(names) else ""
    return f"{shown} can't take ({', '.join(names)}){hint}"


def _mixes_text_and_number(names: list[str]) -> bool:
    return "string" in names and not _NUMBERS.isdisjoint(names)
