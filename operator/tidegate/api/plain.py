"""Text from outside, made fit to be read: what a terminal would obey or hide is taken out.

Programs, people and other controllers write what ends up in statuses, Events and logs: colours and
links for terminals, controls that turn the direction of writing, characters that nobody sees.
"""

import re
import unicodedata
from typing import Final

_ESCAPES: Final = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"  # DCS and other strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, moves
    r"|\x1b[ -/]*[0-~]?"
)
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that show nothing although Unicode counts them among the printable ones."""
_STACKED: Final = 3
"""Marks on one letter that languages need; more of them only smear over the lines around."""
_NO_CHARACTER: Final = frozenset({"Cn", "Co", "Cs"})
_TAB: Final = 8
_MARGIN: Final = 16
"""So many times the characters that are asked for are looked at; the rest may be megabytes."""


def one_line(text: str) -> str:
    """``text`` on one line, in characters that are seen and do nothing; spaces are single."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join(_visible(text).split())


def lines(text: str) -> list[str]:
    """``text`` as a terminal would leave it, line by line, without blank lines at its ends.

    A line that was begun anew by carriage returns, as progress bars do, is what it was at last.
    """
    found = [_line(line) for line in text.replace("\r\n", "\n").split("\n")]
    while found and not found[-1]:
        found.pop()
    first = next((i for i, line in enumerate(found) if line), 0)
    return found[first:]


def clip(text: str, limit: int) -> str:
    """``text`` on one line, at most ``limit`` characters; what is cut off ends in ``…``."""
    start = text[: limit * _MARGIN]
    plain = one_line(start)
    if len(plain) <= limit and len(start) == len(text):
        return plain
    return f"{plain[: limit - 1]}…"


def clip_bytes(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8, at least 3; a cut off end becomes ``…``."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return f"{data[: limit - 3].decode(errors='ignore')}…"


def _line(text: str) -> str:
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    if text.isascii() and text.isprintable():
        return text.rstrip()
    return _visible(text.expandtabs(_TAB)).rstrip()


def _visible(text: str) -> str:
    text = _UNSEEN.sub("", _ESCAPES.sub("", text))
    if not text.isprintable():
        text = "".join(ch if ch.isprintable() else _instead(ch) for ch in text)
    return text if text.isascii() else _unstacked(text)


def _instead(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return "\ufffd" if category in _NO_CHARACTER else " "


def _unstacked(text: str) -> str:
    """``text`` without the marks that pile up on one letter."""
    kept, marks = [], 0
    for ch in text:
        marks = marks + 1 if unicodedata.combining(ch) else 0
        if marks <= _STACKED:
            kept.append(ch)
    return "".join(kept)
