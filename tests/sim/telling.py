"""What people are told of checkpoints: each thing once, however often operators die.

An operator that dies after a record and before it has told is forgiven: telling comes after the
record, and nobody tells what another has recorded.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from tests.sim.approvals import Approvals
from tests.sim.store import WORKFLOW, Store
from tests.sim.voters import Voters, all_votes
from tidegate.engine.messages import quoted
from tidegate.engine.model import Note, NoteKind

_SHOWN = 80
_DECIDED = (NoteKind.CHECKPOINT_APPROVED, NoteKind.CHECKPOINT_REJECTED)


def wrongly_told(
    approvals: Approvals,
    voters: Voters,
    notes: Sequence[tuple[str, Note]],
    store: Store,
    *,
    calm: bool,
) -> Iterator[str]:
    """What was told twice; and what was not told although no operator died (``calm``)."""
    decisions = Counter((uid, note.node) for uid, note in notes if note.kind in _DECIDED)
    for key in {*decisions, *approvals.decided}:
        told, made = decisions[key], approvals.decided[key]
        if told > made or (calm and told < made):
            yield f"{key}: {made} decisions were recorded, {told} told"
    ignored = Counter(
        (uid, text)
        for uid, note in notes
        if note.kind is NoteKind.CHECKPOINT_VOTE_IGNORED
        for text in voters.written
        if note.message.startswith(_told(text))
    )
    for (uid, text), count in ignored.items():
        if count > 1 and voters.written[text] == 1:
            yield f"{uid}: {text} is told to be ignored {count} times"
    if calm:
        stood = {(uid, key) for uid, note in notes for key in _stood_there(note)}
        yield from _untold(approvals, store, ignored, stood)


def _untold(
    approvals: Approvals,
    store: Store,
    ignored: Counter[tuple[str, tuple[str, str]]],
    stood: Collection[tuple[str, str]],
) -> Iterator[str]:
    for raw in store.all(WORKFLOW):
        uid = raw["metadata"]["uid"]
        for text in all_votes(raw):
            is_told = ignored[uid, text] or (uid, text[0]) in stood
            if text not in approvals.counted[uid] and not is_told:
                yield f"{text} stands there, but was neither counted nor told to be ignored"


def _stood_there(note: Note) -> list[str]:
    """The keys of the votes that are told at once: they stood there when a question was asked."""
    _, is_so, told = note.message.partition(" opened don't count: ")
    return told.partition(";")[0].split(", ") if is_so else []


def _told(text: tuple[str, str]) -> str:
    return f'vote on {text[0]} ignored: "{quoted(text[1], _SHOWN)}"'


__all__ = ["wrongly_told"]
