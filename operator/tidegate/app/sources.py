"""What is followed: Jobs and pods by an own watch, Workflows by kopf and an own list."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Self

from tidegate import constants as c
from tidegate.cluster.api import path_of
from tidegate.cluster.client import Client
from tidegate.cluster.memory import Listing, Wake
from tidegate.cluster.ports import Raw
from tidegate.cluster.reflector import HttpTransport, Lister, Reflector
from tidegate.cluster.view import View
from tidegate.errors import ApiError, NotFound

log = logging.getLogger(__name__)

_STALE = 300.0
"""Seconds after which a watch that heard nothing, not even a bookmark, is taken for dead."""


@dataclass(frozen=True, slots=True)
class _Entrance:
    """The view's entrances for one kind."""

    seen: Callable[[Raw], list[Wake]]
    gone: Callable[[Raw], list[Wake]]
    settled: Callable[[Listing], list[Wake]]
    token: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that feeds the view."""

    reflectors: tuple[Reflector, ...]
    workflows: dict[str | None, Lister]
    """By namespace; the key None stands for the whole cluster."""

    @classmethod
    def of(
        cls,
        client: Client,
        view: View,
        wake: Callable[[Wake], None],
        namespaces: Collection[str],
    ) -> Self:
        """Those for ``namespaces``, or for the whole cluster where there are none."""
        jobs = _Entrance(view.job_seen, view.job_gone, view.jobs_settled, view.token)
        pods = _Entrance(view.pod_seen, view.pod_gone, view.pods_settled, view.token)
        workflows = _Entrance(
            view.workflow_seen, view.workflow_gone, view.workflows_settled, view.token
        )

        def lister(resource: str, entrance: _Entrance, namespace: str | None) -> Lister:
            transport = HttpTransport(client, resource, path_of(resource, namespace))
            selector = "" if entrance is workflows else c.LABEL_WORKFLOW
            return Lister(transport, entrance, wake, namespace=namespace, selector=selector)

        scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        return cls(
            reflectors=tuple(
                Reflector(resource, lister(resource, entrance, scope))
                for scope in scopes
                for resource, entrance in (("jobs", jobs), ("pods", pods))
            ),
            workflows={scope: lister(c.PLURAL, workflows, scope) for scope in scopes},
        )

    async def synced(self) -> None:
        """Return once everything was listed."""
        for reflector in self.reflectors:
            await reflector.synced.wait()
        for lister in self.workflows.values():
            await self._insist(lister.sync)

    async def resync(self, since: float) -> None:
        """Quorum lists of everything that began after ``since``, insisted on."""
        listers = (reflector.lister for reflector in self.reflectors)
        for lister in (*listers, *self.workflows.values()):
            if lister.listed_since < since:
                await self._insist(lister.sync)

    async def list_workflows(self) -> None:
        """List all Workflows, as kopf may have missed that some went."""
        for lister in self.workflows.values():
            await lister.sync()

    async def list_workflows_every(self, seconds: float) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.list_workflows()
            except ApiError as error:
                log.warning("the Workflows could not be listed: %s", error)

    def silence(self, now: float) -> dict[str, float]:
        """For how many seconds nothing was heard of each resource; the worst of its watches."""
        heard: dict[str, float] = {}
        followed = [(reflector.resource, reflector.lister) for reflector in self.reflectors]
        for resource, lister in (*followed, *((c.PLURAL, one) for one in self.workflows.values())):
            heard[resource] = min(lister.heard_at, heard.get(resource, now))
        return {resource: max(0.0, now - at) for resource, at in heard.items()}

    def complaints(self, now: float) -> list[str]:
        """Watches that are not alive at the monotonic time ``now``."""
        return [
            f"nothing was heard of {reflector.resource} for {now - reflector.last_alive:.0f} s"
            for reflector in self.reflectors
            if now - reflector.last_alive > _STALE
        ]

    @staticmethod
    async def _insist(request: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await request()
            except ApiError as error:
                hint = " (are Tidegate's CRDs installed?)" if isinstance(error, NotFound) else ""
                log.warning("a list failed and is asked for again: %s%s", error, hint)
                await asyncio.sleep(1.0)
            else:
                return
