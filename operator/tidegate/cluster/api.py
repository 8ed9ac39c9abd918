"""The port ``Api`` for real: each request that Tidegate sends about Workflows, Jobs and pods."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tidegate import constants as c
from tidegate.cluster.client import MERGE_PATCH, Client, Request
from tidegate.cluster.guard import patiently
from tidegate.cluster.ports import Raw
from tidegate.errors import Conflict, NotFound

_FOREGROUND = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}


def path_of(resource: str, namespace: str | None, name: str = "") -> str:
    """The path of a collection, or of the object ``name``, of ``jobs``, ``pods`` and the like."""
    prefix = {
        "jobs": "/apis/batch/v1",
        "pods": "/api/v1",
        "events": "/api/v1",
        "configmaps": "/api/v1",
        "leases": "/apis/coordination.k8s.io/v1",
        c.PLURAL: f"/apis/{c.API_VERSION}",
    }[resource]
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{prefix}{scope}/{resource}" + (f"/{name}" if name else "")


class KubeApi:
    """Requests to the API server; every method raises only ``tidegate.errors.ApiError``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create_job(self, namespace: str, manifest: Raw) -> Raw:
        """POST with ``fieldValidation=Strict``; never repeated by itself."""
        return await self._send(
            Request(
                verb="POST",
                resource="jobs",
                path=path_of("jobs", namespace),
                query={"fieldValidation": "Strict"},
                body=manifest,
            )
        )

    async def get_job(self, namespace: str, name: str) -> Raw:
        """GET, a quorum read."""
        return await self._get("jobs", namespace, name)

    async def patch_job(self, namespace: str, name: str, patch: Raw) -> Raw:
        """Merge patch; ``metadata.uid`` in it is the precondition."""
        request = Request(
            verb="PATCH",
            resource="jobs",
            path=path_of("jobs", namespace, name),
            body=patch,
            content_type=MERGE_PATCH,
        )
        return await patiently(lambda: self._send(request))

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """DELETE in the foreground with uid precondition; 404 and another uid are fine."""
        await self._delete_exactly("jobs", namespace, name, uid, _FOREGROUND)

    async def list_pods(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        """Quorum LIST of pods whose label ``batch.kubernetes.io/controller-uid`` is ``job_uid``."""
        return await self._list(
            "pods", namespace, {"labelSelector": f"{c.LABEL_JOB_UID}={job_uid}"}
        )

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """DELETE with uid precondition; 404 and another uid are fine."""
        await self._delete_exactly("pods", namespace, name, uid, {})

    async def list_job_events(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        """Core Events about the Job with this uid and reason FailedCreate, oldest first."""
        selector = f"involvedObject.uid={job_uid},reason=FailedCreate"
        found = await self._list("events", namespace, {"fieldSelector": selector})
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or ""))

    async def get_workflow(self, namespace: str, name: str) -> Raw:
        """GET, a quorum read."""
        return await self._get(c.PLURAL, namespace, name)

    async def patch_status(self, namespace: str, name: str, patch: Raw) -> Raw:
        """Merge patch of the status subresource; uid and resourceVersion in it are preconditions.

        Never repeated by itself: after a lost answer the caller reads first.
        """
        return await self._send(
            Request(
                verb="PATCH",
                resource=f"{c.PLURAL}/status",
                path=path_of(c.PLURAL, namespace, name) + "/status",
                body=patch,
                content_type=MERGE_PATCH,
            )
        )

    async def delete_workflow(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> None:
        """DELETE in the foreground under both preconditions."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        await self._delete(
            c.PLURAL, namespace, name, _FOREGROUND | {"preconditions": preconditions}
        )

    async def _get(self, resource: str, namespace: str, name: str) -> Raw:
        request = Request(verb="GET", resource=resource, path=path_of(resource, namespace, name))
        return await patiently(lambda: self._send(request))

    async def _list(self, resource: str, namespace: str, query: Mapping[str, str]) -> Sequence[Raw]:
        path = path_of(resource, namespace)
        request = Request(verb="LIST", resource=resource, path=path, query=query)
        answer = await patiently(lambda: self._send(request))
        return cast("Sequence[Raw]", answer.get("items") or ())

    async def _delete_exactly(
        self, resource: str, namespace: str, name: str, uid: str, options: Raw
    ) -> None:
        try:
            await self._delete(
                resource, namespace, name, {**options, "preconditions": {"uid": uid}}
            )
        except (NotFound, Conflict):
            return

    async def _delete(self, resource: str, namespace: str, name: str, options: Raw) -> None:
        request = Request(
            verb="DELETE",
            resource=resource,
            path=path_of(resource, namespace, name),
            body={"apiVersion": "v1", "kind": "DeleteOptions", **options},
        )
        await patiently(lambda: self._send(request))

    async def _send(self, request: Request) -> dict[str, Any]:
        return cast("dict[str, Any]", await self._client.send(request))


class HttpLeaseStore:
    """The operator's Lease, on the API server."""

    def __init__(self, client: Client, namespace: str, name: str, patience: float) -> None:
        self._client = client
        self._collection = path_of("leases", namespace)
        self._path = path_of("leases", namespace, name)
        self._name = name
        self._patience = patience

    async def get(self) -> Mapping[str, Any]:
        """GET it."""
        return await self._send("GET", self._path, None)

    async def create(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        """POST it."""
        named = {**lease, "metadata": {**lease["metadata"], "name": self._name}}
        return await self._send("POST", self._collection, named)

    async def replace(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        """PUT it under its resourceVersion."""
        return await self._send("PUT", self._path, lease)

    async def _send(self, verb: str, path: str, body: Any) -> Mapping[str, Any]:
        request = Request(
            verb=verb, resource="leases", path=path, body=body, timeout=self._patience
        )
        return cast("Mapping[str, Any]", await self._client.send(request))


class HttpEventStore:
    """Events on the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, namespace: str, event: Mapping[str, Any]) -> None:
        """POST one."""
        path = path_of("events", namespace)
        await self._client.send(Request(verb="POST", resource="events", path=path, body=event))

    async def patch(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge patch of one."""
        await self._client.send(
            Request(
                verb="PATCH",
                resource="events",
                path=path_of("events", namespace, name),
                body=patch,
                content_type=MERGE_PATCH,
            )
        )
