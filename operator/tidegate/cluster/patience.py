"""How long a creation rests that a quota or a busy API server turned away.

Nothing is counted and nothing is recorded for it: after a restart it is simply tried at once.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from tidegate.api.identity import AttemptId
from tidegate.facts.model import Answer, AnswerKind

_FIRST = {AnswerKind.QUOTA: timedelta(seconds=5), AnswerKind.UNAVAILABLE: timedelta(seconds=1)}
_LONGEST = timedelta(seconds=30)


class Patience:
    """Remembers, for each attempt of each Workflow (by uid), until when it rests."""

    def __init__(self) -> None:
        self._resting: dict[str, dict[AttemptId, tuple[Answer, timedelta]]] = {}

    def resting(self, uid: str, now: datetime) -> dict[AttemptId, Answer]:
        """The last answers of the Workflow's attempts whose rest lasts."""
        answers = self._resting.get(uid, {})
        return {
            attempt: answer
            for attempt, (answer, _) in answers.items()
            if answer.again_at is not None and now < answer.again_at
        }

    def note(self, uid: str, attempt: AttemptId, answer: Answer) -> Answer:
        """The answer with the time of the next try, twice as far away as the last one was."""
        first = _FIRST.get(answer.kind)
        resting = self._resting.setdefault(uid, {})
        if first is None:
            resting.pop(attempt, None)
            if not resting:
                del self._resting[uid]
            return answer
        _, last = resting.get(attempt, (None, first / 2))
        rest = min(last * 2, _LONGEST)
        rested = replace(answer, again_at=answer.at + rest)
        resting[attempt] = (rested, rest)
        return rested

    def forget(self, uid: str) -> None:
        """The Workflow is gone or has ended."""
        self._resting.pop(uid, None)
