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
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._since: datetime | None = None

    def begin(self, at: datetime) -> None:
        """This replica leads since ``at``: what happened earlier is another's to count."""
        self._since = at

    def observe(self, workflow_uid: str, before: AttemptFact, after: AttemptFact) -> None:
        """An attempt of the Workflow changed, or was listed at a start."""
        if self._since is None:
            return
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

    def _observe_handoff(
        self, uid: str, before: AttemptFact, after: AttemptFact, since: datetime
    ) -> None:
        now = self._monotonic()
        if any(pod.is_over for pod in after.pods) and not any(pod.is_over for pod in before.pods):
            self._ended[uid] = now
            self._ended.move_to_end(uid)
            if len(self._ended) > _KEPT:
                self._ended.popitem(last=False)
        made = before.job is None and after.job is not None and not after.pods
        if made and after.job is not None and after.job.created_at >= since:
            ended = self._ended.pop(uid, None)
            if ended is not None and now - ended < _STILL_A_HANDOFF:
                metrics.record_handoff(now - ended)


def _started_at(fact: AttemptFact) -> datetime | None:
    return next((pod.main_started_at for pod in fact.pods if pod.main_started_at), None)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
