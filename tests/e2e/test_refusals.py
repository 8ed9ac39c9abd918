"""What can't run as it is written or where it is: told at once, in the words of whoever refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import SPACES
from tests.kit.client import Query
from tests.kit.cluster import Cluster, KubectlError
from tests.kit.run import Run
from tests.kit.space import Space, workflow
from tests.kit.waiting import wait_for_one
from tidegate.api.identity import AttemptId, job_name

pytestmark = pytest.mark.e2e


@pytest.mark.runs("""
nodes:
- {name: a, image: "nowhere.invalid/none:1", startTimeout: 20s, script: "true"}
""")
def test_a_missing_image_is_told_with_the_kubelets_words_and_fails_after_start_timeout(
    run: Run,
) -> None:
    node = run.wait_node("a", "Running", "ImagePull", 60)
    assert "the image can't be pulled" in node["message"]
    assert "nowhere.invalid/none:1" in node["message"]
    assert "then the attempt fails" in node["message"]
    status = run.finished("Failed")
    assert status["nodes"]["a"]["reason"] == "StartTimeout"
    assert "nowhere.invalid" in status["message"]


@pytest.mark.runs("nodes: [{name: a, image: 'Not An Image', script: 'true'}]")
def test_an_image_name_that_can_never_work_fails_at_once(run: Run) -> None:
    status = run.finished("Failed", 90)
    assert status["nodes"]["a"]["reason"] == "StartTimeout"
    assert "InvalidImageName" in status["message"] or "invalid" in status["message"].lower()


@pytest.mark.runs("""
nodes:
- {name: a, template: {spec: {nodeSelectr: {disk: fast}}}, script: "true"}
""")
def test_a_typo_in_a_template_is_told_in_the_servers_words(run: Run) -> None:
    status = run.finished("Failed")
    assert status["nodes"]["a"]["reason"] == "InvalidPodTemplate"
    assert 'unknown field "spec.template.spec.nodeSelectr"' in status["message"]
    assert run.jobs() == []


@pytest.mark.runs("""
nodes:
- name: a
  env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: absent, key: token}}}]
  script: echo $TOKEN
""")
def test_a_missing_secret_is_told_and_the_attempt_goes_on_once_it_is_there(run: Run) -> None:
    node = run.wait_node("a", "Running", "CreateContainerConfigError", 60)
    assert 'secret "absent" not found' in node["message"]
    secret = {"metadata": {"name": "absent"}, "stringData": {"token": "found"}}
    run.cluster.client.create("secrets", run.namespace, secret)
    status = run.finished("Succeeded")
    assert status["nodes"]["a"]["attempt"] == 1
    assert run.log("a") == "found\n"


@pytest.mark.runs("""
nodes:
- {name: a, template: {spec: {nodeSelector: {tests.tidegate.dev/no-such: node}}}, script: "true"}
""")
def test_a_pod_that_fits_nowhere_is_told_in_the_schedulers_words(run: Run) -> None:
    node = run.wait_node("a", "Running", "Unschedulable", 60)
    assert "nodes are available" in node["message"]
    run.annotate("cancel", "now")
    run.finished("Cancelled")


@pytest.mark.runs("""
nodes:
- {name: a, dependsOn: [c], script: "true"}
- {name: b, dependsOn: [a], script: "true"}
- {name: c, dependsOn: [b], script: "true"}
- {name: d, command: [echo, $(params.x)]}
""")
def test_all_faults_of_a_spec_are_told_at_once_and_a_corrected_one_starts_by_itself(
    run: Run,
) -> None:
    status = run.wait_phase("Failed", "InvalidSpec")
    assert "cycle" in status["message"]
    assert "a → c → b → a" in status["message"] or "→" in status["message"]
    assert "params.x" in status["message"]
    assert run.jobs() == []
    run.wait_event("InvalidSpec", "cycle")
    run.patch_spec({"nodes": [{"name": "a", "script": "true"}]})
    assert run.finished("Succeeded")["nodes"].keys() == {"a"}


def test_an_unknown_dependency_is_refused_by_the_server(space: Space) -> None:
    with pytest.raises(KubectlError, match="depends on a node that doesn't exist"):
        space.flow("nodes: [{name: a, dependsOn: [nobody], script: 'true'}]")


def test_an_unknown_field_is_refused_by_kubectl_and_pruned_if_it_does_not_look(
    space: Space,
) -> None:
    spec = "{parallelsm: 3, nodes: [{name: a, script: 'true'}]}"
    with pytest.raises(KubectlError, match=r'unknown field "spec.parallelsm"'):
        space.flow(spec)
    created = space.client.create("workflows", space.name, workflow(spec))
    assert "parallelsm" not in created["spec"]
    space.run().finished("Succeeded")


@pytest.fixture
def restricted(deployed: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace that takes only pods of the standard `restricted`."""
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    made = Space.make(deployed, request.node.name, label)
    request.node.stash.setdefault(SPACES, []).append(made)
    yield made
    made.discard()


HARDENED = """
defaults:
  template:
    spec:
      securityContext:
        {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: main
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
nodes: [{name: a, script: id -u}]
"""


def test_a_pod_that_pod_security_refuses_fails_its_node_in_the_servers_words(
    restricted: Space,
) -> None:
    refused = restricted.flow("nodes: [{name: a, retry: {}, script: 'true'}]", "refused")
    fine = restricted.flow(HARDENED, "fine")
    status = refused.finished("Failed")
    node = status["nodes"]["a"]
    assert (node["reason"], node["attempt"]) == ("PodRefused", 1)
    assert "violates PodSecurity" in status["message"]
    fine.finished("Succeeded")


def quota(space: Space, **hard: str) -> None:
    space.add("resourcequotas", {"metadata": {"name": "quota"}, "spec": {"hard": hard}})
    counted = Query("resourcequotas", space.name, "quota")
    wait_for_one(
        space.client, counted, lambda found: (found.get("status") or {}).get("hard"), "a quota"
    )


@pytest.mark.parametrize("what", ["pods", "count/jobs.batch"])
def test_a_quota_makes_a_node_wait_uncounted_until_it_is_raised(space: Space, what: str) -> None:
    quota(space, **{what: "0"})
    run = space.flow("nodes: [{name: a, startTimeout: 1m, script: 'true'}]")
    node = run.wait(
        lambda s: (s.get("nodes") or {}).get("a", {}).get("reason") == "QuotaExceeded",
        "a told of the quota",
    )["nodes"]["a"]
    assert "exceeded quota: quota" in node["message"]
    assert "not counted" in node["message"]
    space.client.patch("resourcequotas", space.name, "quota", {"spec": {"hard": {what: "9"}}})
    status = run.finished("Succeeded")
    assert status["nodes"]["a"].get("failures", []) == []


def test_a_foreign_job_of_our_name_is_never_adopted_nor_touched(space: Space) -> None:
    run = space.flow("{suspend: true, nodes: [{name: a, script: 'true'}]}")
    run.wait_phase("Pending", "Suspended")
    name = job_name(run.name, run.object["metadata"]["uid"], AttemptId(1, "a", 1))
    container = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    foreign: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"whose": "not-yours"}},
        "spec": {"template": {"spec": {**pod, "terminationGracePeriodSeconds": 0}}},
    }
    before = space.add("jobs", foreign)
    run.patch_spec({"suspend": False})
    status = run.finished("Failed")
    assert status["nodes"]["a"]["reason"] == "NameConflict"
    after = space.client.get("jobs", space.name, name)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["whose"] == "not-yours"
    assert "ownerReferences" not in after["metadata"]
    assert "annotations" not in after["metadata"]
    assert "deletionTimestamp" not in after["metadata"]


def test_an_excluded_namespace_leaves_a_workflow_pending_and_says_why(deployed: Cluster) -> None:
    text = workflow("nodes: [{name: a, script: 'true'}]", "tests-excluded")
    deployed.client.create("workflows", "kube-system", text)
    run = Run(deployed, "kube-system", "tests-excluded")
    try:
        status = run.wait_phase("Pending", "NamespaceExcluded")
        assert "excludedNamespaces" in status["message"]
        assert run.jobs() == []
    finally:
        deployed.client.delete("workflows", "kube-system", run.name)
    run.wait_gone()
