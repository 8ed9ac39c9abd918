"""Many notes of one kind about one Workflow become few: the first ones, then one in a while.

A run of hundreds of nodes that all fail would otherwise bury what else happened, and keep the API
server busy with Events.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tidegate.engine.messages import names
from tidegate.engine.model import Note, NoteKind
from tidegate.facts.model import WorkflowFact

_AT_ONCE = 10.0
"""Notes of one kind that are told one by one after a quiet time."""
_PAUSE = 10.0
"""Seconds between two that are told from then on."""
_REMEMBERED = 2000


@dataclass(slots=True)
class _Crowd:
    """What is left to say about one Workflow in one kind."""

    tokens: float
    filled_at: float
    count: int = 0
    nodes: list[str] = field(default_factory=list)
    last: tuple[WorkflowFact, Note] | None = None

    def fill(self, now: float) -> None:
        passed = max(0.0, now - self.filled_at)
        self.tokens, self.filled_at = min(_AT_ONCE, self.tokens + passed / _PAUSE), now

    def hold(self, workflow: WorkflowFact, note: Note) -> None:
        self.last = (workflow, note)
        self.count += 1
        if note.node and note.node not in self.nodes:
            self.nodes.append(note.node)

    def merge(self) -> tuple[WorkflowFact, Note] | None:
        """One note for all that were held back; None if there are none."""
        if self.last is None:
            return None
        workflow, note = self.last
        count, nodes, self.count, self.nodes, self.last = self.count, self.nodes, 0, [], None
        if count == 1:
            return workflow, note
        about = f" ({names(nodes)})" if nodes else ""
        message = f"{count} more{about}; the last: {note.message}"
        return workflow, replace(note, message=message, node="", attempt=0)


class Crowds:
    """Holds back what is too much; times are monotonic seconds."""

    def __init__(self) -> None:
        self._crowds: OrderedDict[tuple[str, NoteKind], _Crowd] = OrderedDict()
        self._held: dict[tuple[str, NoteKind], _Crowd] = {}

    def admit(self, workflow: WorkflowFact, note: Note, now: float) -> bool:
        """Whether ``note`` is to be told by itself; else it is held back to be merged."""
        key = (workflow.uid, note.kind)
        crowd = self._crowds.get(key) or self._held.get(key) or _Crowd(_AT_ONCE, now)
        self._crowds[key] = crowd
        self._crowds.move_to_end(key)
        if len(self._crowds) > _REMEMBERED:
            self._crowds.popitem(last=False)
        crowd.fill(now)
        if key not in self._held and crowd.tokens >= 1.0:
            crowd.tokens -= 1.0
            return True
        crowd.hold(workflow, note)
        self._held[key] = crowd
        return False

    def due_in(self, now: float) -> float | None:
        """Seconds until something that was held back may be told; None if nothing is."""
        waits = [
            (1.0 - crowd.tokens) * _PAUSE - (now - crowd.filled_at) for crowd in self._held.values()
        ]
        return max(0.0, min(waits)) if waits else None

    def due(self, now: float) -> Iterator[tuple[WorkflowFact, Note]]:
        """What was held back and may be told now, merged."""
        for key, crowd in tuple(self._held.items()):
            crowd.fill(now)
            if crowd.tokens >= 1.0:
                crowd.tokens -= 1.0
                yield from self._let_go(key)

    def rest(self, uid: str | None = None) -> Iterator[tuple[WorkflowFact, Note]]:
        """All that was held back about one Workflow, or about all of them, merged."""
        for key in tuple(self._held):
            if uid in (None, key[0]):
                yield from self._let_go(key)

    def _let_go(self, key: tuple[str, NoteKind]) -> Iterator[tuple[WorkflowFact, Note]]:
        merged = self._held.pop(key).merge()
        if merged is not None:
            yield merged
