"""Text from outside inside markdown: shown as it is, and nothing comes of it.

Backslashes don't do: Git hosts find links, mail addresses, @names, #numbers and commits in whatever
text is left once markdown is read, escaped or not. Code is what they all leave alone. So words that
could mean nothing but themselves are written plainly, and all others as code.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from tidegate.api.plain import clip, one_line

_WORD: Final = r"[^\W_]++(?:['\u2019][^\W_]++)*+"
_PLAIN: Final = re.compile(
    r"""["'\u201c\u2018(]*+"""
    rf"(?:{_WORD}(?:-{_WORD})*+"
    r"|[+-]?[0-9]{1,6}[.,][0-9]{1,6}%?|[+-]?[0-9]{1,6}%?"
    r"|[0-9]{1,4}/[0-9]{1,4}|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    r"|[\u2013\u2014→·+=/-])?"
    r"""["'\u201d\u2019).,;:!?…]*+"""
)
"""A word, number, time or dash between quotes, brackets and punctuation."""
_MEANT: Final = re.compile(
    r"[A-Z][A-Z0-9]*-[0-9]|[Gg][Hh]-[0-9]|(?<![^\W_])[0-9a-fA-F]{7,}(?![^\W_])"
)
"""Plain words that Git hosts may take for issues and commits."""
_MAX_WORD: Final = 64
_COMMAND: Final = re.compile(r"(kubectl [^;]*[^; ])")
_LIST: Final = re.compile(r"[0-9]+[.)]|[+=-]")
"""Whatever begins so might begin a list, or underline the line before as a heading."""
_BACKTICKS: Final = re.compile(r"`+")
_MAX_BACKTICKS: Final = 8
"""Parsers give up on longer runs around a span of code."""
_STOPS: Final = ",;:."
_PIPE: Final = "¦"


def is_plain(word: str) -> bool:
    """Whether a word without spaces can stand in a line as it is, on every Git host."""
    if len(word) > _MAX_WORD or _PLAIN.fullmatch(word) is None:
        return False
    return _MEANT.search(word) is None


def words(text: str, limit: int = 1024) -> str:
    """``text`` on one line as prose, with all that could mean something to a reader as code."""
    text = clip(text, limit)
    if is_plain(text):
        return text
    parts = _COMMAND.split(text)
    return " ".join(filter(None, (_part(part) for part in parts)))


def opening(text: str, limit: int = 1024) -> str:
    """As ``words``, where a line begins with it: what might begin a list there is code, too."""
    found = words(text, limit)
    first, _, rest = found.partition(" ")
    if _LIST.match(first) is None:
        return found
    return f"{_code(first)} {rest}".rstrip()


def sentence(text: str) -> str:
    """A text of this module with a capital letter first, unless a name stands there."""
    first = text.partition(" ")[0]
    return text if first.endswith(":") else f"{text[:1].upper()}{text[1:]}"


def _part(text: str) -> str:
    if text.startswith("kubectl "):
        return _code(text)
    return " ".join(_runs(text.split()))


def _runs(given: Sequence[str]) -> Iterator[str]:
    """Plain words as they are, the others together as code."""
    for plain, group in groupby(given, is_plain):
        if plain:
            yield from group
            continue
        text = " ".join(group)
        bare = text.rstrip(_STOPS) or text
        yield _code(bare) + text[len(bare) :]


def name(text: str) -> str:
    """The name of something: as it is where that is harmless, otherwise as code."""
    text = one_line(text)
    return text if text and is_plain(text) and not _LIST.match(text) else code(text)


def names(items: Sequence[str], most: int) -> str:
    """Several names: ``a, b and 3 more``."""
    shown = ", ".join(name(item) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def code(text: str, limit: int = 1024) -> str:
    """``text`` on one line as code."""
    return _code(clip(text, limit))


def _code(text: str) -> str:
    text = _short_runs(text)
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    if not text:
        return "` `"
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(text: str) -> str:
    """A text of this module as it can stand in a table: no pipe ends the cell."""
    return text.replace("|", _PIPE)


def fenced(content: Iterable[str], info: str = "text") -> list[str]:
    """Lines as a block of code, whatever fences stand in them."""
    inside = [_short_runs(line) for line in content]
    runs = (len(run) for line in inside for run in _BACKTICKS.findall(line))
    fence = "`" * max(3, 1 + max(runs, default=0))
    return [f"{fence}{info}", *inside, fence]


def _short_runs(text: str) -> str:
    if "`" * (_MAX_BACKTICKS + 1) not in text:
        return text
    return _BACKTICKS.sub(lambda run: run[0][:_MAX_BACKTICKS], text)
