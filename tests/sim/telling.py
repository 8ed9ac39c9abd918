"""What people are told of checkpoints: each thing once, however often operators die.

An operator that dies after a record and before it has told is forgiven: telling comes after the
record, and nobody tells what another has recorded.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

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
        yield from _untold(approvals, store, ignored)


def _untold(
    approvals: Approvals, store: Store, ignored: Counter[tuple[str, tuple[str, str]]]
) -> Iterator[str]:
    for raw in store.all(WORKFLOW):
        uid = raw["metadata"]["uid"]
        for text in all_votes(raw):
            if text not in approvals.counted[uid] and not ignored[uid, text]:
                yield f"{text} stands there, but was neither counted nor told to be ignored"


def _told(text: tuple[str, str]) -> str:
    return f'vote on {text[0]} ignored: "{quoted(text[1], _SHOWN)}"'


__all__ = ["wrongly_told"]
