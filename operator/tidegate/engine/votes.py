"""The texts of votes that stand in a Workflow's annotations, and what is remembered of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.api.checkpoint_spec import MAX_VOTES
from tidegate.api.identity import digest
from tidegate.api.status import NodeStatus, Vote
from tidegate.api.vote import REJECTED, VoteKey, vote_key
from tidegate.constants import ANNOTATION_VOTE
from tidegate.engine.ballots import present_votes
from tidegate.engine.messages import clip, quoted
from tidegate.engine.model import Note, NoteKind

MAX_SEEN: Final = 64
"""Texts that are remembered of a checkpoint, as long as they stand."""
MAX_STANDING: Final = 40
"""Texts that may stand when a checkpoint opens: all must be remembered, as none of them counts."""
MAX_RECORDED: Final = 2 * MAX_VOTES
"""Votes that are recorded of a checkpoint: of each user the latest, and some before these."""
_SHOWN: Final = 80
_KEYS: Final = 600
DIGEST: Final = 12
"""Characters of a digest; CEL has none, hence the key and the text's beginning behind it."""
_REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class VoteText:
    """An annotation that is a vote, or claims to be."""

    suffix: str
    """Its key after the slash."""
    key: VoteKey
    text: str
    digest: str
    """Of suffix and text: tells it from every other."""

    @property
    def entry(self) -> str:
        """What status remembers: the digest, and what an admission policy can compare."""
        return f"{self.digest} {self.suffix}={self.text[:_REMEMBERED]}"


def texts_by_node(annotations: Mapping[str, str]) -> dict[str, tuple[VoteText, ...]]:
    """The votes by the node that their keys name, each node's in the order of the keys."""
    found: dict[str, tuple[VoteText, ...]] = {}
    for annotation in sorted(key for key in annotations if key.startswith(ANNOTATION_VOTE)):
        key, text = vote_key(annotation), annotations[annotation]
        if key is not None:
            suffix = annotation.removeprefix(ANNOTATION_VOTE)
            vote = VoteText(suffix, key, text, digest_of(suffix, text))
            found[key.node] = (*found.get(key.node, ()), vote)
    return found


def digest_of(suffix: str, text: str) -> str:
    """Twelve hexadecimal characters that stand for a vote."""
    return digest(suffix, text).hex()[:DIGEST]


def was_looked_at(node: NodeStatus, vote: VoteText) -> bool:
    """Whether the vote was counted or ignored before, or stood there when the node opened."""
    return any(entry.startswith(vote.digest) for entry in node.seen)


def without_gone(node: NodeStatus, votes: Sequence[VoteText]) -> NodeStatus:
    """The node without memory of texts that no longer stand.

    Whoever writes such a text again says something new: who takes back a vote that didn't count
    and gives it once more, or who changes their mind back.
    """
    present = {vote.digest for vote in votes}
    seen = tuple(entry for entry in node.seen if entry[:DIGEST] in present)
    return node if seen == node.seen else node.model_copy(update={"seen": seen})


def is_dead(node: NodeStatus, vote: VoteText) -> bool:
    """Whether the vote stands there and doesn't count: it never did, or its user voted anew."""
    counts = ((one.key, one.text) for one in present_votes(node.votes))
    return was_looked_at(node, vote) and (vote.suffix, vote.text) not in counts


def with_ignored(node: NodeStatus, vote: VoteText) -> NodeStatus | None:
    """The node with one more vote that didn't count; None if there is no room to remember it.

    Room for the votes that may still count is kept free.
    """
    if len(node.seen) + MAX_VOTES - len(present_votes(node.votes)) >= MAX_SEEN:
        return None
    return node.model_copy(update={"seen": (*node.seen, vote.entry)})


def with_vote(node: NodeStatus, counted: Vote, vote: VoteText) -> NodeStatus | None:
    """The node with one more vote that counts; None if there is no room to remember it.

    A rejection always finds room: it decides, and then no vote counts any more. Of votes that
    later ones of the same users took the place of, the oldest go first.
    """
    seen = (*node.seen, vote.entry)
    if len(seen) > MAX_SEEN and counted.decision != REJECTED:
        return None
    votes = (*node.votes, counted)
    if len(votes) > MAX_RECORDED:
        present = present_votes(votes)
        oldest = next(i for i, old in enumerate(votes) if all(old is not one for one in present))
        votes = (*votes[:oldest], *votes[oldest + 1 :])
    return node.model_copy(update={"votes": votes, "seen": seen[-MAX_SEEN:]})


def ignored(vote: VoteText, why: str) -> Note:
    """Tells that a vote doesn't count; ``why`` is the end of a sentence that begins with it."""
    return Note(NoteKind.CHECKPOINT_VOTE_IGNORED, ignored_words(vote, why), warning=True)


def stood_there(name: str, code: str | None, votes: Sequence[VoteText]) -> Note:
    """Tells of all at once that answered no question, or the one before."""
    keys = clip(", ".join(vote.suffix for vote in votes), _KEYS)
    told = f"votes that stood there before {name} opened don't count: {keys}; vote with @{code}"
    return Note(NoteKind.CHECKPOINT_VOTE_IGNORED, clip(told), warning=True)


def ignored_words(vote: VoteText, why: str) -> str:
    """``vote on approve ignored: "aproved by alice" is none of: approve, reject``."""
    return clip(f'vote on {clip(vote.suffix, 63)} ignored: "{quoted(vote.text, _SHOWN)}" {why}')
