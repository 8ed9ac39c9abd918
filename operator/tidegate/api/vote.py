"""Votes: the annotations by which people answer a checkpoint.

A key is ``checkpoint.tidegate.dev/<node>`` or ``<node>.<tag>``. The first line of a text is
``<decision>[@<code>][ by <user>][: <comment>]``; lines ``<name>: <value>`` follow where the
checkpoint asks for values. Nothing is stripped and nothing is guessed: the user's name ends at the
first ``: ``, as it does in the admission policy that compares it with the writer's.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tidegate.api.fields import NAME_PATTERN
from tidegate.constants import ANNOTATION_VOTE

MAX_VOTE_BYTES: Final = 1024
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
APPROVALS: Final = ("approve", APPROVED)
REJECTIONS: Final = ("reject", REJECTED)

_NODE: Final = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))
_TAG: Final = re.compile(r"[a-z0-9-]{1,20}")
_DECISION: Final = re.compile(r"[a-z][a-z0-9-]*")
_FIRST: Final = re.compile(r"([a-z][a-z0-9-]*)(?:@([a-z0-9]+))?(?: by (.*))?", re.DOTALL)
_INPUT: Final = re.compile(r"([A-Za-z_][-A-Za-z0-9_]*): (.*)", re.DOTALL)
_FORM: Final = "<decision> by <user>, or <decision> by <user>: <comment>"


@dataclass(frozen=True, slots=True)
class VoteKey:
    """What the key of a vote names."""

    node: str
    """The node, as far as it can be told; there may be none of that name."""
    tag: str = ""
    """Tells the votes of several voters apart."""
    fault: str = ""
    """What is wrong with the key; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the text of a vote says."""

    decision: str
    """As it was written: approve, approved, reject, rejected, or one of the choices."""
    code: str | None = None
    by: str | None = None
    """None where no user is named."""
    comment: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)


def is_decision(text: str) -> bool:
    """Whether ``text`` can stand where a vote has its decision."""
    return _DECISION.fullmatch(text) is not None


def vote_key(annotation: str) -> VoteKey | None:
    """What the key of an annotation names; None if it is no vote's."""
    if not annotation.startswith(ANNOTATION_VOTE):
        return None
    node, dot, tag = annotation.removeprefix(ANNOTATION_VOTE).partition(".")
    if not _NODE.fullmatch(node):
        return VoteKey(node, tag, f"{node} is no name of a node")
    if dot and not _TAG.fullmatch(tag):
        return VoteKey(node, tag, "what follows the node's name and a dot is a tag of a-z, 0-9, -")
    return VoteKey(node, tag)


def parse_vote(text: str) -> Ballot | str:
    """What the vote ``text`` says, or what is wrong with it; never raises.

    A fault is the end of a sentence that begins with the text: ``is not …``.
    """
    if fault := _unreadable(text):
        return fault
    first, *lines = text.split("\n")
    said, has_comment, comment = first.partition(": ")
    match = _FIRST.fullmatch(said)
    if match is None or match[3] == "":
        return f"is not {_FORM}"
    inputs: dict[str, str] = {}
    for line in filter(None, lines):
        found = _INPUT.fullmatch(line)
        if found is None:
            return "has a line after the first that is not <name>: <value>"
        if found[1] in inputs:
            return f"gives {found[1]} twice"
        inputs[found[1]] = found[2]
    return Ballot(match[1], match[2], match[3], comment if has_comment else None, inputs)


def format_vote(ballot: Ballot) -> str:
    """The text that says ``ballot``."""
    code = f"@{ballot.code}" if ballot.code is not None else ""
    by = f" by {ballot.by}" if ballot.by is not None else ""
    comment = f": {ballot.comment}" if ballot.comment is not None else ""
    lines = (f"\n{name}: {value}" for name, value in ballot.inputs.items())
    return f"{ballot.decision}{code}{by}{comment}{''.join(lines)}"


def _unreadable(text: str) -> str:
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_VOTE_BYTES:
        return f"has {size} bytes; at most {MAX_VOTE_BYTES} are possible"
    if not text:
        return f"is empty; expected {_FORM}"
    if any(unicodedata.category(ch) in ("Cc", "Cs") for ch in text if ch != "\n"):
        return "holds control characters"
    return ""


__all__ = [
    "APPROVALS",
    "APPROVED",
    "MAX_VOTE_BYTES",
    "REJECTED",
    "REJECTIONS",
    "Ballot",
    "VoteKey",
    "format_vote",
    "is_decision",
    "parse_vote",
    "vote_key",
]
