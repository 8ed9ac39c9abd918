import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.merge import merge_env, merge_template


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


def main(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "main", **fields}])


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        pytest.param(None, None, {}, id="nothing"),
        pytest.param({"metadata": {"labels": {"a": "1", "b": "1"}}},
                     {"metadata": {"labels": {"b": "2", "c": "2"}}},
                     {"metadata": {"labels": {"a": "1", "b": "2", "c": "2"}}}, id="maps by key"),
        pytest.param(pod(nodeSelector={"a": "1", "b": "2"}), pod(nodeSelector={"a": None}),
                     pod(nodeSelector={"b": "2"}), id="null removes a key"),
        pytest.param(pod(tolerations=[{"key": "a"}], hostname="h"), pod(tolerations=None),
                     pod(hostname="h"), id="null removes a list"),
        pytest.param(None, pod(hostname=None), {"spec": {}}, id="null adds nothing"),
        pytest.param(pod(hostname=None), pod(), {"spec": {}}, id="null of the base goes, too"),
        pytest.param(pod(tolerations=[{"key": "a"}]), pod(tolerations=[{"key": "b"}]),
                     pod(tolerations=[{"key": "b"}]), id="other lists whole"),
        pytest.param(main(args=["a", "b"]), main(args=["c"]), main(args=["c"]), id="args whole"),
        pytest.param(pod(containers=[{"name": "main", "image": "x", "tty": True}, {"name": "b"}]),
                     pod(containers=[{"name": "c"}, {"name": "main", "image": "y"}]),
                     pod(containers=[{"name": "main", "image": "y", "tty": True}, {"name": "b"},
                                     {"name": "c"}]), id="containers by name"),
        pytest.param(pod(initContainers=[{"name": "i", "image": "x"}]),
                     pod(initContainers=[{"name": "i", "restartPolicy": "Always"}]),
                     pod(initContainers=[{"name": "i", "image": "x", "restartPolicy": "Always"}]),
                     id="initContainers by name"),
        pytest.param(pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "w"}]),
                     pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
                     pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}, {"name": "w"}]),
                     id="volumes by name, whole"),
        pytest.param(main(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]),
                     main(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]),
                     main(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
                               {"name": "B", "value": "1"}]), id="env by name, whole"),
        pytest.param(main(volumeMounts=[{"mountPath": "/a", "name": "v", "readOnly": True}]),
                     main(volumeMounts=[{"mountPath": "/a", "name": "w"},
                                        {"mountPath": "/b", "name": "v"}]),
                     main(volumeMounts=[{"mountPath": "/a", "name": "w"},
                                        {"mountPath": "/b", "name": "v"}]),
                     id="volumeMounts by mountPath, whole"),
        pytest.param(main(volumeDevices=[{"devicePath": "/d", "name": "v"}]),
                     main(volumeDevices=[{"devicePath": "/d", "name": "w"}]),
                     main(volumeDevices=[{"devicePath": "/d", "name": "w"}]),
                     id="volumeDevices by devicePath"),
        pytest.param(main(ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]),
                     main(ports=[{"containerPort": 80, "protocol": "TCP", "name": "http"}]),
                     main(ports=[{"containerPort": 80, "protocol": "TCP", "name": "http"},
                                 {"containerPort": 80, "protocol": "UDP"}]),
                     id="ports by containerPort and protocol"),
        pytest.param(pod(imagePullSecrets=[{"name": "a"}]),
                     pod(imagePullSecrets=[{"name": "a"}, {"name": "b"}]),
                     pod(imagePullSecrets=[{"name": "a"}, {"name": "b"}]),
                     id="imagePullSecrets by name"),
        pytest.param(pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["a"]}]),
                     pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["b"]}]),
                     pod(hostAliases=[{"ip": "1.1.1.1", "hostnames": ["b"]}]),
                     id="hostAliases by ip"),
        pytest.param(pod(topologySpreadConstraints=[
                         {"topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1},
                         {"topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]),
                     pod(topologySpreadConstraints=[
                         {"topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway",
                          "minDomains": 2}]),
                     pod(topologySpreadConstraints=[
                         {"topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1,
                          "minDomains": 2},
                         {"topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]),
                     id="topologySpreadConstraints by both keys"),
        pytest.param(pod(containers=[{"name": "main", "image": "x"}]), pod(containers=[{"tty": 1}]),
                     pod(containers=[{"tty": 1}]), id="whole where a key is missing"),
        pytest.param(pod(containers="x"), pod(containers=[{"name": "main"}]),
                     pod(containers=[{"name": "main"}]), id="a list over what is none"),
        pytest.param(pod(securityContext={"runAsUser": 1, "runAsNonRoot": True}),
                     pod(securityContext={"runAsUser": 0}),
                     pod(securityContext={"runAsUser": 0, "runAsNonRoot": True}),
                     id="zero is a value"),
        pytest.param({"metadata": {"annotations": {"env": "x"}}},
                     {"metadata": {"annotations": {"containers": "y"}}},
                     {"metadata": {"annotations": {"env": "x", "containers": "y"}}},
                     id="keys count only in their place"),
    ],
)  # fmt: skip
def test_merges(base: Any, over: Any, merged: Any) -> None:
    before = copy.deepcopy((base, over))
    assert merge_template(base, over) == merged
    assert (base, over) == before


def test_the_result_shares_nothing() -> None:
    base = pod(containers=[{"name": "main", "env": [{"name": "A"}]}], volumes=[{"name": "v"}])
    merged = merge_template(base, None)
    merged["spec"]["containers"][0]["env"][0]["name"] = "B"
    merged["spec"]["volumes"].clear()
    assert base["spec"]["containers"][0]["env"][0]["name"] == "A"
    assert base["spec"]["volumes"]


def test_variables_by_name_in_the_order_of_the_base() -> None:
    assert merge_env(
        [{"name": "A"}, {"name": "B"}], [{"name": "C"}, {"name": "A", "value": "x"}]
    ) == (
        {"name": "A", "value": "x"},
        {"name": "B"},
        {"name": "C"},
    )
    assert merge_env((), [{"name": "A"}]) == ({"name": "A"},)


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["main", "a", "TCP", ""])
KEYS = st.sampled_from(
    ["name", "spec", "metadata", "containers", "env", "ports", "containerPort", "protocol",
     "volumes", "volumeMounts", "mountPath", "hostAliases", "ip", "x"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
TEMPLATES = st.fixed_dictionaries({"spec": st.dictionaries(KEYS, JSON, max_size=4)})


def has_null(value: object) -> bool:
    if isinstance(value, dict):
        return any(item is None or has_null(item) for item in value.values())
    return isinstance(value, list) and any(has_null(item) for item in value)


@given(TEMPLATES, TEMPLATES)
def test_whatever_is_in_it_merging_works_and_settles(base: Any, over: Any) -> None:
    merged = merge_template(base, over)
    assert not has_null(merged)
    assert merge_template(merged, None) == merged
    assert merge_template(merged, over) == merged
