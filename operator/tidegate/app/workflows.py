"""Where events of Workflows come from: kopf, which hands them over and does nothing else.

kopf's own features that write to objects (finalizers, progress, handled configuration, events) are
all off. It may miss deletions and dies with a broken watch, so the process lists by itself as well
and ends when kopf does.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import kopf

from tidegate import constants as c
from tidegate.cluster.access import Access
from tidegate.cluster.client import Client, Request
from tidegate.cluster.reflector import Lister
from tidegate.errors import ApiError

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.5
"""Seconds between two looks for the CRD."""


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: nobody asks kopf what changed, and its copies are half of its cost."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: no handler has progress."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return

    def purge(self, **_: Any) -> None:
        return

    def touch(self, **_: Any) -> None:
        return

    def clear(self, *, essence: Any) -> Any:
        return essence


def settings() -> kopf.OperatorSettings:
    """The settings of kopf, with all that writes switched off."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.diffbase_storage = _NoDiffBase()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    # A worker keeps its last event for as long as it idles: at a list that is every object.
    chosen.watching.chunk_size = 50
    chosen.queueing.idle_timeout = 0.1
    return chosen


def registry(access: Access, listers: Mapping[str | None, Lister]) -> kopf.OperatorRegistry:
    """The handlers: log in as the rest of the process does, and hand events over."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers, retries=None)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        await access.refresh()
        info: kopf.ConnectionInfo = await access.for_kopf()
        return info

    @kopf.on.event(c.GROUP, c.VERSION, c.PLURAL, registry=handlers)
    async def event(event: Mapping[str, Any], namespace: str | None, **_: Any) -> None:
        # Whatever is raised here would be lost, so nothing is done here that could fail.
        lister = listers.get(namespace) or listers[None]
        lister.event(event["type"] or "ADDED", event["object"])

    return handlers


async def follow(
    access: Access,
    listers: Mapping[str | None, Lister],
    namespaces: Collection[str],
) -> Sequence[asyncio.Task[None]]:
    """Start kopf; the returned tasks run until it ends."""
    return list(
        await kopf.spawn_tasks(
            registry=registry(access, listers),
            settings=settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
    )


async def until_served(client: Client) -> None:
    """Return once the API server says that it serves Workflows."""
    told = False
    while not await _is_served(client):
        if not told:
            log.warning("the API server knows no Workflows yet: waiting for Tidegate's CRDs")
        told = True
        await asyncio.sleep(_LOOK_EVERY)


async def _is_served(client: Client) -> bool:
    """Whether discovery, which lags behind the resource itself, names it in both its lists."""
    try:
        groups = await _get(client, "/apis")
        if not any(group.get("name") == c.GROUP for group in groups.get("groups") or ()):
            return False
        version = await _get(client, f"/apis/{c.API_VERSION}")
    except ApiError as error:
        log.debug("discovery failed: %s", error)
        return False
    return any(one.get("name") == c.PLURAL for one in version.get("resources") or ())


async def _get(client: Client, path: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = await client.send(
        Request(verb="GET", resource="discovery", path=path)
    )
    return answer
