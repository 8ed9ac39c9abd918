"""Finds out why a Job has no pod: quota, Pod Security and policies say so only in its Events."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tidegate.cluster.ports import Api
from tidegate.cluster.view import Podless, View, Wake
from tidegate.errors import ApiError, Refused
from tidegate.facts.event import refusal

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that a Job may be without a pod before its Events are asked for."""
_MOST_PATIENCE = 60.0
_TICK = 0.25
_AT_ONCE = 8


@dataclass(slots=True)
class _Watched:
    """A Job without a pod: when it is asked about next, and how long to wait after that."""

    ask_at: float
    pause: float = _PATIENCE


class Refusals:
    """Looks after the view's Jobs without pods.

    That nothing is there is an answer, too: only then may time be counted against an attempt.
    """

    def __init__(
        self,
        api: Api,
        view: View,
        wake: Callable[[Wake], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._view = view
        self._wake = wake
        self._monotonic = monotonic
        self._watched: dict[str, _Watched] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.ask_where_due()
            await asyncio.sleep(_TICK)

    async def ask_where_due(self) -> None:
        """Ask about every Job that has been without a pod for long enough."""
        now = self._monotonic()
        concerned = (*self._view.podless(), *self._view.unexplained())
        podless = {job.job_uid: job for job in concerned}
        for uid in self._watched.keys() - podless.keys():
            del self._watched[uid]
        due: list[Podless] = []
        for uid, job in podless.items():
            watched = self._watched.setdefault(uid, _Watched(now + _PATIENCE))
            if watched.ask_at <= now and len(due) < _AT_ONCE:
                watched.pause = min(_MOST_PATIENCE, watched.pause * 2)
                watched.ask_at = now + watched.pause
                due.append(job)
        await asyncio.gather(*map(self._ask, due))

    async def _ask(self, job: Podless) -> None:
        try:
            events = await self._api.list_job_events(job.workflow.namespace, job.job_uid)
        except Refused as error:
            # They will never tell: nothing may wait for them.
            log.warning("the events of Job %s can't be read: %s", job.job_uid, error)
            events = ()
        except ApiError as error:
            log.debug("the events of Job %s can't be read: %s", job.job_uid, error)
            return
        words = refusal((cast("dict[str, Any]", event) for event in events), job.job_uid)
        for wake in self._view.learn_refusal(job.job_uid, words or ""):
            self._wake(wake)
