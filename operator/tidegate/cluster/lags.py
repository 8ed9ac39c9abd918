"""How far the cluster and the operator lag behind, measured on what the view hears of.

Every replica hears of everything, and hears of it again when it starts: what counts is what
happens while one leads.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from tidegate import metrics
from tidegate.facts.model import AttemptFact

_KEPT = 2000
"""Workflows whose last end is remembered."""
_STILL_A_HANDOFF = 60.0
"""Seconds after which a creation is no longer put down to the last end."""


class Lags:
    """Records lags as attempts change."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ended: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Of each Workflow the run and the time of its last end."""
        self._since: datetime | None = None

    def begin(self, at: datetime) -> None:
        """This replica leads since ``at``: what happened earlier is another's to count."""
        self._since = at

    def forget(self, workflow_uid: str) -> None:
        """What the Workflow starts next follows from something else than its last end."""
        self._ended.pop(workflow_uid, None)

    def observe(self, workflow_uid: str, before: AttemptFact, after: AttemptFact) -> None:
        """An attempt of the Workflow changed, or was listed at a start."""
        if self._since is None:
            return
        self._note_end(workflow_uid, before, after)
        self._observe_handoff(workflow_uid, before, after, self._since)
        if after.job is None:
            return
        started = _started_at(after)
        fresh = started is not None and started >= self._since
        if started is not None and fresh and _started_at(before) is None:
            metrics.record_job_start_lag(_seconds(after.job.created_at, started))
        told_at = after.job.end.at if after.job.end else None
        ended = max((pod.finished_at for pod in after.pods if pod.finished_at), default=None)
        was_told = before.job is not None and before.job.end is not None
        if told_at is not None and ended is not None and before.job is not None and not was_told:
            metrics.record_job_finish_lag(_seconds(ended, told_at))

    def _note_end(self, uid: str, before: AttemptFact, after: AttemptFact) -> None:
        over = [pod for pod in after.pods if pod.is_over]
        if over and not any(pod.is_over for pod in before.pods):
            self._ended[uid] = (over[-1].attempt.run, self._monotonic())
            self._ended.move_to_end(uid)
            if len(self._ended) > _KEPT:
                self._ended.popitem(last=False)

    def _observe_handoff(
        self, uid: str, before: AttemptFact, after: AttemptFact, since: datetime
    ) -> None:
        """Retries wait for their backoff and fallbacks for a failure: only first attempts count."""
        job = after.job
        if before.job is not None or job is None or after.pods or job.created_at < since:
            return
        run, ended = self._ended.pop(uid, (0, 0.0))
        first = job.attempt.number == 1 and job.attempt.run == run
        lag = self._monotonic() - ended
        if first and lag < _STILL_A_HANDOFF:
            metrics.record_handoff(lag)


def _started_at(fact: AttemptFact) -> datetime | None:
    return next((pod.main_started_at for pod in fact.pods if pod.main_started_at), None)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
