"""The texts of votes that stand in a Workflow's annotations, and what is remembered of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.api.checkpoint_spec import MAX_VOTES
from tidegate.api.identity import digest
from tidegate.api.status import NodeStatus, Vote
from tidegate.api.vote import VoteKey, vote_key
from tidegate.constants import ANNOTATION_VOTE
from tidegate.engine.messages import clip, quoted
from tidegate.engine.model import Note, NoteKind

MAX_SEEN: Final = 64
"""Digests that are remembered of a checkpoint."""
MAX_STANDING: Final = 40
"""Texts that may stand when a checkpoint opens: all must be remembered, as none of them counts."""
_SHOWN: Final = 80
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
    """Whether the vote was counted or ignored before, or stood there when the node opened.

    One that was counted, replaced under its key and written again is new: somebody changed their
    mind back, and what stands in the annotation last is what they mean.
    """
    if any((known.key, known.text) == (vote.suffix, vote.text) for known in node.votes):
        mark = f" {vote.suffix}="
        of_key = [entry[:DIGEST] for entry in node.seen if entry.startswith(mark, DIGEST)]
        return not of_key or of_key[-1] == vote.digest
    return any(entry.startswith(vote.digest) for entry in node.seen)


def with_ignored(node: NodeStatus, vote: VoteText) -> NodeStatus | None:
    """The node with one more vote that didn't count; None if there is no room to remember it.

    Room for the votes that may still count is kept free.
    """
    if len(node.seen) + MAX_VOTES - len(node.votes) >= MAX_SEEN:
        return None
    return node.model_copy(update={"seen": (*node.seen, vote.entry)})


def with_vote(node: NodeStatus, counted: Vote, vote: VoteText) -> NodeStatus:
    """The node with one more vote that counts; a rejection takes the last place if all are."""
    votes = (*node.votes[: MAX_VOTES - 1], counted)
    seen = (*node.seen, vote.entry)[-MAX_SEEN:]
    return node.model_copy(update={"votes": votes, "seen": seen})


def ignored(vote: VoteText, why: str) -> Note:
    """Tells that a vote doesn't count; ``why`` is the end of a sentence that begins with it."""
    return Note(NoteKind.CHECKPOINT_VOTE_IGNORED, ignored_words(vote, why), warning=True)


def ignored_words(vote: VoteText, why: str) -> str:
    """``vote on approve ignored: "aproved by alice" is none of: approve, reject``."""
    return clip(f'vote on {clip(vote.suffix, 63)} ignored: "{quoted(vote.text, _SHOWN)}" {why}')
