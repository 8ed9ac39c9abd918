"""The few questions that bringing up a cluster asks of its parts, over HTTPS with its own CA."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from tests.cluster.errors import ClusterError
from tests.cluster.local import pki
from tests.cluster.local.layout import NODE_NAME, Layout

OK = range(200, 300)
CONFLICT = 409
TIMEOUT = 5.0


def _context(layout: Layout) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=str(pki.certificate_file(layout.pki, pki.AUTHORITY))
    )
    context.load_cert_chain(
        pki.certificate_file(layout.pki, "admin"), pki.key_file(layout.pki, "admin")
    )
    return context


def request(
    layout: Layout, purpose: str, path: str, *, method: str = "GET", body: object = None
) -> tuple[int, str]:
    """Ask the part that listens on the port of this purpose; return status code and text.

    Raises:
        OSError: nobody answers, or not with a certificate of ours.
    """
    connection = http.client.HTTPSConnection(
        "127.0.0.1", layout.ports[purpose], timeout=TIMEOUT, context=_context(layout)
    )
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def answers(layout: Layout, purpose: str, path: str) -> bool:
    """Return whether a part says over HTTPS that it is well."""
    try:
        return request(layout, purpose, path)[0] in OK
    except OSError:
        return False


def answers_plainly(layout: Layout, purpose: str, path: str = "/healthz") -> bool:
    """Return whether a part says over plain HTTP on the loopback that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", layout.ports[purpose], timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def get(layout: Layout, path: str) -> dict[str, Any] | None:
    """Return an object of the API, or None if it isn't there or nobody answers."""
    try:
        status, text = request(layout, "apiserver", path)
    except OSError:
        return None
    return dict(json.loads(text)) if status in OK else None


def create(layout: Layout, path: str, body: dict[str, Any]) -> None:
    """Create an object of the API; one that is there already is left as it is."""
    status, text = request(layout, "apiserver", path, method="POST", body=body)
    if status not in OK and status != CONFLICT:
        raise ClusterError(f"the API server refused {body.get('kind')}: {text[:300]}")


def node_ready(layout: Layout) -> bool:
    """Return whether the node takes pods and the namespace `default` has its service account."""
    node = get(layout, f"/api/v1/nodes/{NODE_NAME}") or {}
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    tainted = bool(node.get("spec", {}).get("taints"))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    return ready and not tainted and get(layout, account) is not None
