"""Keeps the view in step with the API server: LIST, then WATCH, for ever.

A broken or silent watch is opened again where it stopped; where the server has forgotten that place
(410) everything is listed anew, and what the list lacks is gone. Nothing here ends by itself.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tidegate import metrics
from tidegate.cluster.client import Client, Request, error_of_event
from tidegate.cluster.guard import patiently
from tidegate.cluster.memory import Listing, Wake, version_number
from tidegate.cluster.ports import Raw
from tidegate.errors import ApiError, Forbidden, NotFound, TryAgain

log = logging.getLogger(__name__)

_GONE = 410
_PAGE = 100
"""Objects in an answer to a list: more would only hold more memory at once."""
_LIST_TIMEOUT = 60.0
_SILENCE = 100.0
"""Seconds without so much as a bookmark, which comes every minute, after which a watch is dead."""
_WATCH_LASTS = (240, 360)
"""Seconds after which the server is asked to end a watch; spread, so that they don't all end."""
_TOO_SHORT = 1.0
"""Seconds; a watch that ended earlier and told nothing has failed."""
_REFUSED = (30.0, 60.0)
"""Seconds before what may not be read, or isn't there at all, is asked for again."""
_DOUBTED = 3
"""Refusals in a row before what was listed before is taken for refused: API servers that have just
started refuse what they will allow a moment later."""
_DOUBT = (1.0, 2.0)
"""Seconds before a refusal that is doubted is tried again."""
_BACKOFF = (0.2, 20.0)
"""Seconds before a failed watch or list is tried again: at first, and at most."""


class Sink(Protocol):
    """Where objects of one kind go; the view's entrances for it."""

    def seen(self, raw: Raw) -> list[Wake]:
        """It was added, changed or listed."""

    def gone(self, raw: Raw) -> list[Wake]:
        """It was deleted."""

    def settled(self, listing: Listing) -> list[Wake]:
        """All objects of a list were seen."""

    def token(self) -> int:
        """The present moment."""


class Transport(Protocol):
    """Lists by pages and watches, of one kind in one namespace or all."""

    async def page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """One page of a quorum list."""

    def watch(self, query: Mapping[str, str], silence: float) -> AsyncIterator[Raw]:
        """The events since ``resourceVersion``."""


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """Lists and watches over the wire."""

    client: Client
    resource: str
    path: str

    async def page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """One page of a quorum list."""
        request = Request(
            verb="LIST",
            resource=self.resource,
            path=self.path,
            query=query,
            timeout=_LIST_TIMEOUT,
        )
        answer: Mapping[str, Any] = await patiently(lambda: self.client.send(request))
        return answer

    def watch(self, query: Mapping[str, str], silence: float) -> AsyncIterator[Raw]:
        """The events since ``resourceVersion``."""
        return self.client.watch(self.resource, self.path, query, silence=silence)


class Lister:
    """Lists everything of one kind into its sink, page by page."""

    def __init__(
        self,
        transport: Transport,
        sink: Sink,
        wake: Callable[[Wake], None],
        *,
        namespace: str | None = None,
        selector: str = "",
        fields: str = "",
    ) -> None:
        self.namespace = namespace
        self.listed_since = float("-inf")
        """The monotonic time at which the latest list that was completed had begun."""
        self.heard_at = time.monotonic()
        """When a list was completed, or a watch told anything, if only that nothing happened."""
        self._transport = transport
        self._sink = sink
        self._wake = wake
        selectors = {"labelSelector": selector, "fieldSelector": fields}
        self._query = {key: value for key, value in selectors.items() if value}

    async def sync(self) -> str:
        """Replace what the view holds by a quorum list; returns the list's resourceVersion.

        Raises:
            ApiError: a page could not be had; nothing is taken for gone then.
        """
        began, token, listed = time.monotonic(), self._sink.token(), set[str]()
        query = self._query | {"limit": str(_PAGE)}
        while True:
            answer = await self._transport.page(query)
            for raw in answer.get("items") or ():
                listed.add(raw["metadata"]["uid"])
                self.take(self._sink.seen(raw))
            metadata = answer["metadata"]
            if not metadata.get("continue"):
                break
            query = query | {"continue": metadata["continue"]}
        version = str(metadata["resourceVersion"])
        listing = Listing(token, listed, self.namespace, version_number(version))
        self.take(self._sink.settled(listing))
        self.listed_since, self.heard_at = began, time.monotonic()
        return version

    def take(self, wakes: list[Wake]) -> None:
        """Wake whom it concerns."""
        for one in wakes:
            self._wake(one)

    def event(self, kind: str, raw: Raw) -> None:
        """Hand an event of a watch over."""
        self.heard_at = time.monotonic()
        if kind == "BOOKMARK":
            return
        self.take(self._sink.gone(raw) if kind == "DELETED" else self._sink.seen(raw))

    def watch(self, version: str) -> AsyncIterator[Raw]:
        """The events since ``version``."""
        query = self._query | {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*_WATCH_LASTS)),  # noqa: S311 - only spread
        }
        return self._transport.watch(query, _SILENCE)


class Reflector:
    """One kind in one namespace, or everywhere, followed for ever."""

    def __init__(
        self,
        resource: str,
        lister: Lister,
        refused: Callable[[ApiError], list[Wake]] | None = None,
    ) -> None:
        """``refused``: told that it may not be read, or isn't there, in place of the log."""
        self.resource = resource
        self.synced = asyncio.Event()
        """Set once everything was listed."""
        self.last_alive = time.monotonic()
        """When it last heard of the server or tried to."""
        self.lister = lister
        self._failures = 0
        self._refusals = 0
        self._refused = refused
        metrics.expect_watch(resource)

    async def run(self) -> None:
        """List and watch until cancelled."""
        version = ""
        while True:
            self.last_alive = time.monotonic()
            try:
                if not version:
                    version = await self.lister.sync()
                    self._refusals = 0
                    self.synced.set()
                version = await self._watch(version)
            except ApiError as error:
                if error.status == _GONE or self._is_refused(error):
                    version = ""
                await self._pause(error)
            except Exception:
                log.exception("following %s failed; everything is listed anew", self.resource)
                version = ""
                await self._pause(None)
            metrics.record_watch_restart(self.resource)

    async def _watch(self, version: str) -> str:
        """Follow until the server ends the watch; returns where to go on."""
        began, heard = time.monotonic(), False
        try:
            async with contextlib.aclosing(_closable(self.lister.watch(version))) as events:
                async for event in events:
                    self.last_alive = time.monotonic()
                    kind, raw = event["type"], event["object"]
                    if kind == "ERROR":
                        raise error_of_event(raw)
                    self._failures, heard = 0, True
                    version = raw["metadata"]["resourceVersion"]
                    self.lister.event(kind, raw)
        except ApiError as error:
            if error.status == _GONE or self._is_refused(error):
                raise
            await self._pause(error)
        else:
            if not heard and time.monotonic() - began < _TOO_SHORT:
                await self._pause(TryAgain("the server ended the watch at once"))
        return version

    def _is_refused(self, error: ApiError) -> bool:
        return self._refused is not None and isinstance(error, Forbidden | NotFound)

    async def _pause(self, error: ApiError | None) -> None:
        if error is not None and self._refused is not None and self._is_refused(error):
            self._refusals += 1
            if self.lister.listed_since > float("-inf") and self._refusals < _DOUBTED:
                await asyncio.sleep(random.uniform(*_DOUBT))  # noqa: S311 - only spread
                return
            self.lister.take(self._refused(error))
            self.synced.set()
            await asyncio.sleep(random.uniform(*_REFUSED))  # noqa: S311 - only spread
            return
        first, most = _BACKOFF
        seconds = min(most, first * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311
        self._failures = min(self._failures + 1, 10)
        if error is not None and error.status != _GONE:
            log.warning("following %s: %s; again in %.1f s", self.resource, error, seconds)
        await asyncio.sleep(seconds)


def _closable(events: AsyncIterator[Raw]) -> Any:
    """Watches are generators, which must be closed to give their connection back."""
    return events
