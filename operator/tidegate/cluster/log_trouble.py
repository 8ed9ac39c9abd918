"""What it means that a log could not be written: what to count, whom to tell, when to try again."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tidegate.cluster.log_writer import ForeignLog
from tidegate.errors import AlreadyExists, ApiError, Conflict, NotFound, TryAgain
from tidegate.metrics import LogTrouble

_PASSING: Final = 3
"""Failures in a row that are nothing to tell of where they may pass by themselves."""
_LONGEST_PAUSE: Final = 300.0
_TOO_LARGE: Final = 413
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """One failure to write a log."""

    kind: LogTrouble
    words: str
    passing: bool
    """Whether it may well have passed at the next try."""
    hopeless: bool = False
    """Whether the log has no place any more: its namespace goes, or has gone."""

    def is_told(self, errors: int) -> bool:
        """Whether people should hear of it after so many failures in a row."""
        return not self.passing or errors >= _PASSING

    def is_counted(self, errors: int) -> bool:
        """Whether it counts after so many failures in a row: alerts ask only for what lasts.

        What a deletion explains never counts.
        """
        return not self.hopeless and self.is_told(errors)

    def pause(self, errors: int) -> float:
        """Seconds until the next try."""
        first = 0.25 if self.kind == "conflict" else 1.0
        return min(_LONGEST_PAUSE, first * 2.0 ** min(errors, 12))


def trouble_of(error: Exception) -> Trouble:
    """What went wrong, for people and metrics."""
    if not isinstance(error, ApiError):
        return Trouble("unavailable", "the API server took too long", passing=True)
    words = error.message
    if isinstance(error, ForeignLog):
        return Trouble("foreign", words, passing=error.reason == "BeingReplaced")
    if isinstance(error, (Conflict, AlreadyExists)):
        return Trouble("conflict", words, passing=True)
    if error.status == _TOO_LARGE or "too large" in words.lower() or "too long" in words.lower():
        return Trouble("too_large", words, passing=False)
    if isinstance(error, TryAgain):
        return Trouble("unavailable", words, passing=True)
    gone = isinstance(error, NotFound) or error.reason == "NamespaceTerminating"
    gone = gone or "because it is being terminated" in words
    return Trouble("forbidden", words, passing=gone, hopeless=gone)


def words_on_lost(keys: Collection[str]) -> str:
    """What to tell of attempts whose last lines can't be had any more."""
    first = ", ".join(sorted(keys)[:_NAMED])
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"the log lacks what was printed by {first}{more} (run.node.attempt), and says why"
