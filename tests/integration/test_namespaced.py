"""An operator that looks after a list of namespaces, with no rights but the Roles of its chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import SPACES
from tests.demo.install import CHART
from tests.integration.conftest import MakeOperator
from tests.kit.audit import Audit
from tests.kit.cluster import Cluster
from tests.kit.operator import kubeconfig_of
from tests.kit.policies import operator_known
from tests.kit.space import Space

pytestmark = pytest.mark.integration

TEAM = "team"
ACCOUNT = f"{TEAM}-tidegate"
CHECKED = "votes are checked by the API server"
SPEC = """
nodes:
- {name: a, retry: {limit: 1, backoff: {base: 500ms}}, script: test "$TIDEGATE_ATTEMPT" = 2}
- {name: b, dependsOn: [a], script: sleep 3600}
"""


@pytest.fixture
def home(alone: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """The namespace of the operator itself."""
    made = Space.make(alone, "operators-home")
    request.node.stash.setdefault(SPACES, []).append(made)
    yield made
    made.discard()


@pytest.fixture
def roles(home: Space, space: Space) -> Iterator[None]:
    """What the chart gives a team's operator, which the policies of the cluster know."""
    install_roles(home, space)
    account = f"system:serviceaccount:{home.name}:{ACCOUNT}"
    with operator_known(home.client, account, space.name):
        yield
    for resource in ("clusterroles", "clusterrolebindings"):
        home.client.delete(resource, "", f"{ACCOUNT}-{home.name}-policies")


def install_roles(home: Space, watched: Space) -> None:
    text = home.cluster.tools.helm(
        "template", TEAM, str(CHART), "--namespace", home.name, "--kube-version", "1.35.0",
        "--set", f"watchNamespaces={{{watched.name}}}",
        "--set", "policies.install=false,policies.requireVerifiedVotes=true",
        "--show-only", "templates/rbac.yaml", "--show-only", "templates/rbac-policies.yaml",
        "--show-only", "templates/serviceaccount.yaml",
    )  # fmt: skip
    documents = [document for document in yaml.safe_load_all(text) if document]
    wide = [found["metadata"]["name"] for found in documents if found["kind"].startswith("Cluster")]
    assert wide == [f"{ACCOUNT}-{home.name}-policies"] * 2
    for document in documents:
        if not document["kind"].startswith("Cluster"):
            document["metadata"].setdefault("namespace", home.name)
    home.apply_everywhere(documents)


def test_with_a_list_of_namespaces_the_roles_of_the_chart_suffice(
    home: Space, space: Space, roles: None, make_operator: MakeOperator, tmp_path: Path
) -> None:
    user = f"system:serviceaccount:{home.name}:{ACCOUNT}"
    log = home.cluster.audit_log
    audit = Audit.from_now(log, user) if log else None
    operator = make_operator(
        kubeconfig=kubeconfig_of(home.cluster, tmp_path, ACCOUNT, home.name),
        lease_namespace=home.name,
    )
    operator.start().until_leading()
    operator.until(lambda: CHECKED in operator.output(), "what it says of the policies")
    elsewhere, run = home.flow("nodes: [{name: a, script: 'true'}]"), space.flow(SPEC)
    run.wait_running("b", seconds=60)
    run.annotate("cancel", "now")
    run.finished("Cancelled")
    run.wait_event("WorkflowCancelled")
    run.wait_log("run 1 · Cancelled")
    assert elsewhere.status == {"observedGeneration": -1}
    assert operator.problems() == []
    if audit:
        assert [asked for asked in audit.requests() if not asked.allowed] == []
