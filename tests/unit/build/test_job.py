import copy
import json
from typing import Any

import pytest

from tests.unit.build.samples import UID, start_of, workflow_of
from tidegate.api.identity import AttemptId, job_name
from tidegate.build.job import job_manifest
from tidegate.engine.model import Start

STANDBYS = [{"name": "cached", "image": "y"}, {"name": "tell", "image": "y"}]

KUBECTL_DEFAULT = "kubectl.kubernetes.io/default-container"


def job(node: dict[str, Any], start: Start | None = None, **spec: Any) -> dict[str, Any]:
    node = {"name": "extract", "image": "x", **node}
    return job_manifest(workflow_of({"nodes": [node], **spec}), start or start_of("extract"))


def pod(node: dict[str, Any], start: Start | None = None, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = job(node, start, **spec)["spec"]["template"]["spec"]
    return found


def main(node: dict[str, Any], start: Start | None = None, **spec: Any) -> dict[str, Any]:
    containers = pod(node, start, **spec)["containers"]
    found: dict[str, Any] = next(one for one in containers if one["name"] == "main")
    return found


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "from elsewhere") for entry in container["env"]}


def test_it_is_built_the_same_again_and_shares_nothing() -> None:
    workflow = workflow_of(
        {"nodes": [{"name": "extract", "image": "x", "resources": {"limits": {}}}]}
    )
    first = job_manifest(workflow, start_of("extract"))
    kept = copy.deepcopy(first)
    first["metadata"]["labels"].clear()
    first["spec"]["template"]["metadata"]["labels"].clear()
    first["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = 1
    again = job_manifest(workflow, start_of("extract"))
    assert json.dumps(again) == json.dumps(kept)


def test_it_names_its_attempt() -> None:
    attempt = AttemptId(2, "extract", 4, "cached")
    metadata = job({"fallback": "cached"}, Start(attempt), standbys=STANDBYS[:1])["metadata"]
    assert metadata["name"] == job_name("demo", UID, attempt)
    assert AttemptId.from_labels(metadata["labels"]) == attempt
    assert metadata["labels"]["tidegate.dev/workflow"] == "demo"


def test_a_fallback_bears_the_definition_of_its_node() -> None:
    spec = {
        "nodes": [{"name": "extract", "image": "x", "fallback": "cached"}],
        "standbys": STANDBYS[:1],
    }
    workflow = workflow_of(spec)
    job = job_manifest(workflow, start_of("extract", 2, standby="cached"))
    definition = job["metadata"]["annotations"]["tidegate.dev/definition"]
    assert definition == workflow.tasks["extract"].definition


@pytest.mark.parametrize(
    ("times", "default", "of_pod", "of_job"),
    [
        ({}, None, None, None),
        ({"timeout": "2m"}, None, 120, 600 + 120 + 30),
        ({"timeout": "2m", "startTimeout": "1h"}, None, 120, 3600 + 120 + 30),
        ({"timeout": "2m"}, 600.0, 120, 600 + 120 + 30),
        ({}, 600.0, 600, 600 + 600 + 30),
        ({}, 0.2, 1, 600 + 1 + 30),
    ],
)
def test_deadlines(
    times: dict[str, str], default: float | None, of_pod: int | None, of_job: int | None
) -> None:
    found = job(times, start_of("extract", default_timeout=default))["spec"]
    assert found.get("activeDeadlineSeconds") == of_job
    assert found["template"]["spec"].get("activeDeadlineSeconds") == of_pod


def test_the_operator_s_variables_come_first_and_win() -> None:
    env = [{"name": "TIDEGATE_NODE", "value": "mine"}, {"name": "A", "value": "$(TIDEGATE_NODE)"}]
    template = {"spec": {"containers": [{"name": "main", "env": env}]}}
    start = start_of("extract", 2, run=3, env=(("TIDEGATE_PHASE", "costs $5"),))
    assert main({"template": template}, start)["env"] == [
        {"name": "TIDEGATE_WORKFLOW", "value": "demo"},
        {"name": "TIDEGATE_NAMESPACE", "value": "shop"},
        {"name": "TIDEGATE_NODE", "value": "extract"},
        {"name": "TIDEGATE_RUN", "value": "3"},
        {"name": "TIDEGATE_ATTEMPT", "value": "2"},
        {"name": "TIDEGATE_OUTPUT", "value": "/dev/termination-log"},
        {"name": "TIDEGATE_PHASE", "value": "costs $$5"},
        {"name": "A", "value": "$(TIDEGATE_NODE)"},
    ]


def test_a_fallback_inherits_literal_variables_below_its_own() -> None:
    literal = [{"name": "A", "value": "primary"}, {"name": "B", "value": "primary"}]
    secret = {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    standby = {"name": "cached", "image": "y", "env": [{"name": "A", "value": "own"}]}
    found = variables(
        main(
            {"fallback": "cached", "env": [*literal, secret]},
            start_of("extract", 2, standby="cached"),
            standbys=[standby],
        )
    )
    assert (found["A"], found["B"]) == ("own", "primary")
    assert "C" not in found


def test_a_handler_gets_nothing_of_a_node_s() -> None:
    found = main(
        {"env": [{"name": "A", "value": "a"}]},
        start_of("tell"),
        standbys=STANDBYS[1:],
        onExit=["tell"],
    )
    assert found["image"] == "y"
    assert "A" not in variables(found)


@pytest.mark.parametrize(
    ("pod_spec", "mounted"),
    [
        ({}, False),
        ({"automountServiceAccountToken": True}, False),
        ({"serviceAccountName": "reader"}, None),
        ({"serviceAccountName": "reader", "automountServiceAccountToken": False}, False),
        ({"serviceAccount": "reader"}, None),
    ],
)
def test_no_token_without_a_service_account(pod_spec: dict[str, Any], mounted: bool | None) -> None:
    found = pod({"template": {"spec": pod_spec}})
    assert found.get("automountServiceAccountToken") is mounted


def test_a_script_is_one_argument_that_nobody_expands() -> None:
    found = main({"script": "echo $(date) $$ $HOME", "shell": ["bash", "-c"]})
    assert found["command"] == ["bash", "-c", "echo $$(date) $$$$ $$HOME"]


def test_labels_and_annotations_of_the_template_are_the_job_s_too() -> None:
    labels = {"team": "a", "app.kubernetes.io/managed-by": "somebody"}
    template = {"metadata": {"labels": labels, "annotations": {"example.com/a": "b"}}}
    found = job({"template": template})
    for metadata in (found["metadata"], found["spec"]["template"]["metadata"]):
        assert metadata["labels"]["team"] == "a"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "tidegate"
        assert metadata["annotations"]["example.com/a"] == "b"
    assert "tidegate.dev/definition" not in found["spec"]["template"]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "main"),
        ({"annotations": {"example.com/a": "b"}}, "main"),
        ({"annotations": {KUBECTL_DEFAULT: "helper"}}, "helper"),
    ],
)
def test_kubectl_shows_main_wherever_it_stands_unless_the_template_names_another(
    given: dict[str, Any], shown: str
) -> None:
    helper = {"name": "helper", "image": "z"}
    template = {"metadata": given, "spec": {"containers": [helper]}}
    found = job({"template": template})["spec"]["template"]
    assert [one["name"] for one in found["spec"]["containers"]] == ["helper", "main"]
    assert found["metadata"]["annotations"][KUBECTL_DEFAULT] == shown


def test_other_containers_are_resolved_but_get_no_variables() -> None:
    helper = {"name": "log", "image": "z", "args": ["$(workflow.name)"]}
    found = pod({"template": {"spec": {"containers": [helper], "initContainers": [helper]}}})
    assert found["initContainers"] == [{"name": "log", "image": "z", "args": ["demo"]}]
    assert {**helper, "args": ["demo"]} in found["containers"]
