"""How much is told: everything a person reads, and less and less where it wouldn't fit."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Detail:
    """What each part of the log may take; whatever it leaves out, it says so."""

    failures: int
    """Nodes whose failure is told attempt by attempt, with what they wrote at last."""
    attempts: int
    """Attempts of one node."""
    tail_lines: int
    """Lines of what an attempt wrote at last."""
    tail_width: int
    """Characters of such a line."""
    message: int
    """Characters of a sentence about one thing."""
    rows: int
    """Nodes in the table, and in other lists of nodes."""
    output: int
    """Characters of a node's outputs in the table; 0: none."""
    params: int
    """Parameters in the header."""
    votes: int
    """Votes of one checkpoint, and checkpoints told in full."""
    events: int
    """Lines of the timeline."""
    boxes: int
    """Nodes of the graph; larger ones are drawn as waves."""
    images: int
    """Images."""


FULL: Final = Detail(
    failures=20,
    attempts=12,
    tail_lines=200,
    tail_width=400,
    message=1024,
    rows=500,
    output=72,
    params=64,
    votes=20,
    events=240,
    boxes=100,
    images=60,
)
LESS: Final = Detail(
    failures=10,
    attempts=6,
    tail_lines=20,
    tail_width=200,
    message=400,
    rows=500,
    output=32,
    params=32,
    votes=20,
    events=120,
    boxes=60,
    images=20,
)
LITTLE: Final = Detail(
    failures=5,
    attempts=3,
    tail_lines=10,
    tail_width=160,
    message=200,
    rows=100,
    output=0,
    params=10,
    votes=5,
    events=40,
    boxes=0,
    images=5,
)
LEAST: Final = Detail(
    failures=2,
    attempts=2,
    tail_lines=3,
    tail_width=100,
    message=120,
    rows=10,
    output=0,
    params=3,
    votes=2,
    events=10,
    boxes=0,
    images=0,
)
LEVELS: Final = (FULL, LESS, LITTLE, LEAST)
