"""The operator's rights against what it really asked for, read from the API server's audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.demo.install import NAMESPACE, SELECTOR
from tests.demo.tools import Tools, ask_cluster_json

pytestmark = pytest.mark.e2e

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:tidegate"


@dataclass(frozen=True)
class Asked:
    """One request of the operator, as far as RBAC sees it."""

    verb: str
    resource: str
    allowed: bool


def asked_since(audit_log: Path, since: datetime) -> Iterator[Asked]:
    with audit_log.open() as lines:
        for line in lines:
            if ACCOUNT not in line:
                continue
            event: dict[str, Any] = json.loads(line)
            at = datetime.fromisoformat(event["requestReceivedTimestamp"])
            if event["user"]["username"] == ACCOUNT and at >= since and "objectRef" in event:
                yield _asked(event)


def _asked(event: dict[str, Any]) -> Asked:
    target = event["objectRef"]
    sub = f"/{target['subresource']}" if "subresource" in target else ""
    decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
    return Asked(event["verb"], target["resource"] + sub, decision == "allow")


@pytest.fixture(scope="module")
def asked() -> set[Asked]:
    status = ask_cluster_json("status", "--json")
    if not status.get("audit_log"):
        pytest.skip("only the local cluster keeps an audit log")
    tools = Tools.find()
    answer = tools.kubectl("get", "replicasets", "-n", NAMESPACE, "-l", SELECTOR, "-o", "json")
    installed = [item["metadata"]["creationTimestamp"] for item in json.loads(answer)["items"]]
    assert installed, "the operator is not installed: make up"
    newest = datetime.fromisoformat(max(installed))  # of this image, however often its pod changed
    return set(asked_since(Path(status["audit_log"]), newest))


def test_nothing_that_it_asked_was_forbidden(asked: set[Asked]) -> None:
    assert {request for request in asked if not request.allowed} == set()


def test_it_asks_for_what_keeps_it_going(asked: set[Asked]) -> None:
    done = {(request.resource, request.verb) for request in asked}
    watched = {(kind, verb) for kind in ("workflows", "jobs", "pods") for verb in ("list", "watch")}
    assert watched | {("leases", "update")} <= done
