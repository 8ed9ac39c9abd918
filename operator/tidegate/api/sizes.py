"""How large the texts of a pod become with their references replaced, told before any is joined.

A reference of a dozen characters may stand for 32 KiB, and may stand there thousands of times.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from tidegate.api.fields import MAX_ARGUMENT
from tidegate.api.references import KNOWN_NAMES, Text, find_references, param_of
from tidegate.errors import Fault

MAX_POD_TEXTS: Final = 512 * 1024
"""Bytes, as JSON: with what needs no replacing a Job stays below 1 MiB; etcd refuses 1.5 MiB."""
_LONGEST_NAME: Final = 63
"""Bytes of what the longest of ``KNOWN_NAMES`` stands for."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a text."""

    program: int
    """As the program is given it, a variable with its name."""
    sent: int
    """As the API server is sent it: JSON, each ``$`` of a value doubled."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A text with references, and its size without the values of other nodes."""

    references: tuple[str, ...]
    """What it refers to, each once."""
    size: Size
    open: tuple[tuple[str, int], ...]
    """What it reads of other nodes, each with how often it stands there."""

    def with_values(self, values: Mapping[str, Size]) -> Size:
        """Its size with ``values`` in place of those references."""
        known = [(values[name], count) for name, count in self.open if name in values]
        program = sum(value.program * count for value, count in known)
        sent = sum(value.sent * count for value, count in known)
        return Size(self.size.program + program, self.size.sent + sent)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the texts of a task's pod take together."""

    sent: int = 0
    """Bytes of all texts with references that read of no node."""
    texts: tuple[tuple[str, int, Measured], ...] = ()
    """Each text that reads of nodes, or is too long as it is: its path, the bytes of its variable's
    name, and what was found."""

    def sent_with(self, values: Mapping[str, Size]) -> int:
        """Bytes of all texts with references, with the ``values`` of other nodes put in."""
        return self.sent + sum(found.with_values(values).sent for _, _, found in self.texts)

    def excess(self, values: Mapping[str, str]) -> Fault | None:
        """What is too large with the ``values`` of other nodes put in; None if nothing is."""
        sizes = {name: size_of_value(value) for name, value in values.items()}
        for path, name, measured in self.texts:
            if (length := name + measured.with_values(sizes).program) > MAX_ARGUMENT:
                return Fault(path, f"takes {length} bytes{_REPLACED}; {MAX_ARGUMENT}{_AT_MOST}")
        if (sent := self.sent_with(sizes)) <= MAX_POD_TEXTS:
            return None
        took = f"its texts take {sent // 1024} KiB together{_REPLACED}"
        return Fault("", f"{took}; {MAX_POD_TEXTS // 1024} KiB{_AT_MOST}")


_REPLACED: Final = " with its references replaced"
_AT_MOST: Final = " are possible; pass large data by a volume or a ConfigMap"


class Measure:
    """Measures texts, each once however many tasks inherit it."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self._params = {name: size_of_value(value) for name, value in params.items()}
        self._known: dict[str, Measured] = {}

    def text(self, text: str) -> Measured | None:
        """What refers to something or is very long; None where ``text`` is as it says."""
        if "$(" not in text and len(text) * 4 <= MAX_ARGUMENT:
            return None
        if text not in self._known:
            self._known[text] = self._measured(text)
        return self._known[text]

    def texts(self, texts: Iterable[Text]) -> tuple[tuple[str, ...], Sizes]:
        """What ``texts``, which are of one pod, refer to, each once; and their sizes."""
        found: dict[str, None] = {}
        sent, kept = 0, []
        for path, text, name in texts:
            measured = self.text(text)
            if measured is None:
                continue
            found |= dict.fromkeys(measured.references)
            if measured.open or name + measured.size.program > MAX_ARGUMENT:
                kept.append((path, name, measured))
            elif measured.references:
                sent += measured.size.sent
        return tuple(found), Sizes(sent, tuple(kept))

    def _measured(self, text: str) -> Measured:
        counts = Counter(reference.expression for reference in find_references(text))
        program, sent = len(text.encode()), len(orjson.dumps(text)) - 2
        unknown = []
        for expression, count in counts.items():
            value = self._value(expression)
            if value is None:
                unknown.append((expression, count))
            width = len(expression) + len("$()")
            program += count * ((value.program if value else 0) - width)
            sent += count * ((value.sent if value else 0) - width)
        return Measured(tuple(counts), Size(program, sent), tuple(unknown))

    def _value(self, expression: str) -> Size | None:
        if expression in KNOWN_NAMES:
            return Size(_LONGEST_NAME, _LONGEST_NAME)
        param = param_of(expression)
        return None if param is None else self._params[param]


def size_of_value(value: str) -> Size:
    """What a reference that stands for ``value`` takes."""
    sent = len(orjson.dumps(value)) - 2 + value.count("$")
    return Size(len(value.encode()), sent)
