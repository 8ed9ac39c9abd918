"""The API server for tests: JSON in, JSON out, and watches; synchronous, without generated classes.

Credentials are read by the kubernetes client's loader, so any kubeconfig will do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config
from urllib3 import HTTPHeaderDict

Object = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
GROUPS = {
    "workflows": "/apis/tidegate.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "validatingadmissionpolicies": "/apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings": "/apis/admissionregistration.k8s.io/v1",
}
PATIENCE = 30.0
RECONNECT = 0.2
BAD = 400
GONE = 404


class ApiError(Exception):
    """The API server answered 400 or above."""

    def __init__(self, status: int, body: Object) -> None:
        super().__init__(f"HTTP {status}: {body.get('message')}")
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.message = str(body.get("message") or "")


@dataclass(frozen=True)
class Query:
    """Which objects of a kind a list or watch is about."""

    resource: str
    namespace: str = ""
    name: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The selectors as the API server takes them."""
        fields = ",".join(filter(None, (self.fields, self.name and f"metadata.name={self.name}")))
        given = {"labelSelector": self.labels, "fieldSelector": fields}
        return {key: value for key, value in given.items() if value}


def path_of(resource: str, namespace: str = "", name: str = "", sub: str = "") -> str:
    """Return the path of a collection or an object."""
    parts = [GROUPS.get(resource, "/api/v1")]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join(filter(None, (*parts, resource, name, sub)))


class Client:
    """Requests with the rights of one kubeconfig."""

    def __init__(self, kubeconfig: str | Path) -> None:
        settings = Configuration()
        load_kube_config(str(kubeconfig), client_configuration=settings, persist_config=False)
        self._host = settings.host.rstrip("/")
        token = settings.get_api_key_with_prefix("authorization") or ""
        self._headers = HTTPHeaderDict({"Authorization": token} if token else {})
        self._always: dict[str, str] = {}
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=16,
            ca_certs=settings.ssl_ca_cert,
            cert_reqs="CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE",
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            retries=False,
        )

    def impersonating(self, user: str, groups: tuple[str, ...] = ()) -> Client:
        """Return a client that asks as somebody else."""
        other = copy(self)
        other._headers = HTTPHeaderDict({**self._headers, "Impersonate-User": user})
        for group in groups:
            other._headers.add("Impersonate-Group", group)
        return other

    def dry_running(self) -> Client:
        """Return a client whose writes are only tried: ``--dry-run=server``."""
        other = copy(self)
        other._always = {"dryRun": "All"}
        return other

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """Return one object."""
        return self.send("GET", path_of(resource, namespace, name))

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one object; None if there is none."""
        try:
            return self.get(resource, namespace, name)
        except ApiError as error:
            if error.status == GONE:
                return None
            raise

    def list(self, query: Query) -> list[Object]:
        """Return all objects that the query names."""
        path = path_of(query.resource, query.namespace)
        return list(self.send("GET", path, parameters=query.parameters).get("items") or [])

    def create(self, resource: str, namespace: str, body: Object, sub: str = "") -> Object:
        """POST an object, or a subresource of the one that the body names."""
        name = body["metadata"]["name"] if sub else ""
        return self.send("POST", path_of(resource, namespace, name, sub), body)

    def patch(
        self, resource: str, namespace: str, name: str, patch: Object, sub: str = ""
    ) -> Object:
        """Merge a patch into an object."""
        return self.send("PATCH", path_of(resource, namespace, name, sub), patch)

    def delete(self, resource: str, namespace: str, name: str, **options: Any) -> Object:
        """DELETE an object; ``options`` are those of DeleteOptions."""
        return self.send("DELETE", path_of(resource, namespace, name), options or None)

    def send(
        self,
        method: str,
        path: str,
        body: Object | Sequence[Object] | None = None,
        parameters: Mapping[str, str] | None = None,
        patch_type: str = MERGE_PATCH,
    ) -> Object:
        """Send one request; raise ApiError for an answer of 400 or above."""
        headers = HTTPHeaderDict(self._headers)
        if body is not None:
            headers["Content-Type"] = patch_type if method == "PATCH" else "application/json"
        given = {**(parameters or {}), **(self._always if method != "GET" else {})}
        query = f"?{urlencode(given)}" if given else ""
        answer = self._pool.request(
            method,
            self._host + path + query,
            body=None if body is None else json.dumps(body),
            headers=headers,
            timeout=PATIENCE,
        )
        found: Object = _decoded(answer.data)
        if answer.status >= BAD:
            raise ApiError(answer.status, found)
        return found

    def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        """Return an answer that isn't JSON: a log."""
        answer = self._pool.request(
            "GET", self._host + path, fields=parameters, headers=self._headers, timeout=PATIENCE
        )
        if answer.status >= BAD:
            raise ApiError(answer.status, _decoded(answer.data))
        return str(answer.data.decode(errors="replace"))

    def watch(self, query: Query, seconds: float) -> Iterator[dict[str, Object]]:
        """Yield all objects that the query names, by name: at first, and after each change.

        A watch that breaks is followed by a new list, so nothing is missed for good. Ends when the
        time is over.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                yield from self._list_and_watch(query, left)
            except (urllib3.exceptions.HTTPError, ApiError):
                threading.Event().wait(min(RECONNECT, left))

    def _list_and_watch(self, query: Query, seconds: float) -> Iterator[dict[str, Object]]:
        path = path_of(query.resource, query.namespace)
        listed = self.send("GET", path, parameters=query.parameters)
        seen = {found["metadata"]["name"]: found for found in listed.get("items") or []}
        yield seen
        for kind, found in self._stream(query, listed["metadata"]["resourceVersion"], seconds):
            name = found["metadata"]["name"]
            rest = {key: value for key, value in seen.items() if key != name}
            seen = rest if kind == "DELETED" else {**rest, name: found}
            yield seen

    def _stream(self, query: Query, since: str, seconds: float) -> Iterator[tuple[str, Object]]:
        """Yield (ADDED | MODIFIED | DELETED, object) from a resourceVersion on."""
        times = {"resourceVersion": since, "timeoutSeconds": str(int(seconds) + 1)}
        answer = self._pool.request(
            "GET",
            self._host + path_of(query.resource, query.namespace),
            fields={**query.parameters, "watch": "1", **times},
            headers=self._headers,
            timeout=urllib3.Timeout(connect=PATIENCE, read=seconds + 1),
            preload_content=False,
        )
        try:
            if answer.status >= BAD:
                raise ApiError(answer.status, _decoded(answer.data))
            for line in _lines(answer.stream(65_536)):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
        finally:
            answer.close()


def _decoded(data: bytes) -> Object:
    try:
        return dict(json.loads(data)) if data else {}
    except ValueError:
        return {"message": data.decode(errors="replace")}


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
