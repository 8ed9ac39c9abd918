"""Where logs are written, and where the last lines of pods come from: the API server."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, cast

from tidegate import constants as c
from tidegate.cluster.api import path_of
from tidegate.cluster.client import MERGE_PATCH, Client, Request
from tidegate.cluster.guard import patiently
from tidegate.cluster.ports import Raw
from tidegate.errors import NotFound, Refused, TryAgain

log = logging.getLogger(__name__)

_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_PAGE = "500"
_EXPIRED = 410
"""What follows this page can't be had any more: the list is to be begun anew."""


class LogStore(Protocol):
    """ConfigMaps of logs and logs of pods; every method raises only ``ApiError``."""

    async def get(self, namespace: str, name: str) -> Raw | None:
        """GET a ConfigMap; None where there is none."""

    async def create(self, namespace: str, body: Raw) -> None:
        """POST one; never repeated by itself."""

    async def patch(self, namespace: str, name: str, patch: Raw) -> None:
        """Merge patch under the uid and resourceVersion that stand in it; never repeated."""

    async def marks(self) -> Sequence[Raw]:
        """LIST the metadata of all logs, without what stands in them."""

    async def tail(self, namespace: str, pod: str, container: str, lines: int, limit: int) -> bytes:
        """The last ``lines`` lines that a container printed; the first ``limit`` bytes of them."""


class HttpLogStore:
    """The port over HTTP, for some namespaces or the whole cluster."""

    def __init__(self, client: Client, namespaces: Collection[str] = ()) -> None:
        self._client = client
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)

    async def get(self, namespace: str, name: str) -> Raw | None:
        """GET a ConfigMap; None where there is none."""
        path = path_of("configmaps", namespace, name)
        request = Request(verb="GET", resource="configmaps", path=path)
        try:
            return cast("Raw", await patiently(lambda: self._client.send(request)))
        except NotFound:
            return None

    async def create(self, namespace: str, body: Raw) -> None:
        """POST one."""
        path = path_of("configmaps", namespace)
        await self._client.send(
            Request(verb="POST", resource="configmaps", path=path, body=body, accept=_METADATA)
        )

    async def patch(self, namespace: str, name: str, patch: Raw) -> None:
        """Merge patch."""
        await self._client.send(
            Request(
                verb="PATCH",
                resource="configmaps",
                path=path_of("configmaps", namespace, name),
                body=patch,
                content_type=MERGE_PATCH,
                accept=_METADATA,
            )
        )

    async def marks(self) -> Sequence[Raw]:
        """LIST the metadata of all logs.

        A namespace that may not be listed, as it is gone, hides none of the others.
        """
        found: list[Raw] = []
        refusals: list[Refused] = []
        for scope in self._scopes:
            try:
                found += await self._marks_in(scope)
            except Refused as error:
                refusals.append(error)
                log.warning("logs in %s can't be listed: %s", scope or "the cluster", error)
        if len(refusals) == len(self._scopes):
            raise refusals[0]
        return found

    async def _marks_in(self, scope: str | None) -> Sequence[Raw]:
        found: list[Raw] = []
        query = {"labelSelector": c.LABEL_WORKFLOW_UID, "limit": _PAGE}
        while True:
            answer = await self._page(scope, query)
            found += answer.get("items") or ()
            more = (answer.get("metadata") or {}).get("continue")
            if not more:
                return found
            query = {**query, "continue": more}

    async def _page(self, scope: str | None, query: Mapping[str, str]) -> Mapping[str, Any]:
        request = Request(
            verb="LIST",
            resource="configmaps",
            path=path_of("configmaps", scope),
            query=query,
            accept=_METADATA_LIST,
        )
        try:
            return cast("Mapping[str, Any]", await patiently(lambda: self._client.send(request)))
        except Refused as error:
            if error.status == _EXPIRED:
                raise TryAgain(error.message, status=error.status, reason=error.reason) from error
            raise

    async def tail(self, namespace: str, pod: str, container: str, lines: int, limit: int) -> bytes:
        """The last lines that a container printed."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(limit)}
        return await self._client.read(
            Request(
                verb="GET",
                resource="pods/log",
                path=path_of("pods", namespace, pod) + "/log",
                query=query,
                accept="application/json, */*",
            )
        )
