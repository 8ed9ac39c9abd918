"""How large a regular expression is once its counted repeats are written out.

RE2 takes time in proportion to the text times this size, and to the size alone for reading the
expression. Sizes are in units of about what one plain character takes, and never too small.
"""

import re
from typing import Final

READING: Final = 16
"""What reading an expression costs, in characters of text that it is matched with."""
_MAX: Final = 10**9
_TOKEN: Final = re.compile(
    r"(?P<quoted>\\Q[\s\S]*?(?:\\E|\Z))"
    r"|(?P<property>\\[pP](?:\{[^}]*+(?:\}|\Z)|.)?)"
    r"|(?P<set>\[\^?\]?(?:\[:\^?\w*:\]|\\[\s\S]?|[^\]\\])*+(?:\]|\Z))"
    r"|(?P<times>\{([0-9]{1,4})(?:,([0-9]{0,4}))?\})"
    r"|(?P<kind>\\[dDsSwW]|\.)"
    r"|\\[\s\S]|[\s\S]"
)
_PROPERTY: Final = re.compile(r"\\[pP]")
_KIND: Final = re.compile(r"\\[dDsSwW]|\[\^|:\^")
_PROPERTY_SIZE: Final = 4000
"""Of a class of Unicode: hundreds of ranges of characters of several bytes."""
_KIND_SIZE: Final = 24
_FOLDED: Final = re.compile(r"\(\?[a-zA-Z]*i")


def pattern_size(pattern: str) -> int:
    """The size of ``pattern``; of one that isn't valid any number."""
    outer: list[int] = []
    total = last = 0
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(":
            outer.append(total)
            total = last = 1
        elif token[0] == ")":
            last = total + 1
            total = last + (outer.pop() if outer else 0)
        elif token["times"]:
            times = _times(token)
            total += last * (times - 1) + times
            last = last * times + times
        elif token[0] in ("*", "+", "?"):
            total += 1
            last += 1
        else:
            last = _size_of_one(token)
            total += last
        total, last = min(total, _MAX), min(last, _MAX)
    size = total + sum(outer)
    return min(2 * size if _FOLDED.search(pattern) else size, _MAX)


def _times(token: re.Match[str]) -> int:
    least, most = token[5], token[6]
    return max(int(least) + (most == ""), int(most or 0), 1)


def _size_of_one(token: re.Match[str]) -> int:
    """The size of what matches one character, or of a quoted text."""
    text = token[0]
    if token["property"]:
        return _PROPERTY_SIZE
    if token["kind"]:
        return _KIND_SIZE
    if token["set"]:
        properties, kinds = len(_PROPERTY.findall(text)), len(_KIND.findall(text))
        return len(text) + properties * _PROPERTY_SIZE + kinds * _KIND_SIZE
    return len(text.encode())
