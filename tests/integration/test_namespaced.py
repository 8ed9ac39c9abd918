"""An operator that looks after a list of namespaces, with no rights but the Roles of its chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import SPACES
from tests.demo.install import CHART, RELEASE
from tests.integration.conftest import MakeOperator
from tests.kit.audit import Audit
from tests.kit.cluster import Cluster
from tests.kit.operator import kubeconfig_of
from tests.kit.space import Space

pytestmark = pytest.mark.integration

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


def install_roles(home: Space, watched: Space) -> None:
    text = home.cluster.tools.helm(
        "template", RELEASE, str(CHART), "--namespace", home.name, "--kube-version", "1.35.0",
        "--set", f"watchNamespaces={{{watched.name}}}",
        "--show-only", "templates/rbac.yaml", "--show-only", "templates/serviceaccount.yaml",
    )  # fmt: skip
    documents = [document for document in yaml.safe_load_all(text) if document]
    kinds = {document["kind"] for document in documents}
    assert kinds == {"Role", "RoleBinding", "ServiceAccount"}
    for document in documents:
        document["metadata"].setdefault("namespace", home.name)
    home.apply_everywhere(documents)


def test_with_a_list_of_namespaces_the_roles_of_the_chart_suffice(
    home: Space, space: Space, make_operator: MakeOperator, tmp_path: Path
) -> None:
    install_roles(home, space)
    user = f"system:serviceaccount:{home.name}:{RELEASE}"
    log = home.cluster.audit_log
    audit = Audit.from_now(log, user) if log else None
    operator = make_operator(
        kubeconfig=kubeconfig_of(home.cluster, tmp_path, RELEASE, home.name),
        lease_namespace=home.name,
    )
    operator.start().until_leading()
    elsewhere, run = home.flow("nodes: [{name: a, script: 'true'}]"), space.flow(SPEC)
    run.wait_running("b", seconds=60)
    run.annotate("cancel", "now")
    run.finished("Cancelled")
    run.wait_event("WorkflowCancelled")
    assert elsewhere.status == {"observedGeneration": -1}
    assert operator.problems() == []
    if audit:
        assert [asked for asked in audit.requests() if not asked.allowed] == []
