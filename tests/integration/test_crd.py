"""The CRD on a real API server: what it refuses, in which words, and what it locks during a run.

The same CRD is installed under another group, so that no operator takes up what is tried here.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.client import ApiError, Client, Object
from tests.kit.cluster import Cluster
from tidegate.api.crd import crd

pytestmark = pytest.mark.integration

GROUP = "crd-test.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WORKFLOWS = f"/apis/{GROUP}/v1alpha1/namespaces/default/workflows"
STRICT = "?fieldValidation=Strict"


class Api:
    """Workflows of the test group."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, spec: Any, name: str = "w", query: str = STRICT) -> Object:
        body = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": spec,
        }
        return self._client.send("POST", WORKFLOWS + query, body)

    def attempt(self, spec: Any, name: str = "w") -> None:
        """Create nothing, but be told what is wrong."""
        self.create(spec, name, f"{STRICT}&dryRun=All")

    def patch(self, name: str, patch: Object, sub: str = "") -> Object:
        return self._client.send("PATCH", f"{WORKFLOWS}/{name}{sub}", patch)

    def delete(self, name: str) -> None:
        self._client.send("DELETE", f"{WORKFLOWS}/{name}")

    def list(self, **parameters: str) -> list[Object]:
        return list(self._client.send("GET", WORKFLOWS, parameters=parameters)["items"])


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Api]:
    copied = copy.deepcopy(crd())
    copied["metadata"]["name"] = f"workflows.{GROUP}"
    copied["spec"]["group"] = GROUP
    copied["spec"]["names"] |= {"shortNames": ["twfcrdtest"], "categories": []}
    path = f"{CRDS}/workflows.{GROUP}"
    try:
        cluster.client.send("POST", CRDS + STRICT, copied)
    except ApiError as error:  # left by a test that was killed
        if error.reason != "AlreadyExists":
            raise
        cluster.client.send("PATCH", path, copied)
    _wait_until_served(cluster.client)
    yield Api(cluster.client)
    cluster.client.send("DELETE", path)


def _wait_until_served(client: Client) -> None:
    """An established CRD is served a moment later, and no watch tells when."""
    for _ in range(150):
        try:
            client.send("GET", WORKFLOWS)
        except ApiError:
            threading.Event().wait(0.2)
        else:
            return
    pytest.fail("the CRD isn't served after 30 s")


def node(name: str = "a", **fields: Any) -> Object:
    return {"name": name, **fields}


def spec(*nodes: Object, **fields: Any) -> Object:
    return {"nodes": list(nodes or (node(),)), **fields}


def one(**fields: Any) -> Object:
    return spec(node(**fields))


CHAIN = [node(f"n{i}", dependsOn=[f"n{j}" for j in range(max(0, i - 32), i)]) for i in range(500)]

BAD: list[tuple[str, Any, str]] = [
    ("no spec", None, "spec: Required value"),
    ("no nodes", {}, "spec.nodes: Required value"),
    ("empty", {"nodes": []}, "spec.nodes in body should have at least 1 items"),
    ("too many", spec(*(node(f"n{i}") for i in range(501))), "must have at most 500 items"),
    ("no name", spec({}), "spec.nodes[0].name: Required value"),
    ("upper case", spec(node("A")), "spec.nodes[0].name in body should match"),
    ("long name", spec(node("a" * 41)), "spec.nodes[0].name: Too long"),
    ("the same name", spec(node(), node()), 'Duplicate value: {"name":"a"}'),
    ("unknown field", one(retyr={}), 'unknown field "spec.nodes[0].retyr"'),
    ("type", spec(parallelism="3"), "spec.parallelism in body must be of type integer"),
    ("parallelism", spec(parallelism=0), "should be greater than or equal to 1"),
    ("ttl", spec(ttlSecondsAfterFinished=-1), "should be greater than or equal to 0"),
    ("choice", spec(execution="eager"), 'supported values: "Waves", "Eager"'),
    ("duration", one(timeout="5 min"), "spec.nodes[0].timeout in body should match"),
    ("duration of a run", spec(timeout="1d"), "spec.timeout in body should match"),
    ("no milliseconds", one(startTimeout="500ms"), "startTimeout in body should match"),
    ("nothing", one(timeout="0s"), "must be from 1s to 8760h, like 90s, 10m or 1h30m"),
    ("too long", one(timeout="8761h"), "must be from 1s to 8760h"),
    ("unknown dependency", spec(node(dependsOn=["b"])), "depends on a node that doesn't exist"),
    ("itself", spec(node(dependsOn=["a"])), "a node can't depend on itself"),
    ("dependency twice", spec(node(), node("b", dependsOn=["a", "a"])), 'Duplicate value: "a"'),
    ("dependencies", spec(node(dependsOn=[f"n{i}" for i in range(33)])), "at most 32 items"),
    ("a standby like a node", spec(standbys=[node()], onExit=["a"]), "has the name of a node"),
    ("fallback", one(fallback="b"), "a fallback names a standby that doesn't exist"),
    ("fallback to a node", spec(node(fallback="b"), node("b")), "a fallback names a standby that"),
    ("onError", spec(onError=["b"]), "onError names a standby that doesn't exist"),
    ("onExit", spec(onExit=["a"]), "onExit names a standby that doesn't exist"),
    ("handler in both", spec(standbys=[node("s")], onError=["s"], onExit=["s"]),
     "a handler is named at most once in onError and onExit together"),
    ("handler twice", spec(standbys=[node("s")], onExit=["s", "s"]), "named at most once"),
    ("unused standby", spec(standbys=[node("s")]), "nothing names a standby: use it as a fallback"),
    ("standby that depends", spec(standbys=[node("s", dependsOn=["a"])], onExit=["s"]),
     'unknown field "spec.standbys[0].dependsOn"'),
    ("script and command", one(script="x", command=["x"]), "script excludes command and args"),
    ("script and args", one(script="x", args=["x"]), "script excludes command and args"),
    ("standby's script", spec(standbys=[node("s", script="x", args=["x"])], onExit=["s"]),
     "script excludes command and args"),
    ("limit", one(retry={"limit": -1}), "retry.limit in body should be greater than or equal to 0"),
    ("factor", one(retry={"backoff": {"factor": 0.5}}), "should be greater than or equal to 1"),
    ("cap", one(retry={"backoff": {"base": "10s", "cap": "5s"}}), "cap must not be less than base"),
    ("default cap", one(retry={"backoff": {"base": "1m"}}), "cap must not be less than base"),
    ("great cap", one(retry={"backoff": {"cap": "25h"}}), "cap must be at most 24h"),
    ("defaults' cap", spec(defaults={"retry": {"backoff": {"cap": "1ms"}}}), "less than base"),
    ("jitter", one(retry={"backoff": {"jitter": "Some"}}), '"None", "Full", "Equal"'),
    ("exit code 0", one(retry={"exitCodes": {"fail": [0]}}), "greater than or equal to 1"),
    ("exit code 256", one(retry={"exitCodes": {"retry": [256]}}), "less than or equal to 255"),
    ("no exit codes", one(retry={"exitCodes": {"retry": []}}), "at least 1 items"),
    ("exit codes in both", one(retry={"exitCodes": {"retry": [1], "fail": [1]}}),
     "an exit code stands in retry and in fail"),
    ("env without name", one(env=[{"value": "x"}]), "env[0].name: Required value"),
    ("env twice", one(env=[{"name": "A"}, {"name": "A"}]), 'Duplicate value: {"name":"A"}'),
    ("env no text", one(env=[{"name": "A", "value": 3}]), "value in body must be of type string"),
    ("mount", one(volumeMounts=[{"name": "v"}]), "mountPath: Required value"),
    ("template no object", one(template=[]), "template in body must be of type object"),
    ("param without value", spec(params=[{"name": "a"}]), "spec.params[0].value: Required value"),
    ("param twice", spec(params=[{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]),
     'Duplicate value: {"name":"a"}'),
    ("param no text", spec(params=[{"name": "a", "value": 3}]), "must be of type string"),
    ("64 KiB", spec(params=[{"name": "a", "value": "x" * 65536}]), "params[0].value: Too long"),
    ("params", spec(params=[{"name": f"a{i}", "value": ""} for i in range(65)]), "most 64 items"),
    ("a param's name", spec(params=[{"name": "a b", "value": ""}]), "name in body should match"),
    ("outputs no list", one(outputs="a"), "outputs in body must be of type array"),
    ("when no text", one(when=True), "spec.nodes[0].when in body must be of type string"),
    ("standby with when", spec(standbys=[node("s", when="true")], onExit=["s"]),
     'unknown field "spec.standbys[0].when"'),
    ("not built yet", one(forEach={"items": [1]}), 'unknown field "spec.nodes[0].forEach"'),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "words"), [r[1:] for r in BAD], ids=[r[0] for r in BAD])
def test_refuses_in_plain_words(api: Api, bad: Any, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        api.attempt(bad)
    assert refused.value.status in (400, 422)
    assert words in refused.value.message


@pytest.mark.parametrize("name", ["a.b", "a" * 64])
def test_refuses_names_that_no_label_can_hold(api: Api, name: str) -> None:
    with pytest.raises(ApiError, match="must be a DNS label of at most 63 characters"):
        api.attempt(spec(), name)


def test_accepts_the_longest_name_and_the_largest_graph(api: Api) -> None:
    api.attempt(spec(*CHAIN, standbys=[node("s")], onExit=["s"]), "a" * 63)


def test_fills_in_defaults_and_keeps_what_is_kubernetes_own(api: Api) -> None:
    template = {"spec": {"newField": 1, "containers": [{"name": "main", "env": []}]}}
    given = one(retry={}, template=template, env=[{"name": "A", "newField": {"x": 1}}])
    made = api.create(given, query=f"{STRICT}&dryRun=All")
    assert made["status"] == {"observedGeneration": -1}
    assert made["spec"]["parallelism"] == 10
    first = made["spec"]["nodes"][0]
    assert first["template"] == template
    assert first["env"] == [{"name": "A", "newField": {"x": 1}}]
    assert first["retry"]["backoff"] == {"base": "1s", "factor": 2, "cap": "32s", "jitter": "Full"}
    assert "timeout" not in first


@pytest.fixture
def live(api: Api) -> Iterator[str]:
    """A Workflow with a run on."""
    name = "live"
    given = one(
        env=[{"name": "A", "value": "x"}, {"name": "B", "value": "x"}],
        template={"spec": {"nodeSelector": {"a": "b"}}},
        volumeMounts=[{"name": "v", "mountPath": "/v", "readOnly": True}],
        fallback="s",
    )
    api.create(given | {"standbys": [node("s"), node("t")], "onExit": ["t"]}, name)
    api.patch(name, {"status": {"phase": "Running", "observedGeneration": 1}}, "/status")
    yield name
    api.delete(name)


def changed(**fields: Any) -> Object:
    """The nodes of ``live``, with other fields."""
    return {
        "nodes": [
            node(
                **{
                    "env": [{"name": "A", "value": "x"}, {"name": "B", "value": "x"}],
                    "template": {"spec": {"nodeSelector": {"a": "b"}}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}],
                    "fallback": "s",
                    "trigger": "DependenciesSucceeded",
                    "allowFailure": False,
                    **fields,
                }
            )
        ]
    }


SOURCE = {"fieldRef": {"fieldPath": "metadata.name"}}
LOCKED: list[tuple[str, Object]] = [
    ("nodes", changed(command=["x"])),
    ("nodes", changed(timeout="1s")),
    ("nodes", changed(env=[{"name": "A", "valueFrom": SOURCE}, {"name": "B", "value": "x"}])),
    ("nodes", changed(template={"spec": {"nodeSelector": {"a": "c"}}})),
    ("nodes", changed(template={"spec": {"tolerations": []}})),
    ("nodes", changed(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "x"}])),
    ("nodes", {"nodes": [*changed()["nodes"], node("b")]}),
    ("standbys", {"standbys": [node("s", image="x"), node("t")]}),
    ("defaults", {"defaults": {"image": "x"}}),
    ("defaults", {"defaults": {"template": {"spec": {}}}}),
    ("execution", {"execution": "Eager"}),
    ("failurePolicy", {"failurePolicy": "Continue"}),
    ("onError", {"onError": ["s"]}),
    ("onExit", {"onExit": ["t", "s"]}),
]


@pytest.mark.parametrize("phase", ["Running", "Waiting", "Suspended"])
def test_the_definition_is_locked_while_a_run_is_on(api: Api, live: str, phase: str) -> None:
    api.patch(live, {"status": {"phase": phase}}, "/status")
    api.patch(live, {"spec": changed()})
    for field, patch in LOCKED:
        with pytest.raises(ApiError) as refused:
            api.patch(live, {"spec": patch})
        assert (
            f"spec.{field} can't change while a run is on;"
            " cancel it (tidegate.dev/cancel) or wait" in refused.value.message
        ), patch


def test_some_fields_may_change_while_a_run_is_on(api: Api, live: str) -> None:
    patch = {
        "parallelism": 3,
        "timeout": "1h",
        "suspend": True,
        "ttlSecondsAfterFinished": 5,
        "rerunPolicy": "OnChange",
        "jobRetention": "Never",
    }
    assert patch.items() <= api.patch(live, {"spec": patch})["spec"].items()
    api.patch(live, {"metadata": {"annotations": {"tidegate.dev/cancel": "now"}}})


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed", "Cancelled"])
def test_before_and_after_a_run_everything_may_change(api: Api, live: str, phase: str) -> None:
    api.patch(live, {"status": {"phase": phase}}, "/status")
    api.patch(live, {"spec": changed(command=["x"]) | {"execution": "Eager"}})


def test_an_edit_can_not_unlock_by_sending_a_status(api: Api, live: str) -> None:
    with pytest.raises(ApiError, match="can't change while a run is on"):
        api.patch(live, {"status": {"phase": "Failed"}, "spec": changed(command=["x"])})


def test_phases_can_be_selected(api: Api, live: str) -> None:
    selected = api.list(fieldSelector="status.phase=Running")
    assert [w["metadata"]["name"] for w in selected] == [live]
    assert api.list(fieldSelector="status.phase=Failed") == []


def test_a_status_is_one_entry_in_managed_fields(api: Api, live: str) -> None:
    """Or they would grow with the nodes and be written with every status."""
    nodes = {f"n{i}": {"phase": "Running", "attempt": 1} for i in range(100)}
    written = api.patch(live, {"status": {"nodes": nodes}}, "/status")
    entries = written["metadata"]["managedFields"]
    (status,) = (entry["fieldsV1"] for entry in entries if entry.get("subresource") == "status")
    assert status == {"f:status": {}}
