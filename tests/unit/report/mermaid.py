"""A strict reader of the part of mermaid that logs use.

    graph   = "flowchart " ("LR" | "TD") NL { box | fallback | edge | chain } { class }
    box     = "  " id '["' state " " name '"]:::' phase
            | "  " id '["wave' … ": " counts '"]:::' phase
    edge    = "  " id { " & " id } " --> " id { " --> " id }
    dotted  = "  " id " -.-> " id
    class   = "  classDef " phase " fill:#…,stroke:#…,color:#…"

Ids are declared before they are used, once; every class that is used is defined, and no other.
"""

import re
from dataclasses import dataclass, field

from tidegate.api.status import NodePhase
from tidegate.report.states import SYMBOLS

PHASES = "|".join(NodePhase)
NAME = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
COUNTS = rf"[0-9]+ (?:{PHASES})(?:, [0-9]+ (?:{PHASES}))*"
NODE = re.compile(rf'  (n[0-9]+f?)\["(.) ({NAME})"\]:::({PHASES})')
WAVES = re.compile(rf'  (w[0-9]+)\["(waves? [0-9]+(?: to [0-9]+)?): ({COUNTS})"\]:::({PHASES})')
EDGE = re.compile(r"  ([nw][0-9]+(?: & n[0-9]+)*)((?: --> [nw][0-9]+)+)")
DOTTED = re.compile(r"  (n[0-9]+) -\.-> (n[0-9]+f)")
COLOUR = "#[0-9a-f]{6}"
CLASS = re.compile(rf"  classDef ({PHASES}) fill:{COLOUR},stroke:{COLOUR},color:{COLOUR}")
MAX_CHARACTERS = 50_000
"""What mermaid draws at the most, as Git hosts set it up."""
MAX_EDGES = 500


@dataclass
class Graph:
    """What was read."""

    boxes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By id: what is written in it, and its class."""
    edges: list[tuple[str, str]] = field(default_factory=list)
    dotted: list[tuple[str, str]] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)


def parse_mermaid(text: str) -> Graph:
    """The graph that ``text`` draws; raises ValueError where it is anything else."""
    first, *lines = text.removesuffix("\n").split("\n")
    if first not in ("flowchart LR", "flowchart TD"):
        raise ValueError(f"begins with {first!r}")
    if len(text) > MAX_CHARACTERS:
        raise ValueError("too long to be drawn")
    graph = Graph()
    for line in lines:
        _line(graph, line)
    if len(graph.edges) > MAX_EDGES:
        raise ValueError("too many edges to be drawn")
    used = {its_class for _, its_class in graph.boxes.values()}
    if used != graph.classes:
        raise ValueError(f"classes {graph.classes}, but {used} are used")
    for ends in (*graph.edges, *graph.dotted):
        if not set(ends) <= graph.boxes.keys():
            raise ValueError(f"an edge {ends} between unknown boxes")
    return graph


def _line(graph: Graph, line: str) -> None:
    if found := NODE.fullmatch(line):
        key, symbol, name, phase = found.groups()
        if symbol != SYMBOLS[NodePhase(phase)]:
            raise ValueError(f"another state than its class: {line!r}")
        _declare(graph, key, name, phase)
    elif found := WAVES.fullmatch(line):
        _declare(graph, found[1], f"{found[2]}: {found[3]}", found[4])
    elif found := EDGE.fullmatch(line):
        *others, last = [part.split(" & ") for part in (found[1], *found[2].split(" --> ")[1:])]
        for here, there in zip(others, [*others[1:], last], strict=True):
            graph.edges += [(one, other) for one in here for other in there]
    elif found := DOTTED.fullmatch(line):
        graph.dotted.append((found[1], found[2]))
    elif found := CLASS.fullmatch(line):
        graph.classes.add(found[1])
    else:
        raise ValueError(f"line {line!r}")


def _declare(graph: Graph, key: str, text: str, phase: str) -> None:
    if key in graph.boxes:
        raise ValueError(f"{key} is declared twice")
    graph.boxes[key] = (text, phase)
