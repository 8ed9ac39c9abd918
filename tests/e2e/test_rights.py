"""The operator's rights against what it asked for in all tests of this session, from the audit log.

Runs last; alone it has nothing to look back on.
"""

from __future__ import annotations

import pytest

from tests.demo.install import NAMESPACE, RELEASE
from tests.kit.audit import Asked
from tests.kit.client import Object
from tests.kit.cluster import Cluster

pytestmark = pytest.mark.e2e

ON_OTHER_CLUSTERS = {("workflows/finalizers", "update")}
"""Demanded by OpenShift."""
ONCE = {("leases", "create")}
"""By the first operator of a cluster."""
NEEDED = {"test_control", "test_disturbances", "test_outages"}
"""Tests that make the operator use all of its rights."""


@pytest.fixture(scope="module")
def asked(deployed: Cluster) -> list[Asked]:
    if deployed.audit is None:
        pytest.skip("only the local cluster keeps an audit log")
    return deployed.audit.requests()


def rights(role: Object) -> set[tuple[str, str]]:
    return {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_nothing_that_it_asked_was_forbidden(asked: list[Asked]) -> None:
    # a server that has just started forbids everything until it has read the roles
    allowed = {request.right for request in asked if request.allowed}
    assert {request.right for request in asked if not request.allowed} - allowed == set()


def test_it_has_no_right_that_it_does_not_use(
    asked: list[Asked], deployed: Cluster, request: pytest.FixtureRequest
) -> None:
    if not {item.path.stem for item in request.session.items} >= NEEDED:
        pytest.skip("needs the other end-to-end tests before it")
    given = rights(deployed.client.get("clusterroles", "", RELEASE))
    given |= rights(deployed.client.get("roles", NAMESPACE, f"{RELEASE}-lease"))
    given |= rights(deployed.client.get("clusterroles", "", f"{RELEASE}-policies"))
    unused = given - {one.right for one in asked}
    assert unused <= ON_OTHER_CLUSTERS | ONCE
