"""The validating webhook, installed by the chart, asked by the real API server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.demo.install import CHART, NAMESPACE, RELEASE, SELECTOR
from tests.kit.client import Object
from tests.kit.cluster import Cluster, KubectlError
from tests.kit.space import NAME, Space, workflow
from tests.kit.waiting import LONG

pytestmark = pytest.mark.integration

SOUND = 'nodes: [{name: a, script: "true"}]'
WRONG = """
nodes:
- {name: a, dependsOn: [b], script: "true"}
- {name: b, dependsOn: [a], script: "true"}
- {name: c, command: [echo, $(workflow.nam)]}
"""
FAULTS = ("form a cycle", "spec.nodes[c].command[1]", "workflow.nam")
WEBHOOK = f"{RELEASE}-webhook"
PAUSE = 0.25


def upgrade(cluster: Cluster, **webhook: Any) -> None:
    """Upgrade the release with these values of the webhook; what is installed else stays."""
    values = [f"--set-json=webhook.{name}={json.dumps(value)}" for name, value in webhook.items()]
    cluster.tools.helm(
        "upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE,
        "--reset-then-reuse-values", "--wait", "--timeout", "120s", *values,
    )  # fmt: skip


def until(condition: Callable[[], bool], what: str, seconds: float = LONG) -> None:
    """Ask the API server again and again: when a webhook begins to act is nowhere to be watched."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
        pause.wait(PAUSE)


def refusal(space: Space, spec: str | Object, *options: str, name: str = NAME) -> str:
    """What kubectl says to a Workflow; empty if it is accepted."""
    try:
        space.kubectl("apply", *options, "-f", "-", stdin=json.dumps(workflow(spec, name)))
    except KubectlError as error:
        return str(error)
    return ""


def is_asked(space: Space) -> bool:
    """Whether it is; about a new Workflow, as one that stands there unchanged isn't its matter."""
    return refusal(space, WRONG, "--dry-run=server", name="another") != ""


def read(cluster: Cluster, kind: str, *where: str) -> Object:
    return dict(json.loads(cluster.kubectl("get", kind, *where, "-o", "json")))


def secret(cluster: Cluster) -> dict[str, str]:
    return dict(read(cluster, "secret", "-n", NAMESPACE, WEBHOOK)["data"])


def bundle(cluster: Cluster) -> str:
    (webhook,) = read(cluster, "validatingwebhookconfiguration", RELEASE)["webhooks"]
    return str(webhook["clientConfig"]["caBundle"])


@pytest.fixture(scope="module")
def switched_on(installed: Cluster) -> Iterator[Cluster]:
    upgrade(installed, enabled=True)
    yield installed
    installed.scale_operator(1)
    upgrade(installed, enabled=False)


@pytest.fixture
def asking(switched_on: Cluster, space: Space) -> Space:
    """A namespace where the webhook is asked."""
    switched_on.scale_operator(1)
    until(lambda: is_asked(space), "a refusal")
    return space


def test_a_sound_workflow_is_accepted_and_runs(asking: Space) -> None:
    asking.flow(SOUND).finished("Succeeded")


def test_a_wrong_one_is_refused_with_all_its_faults_and_isnt_stored(asking: Space) -> None:
    words = refusal(asking, WRONG)
    assert 'The Workflow "flow" is invalid' in words
    assert all(fault in words for fault in FAULTS), words
    assert words.count("\n* ") >= 2, words
    assert asking.client.find("workflows", asking.name, "flow") is None


def test_a_dry_run_is_told_the_same_and_stores_nothing(asking: Space) -> None:
    assert all(fault in refusal(asking, WRONG, "--dry-run=server") for fault in FAULTS)
    assert refusal(asking, SOUND, "--dry-run=server") == ""
    assert asking.client.find("workflows", asking.name, "flow") is None


def test_a_generated_name_is_no_fault(asking: Space) -> None:
    body = workflow(SOUND)
    body["metadata"] = {"generateName": "flow-"}
    asking.kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_namespaces_that_are_left_alone_are_not_asked_about(asking: Space) -> None:
    body = workflow(WRONG, namespace="kube-system")
    asking.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(body))


def test_without_an_answer_a_workflow_is_stored_and_the_operator_looks_at_it(
    asking: Space, switched_on: Cluster
) -> None:
    switched_on.scale_operator(0)
    until(lambda: not is_asked(asking), "an API server that gets no answer")
    run = asking.flow(WRONG, finalizers=["tests.tidegate.dev/held"])
    switched_on.scale_operator(1)
    run.wait_phase("Failed", "InvalidSpec", LONG)
    until(lambda: is_asked(asking), "a refusal")
    # It is invalid: that keeps nobody from doing anything but writing another invalid spec.
    run.kubectl("annotate", "twf/flow", "example.com/note=seen")
    with pytest.raises(KubectlError, match="form a cycle"):
        run.kubectl("patch", "twf/flow", "--type=merge", "-p", '{"spec": {"parallelism": 3}}')
    asking.kubectl("delete", "twf/flow", "--wait=false")
    run.kubectl("patch", "twf/flow", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    run.wait_gone()
    asking.flow(SOUND).finished("Succeeded")


def test_every_replica_answers(asking: Space, switched_on: Cluster) -> None:
    switched_on.scale_operator(2)

    def ready() -> int:
        label = f"kubernetes.io/service-name={WEBHOOK}"
        slices = read(switched_on, "endpointslices", "-n", NAMESPACE, "-l", label)["items"]
        ends = [end for one in slices for end in one.get("endpoints") or []]
        return sum(bool(end["conditions"].get("ready")) for end in ends)

    until(lambda: ready() == 2, "two replicas behind the Service")
    assert all(is_asked(asking) for _ in range(8))


def test_an_upgrade_keeps_the_certificate_and_a_new_one_is_taken_up(
    asking: Space, switched_on: Cluster
) -> None:
    before = secret(switched_on)
    assert bundle(switched_on) == before["ca.crt"]
    upgrade(switched_on, enabled=True)
    assert secret(switched_on) == before
    assert bundle(switched_on) == before["ca.crt"]
    pods = {pod["metadata"]["uid"] for pod in switched_on.operator_pods()}
    switched_on.kubectl("delete", "secret", "-n", NAMESPACE, WEBHOOK)
    upgrade(switched_on, enabled=True)
    assert bundle(switched_on) == secret(switched_on)["ca.crt"] != before["ca.crt"]
    # A change of the pod makes its kubelet look at once; else it would within 90 s.
    switched_on.kubectl("annotate", "pod", "-n", NAMESPACE, "-l", SELECTOR, "look=now")
    until(lambda: is_asked(asking), "a refusal under the new certificate", 120)
    assert {pod["metadata"]["uid"] for pod in switched_on.operator_pods()} == pods
