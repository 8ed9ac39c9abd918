import contextlib
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.test_validate_fuzz import JSON
from tidegate.app.process import serves
from tidegate.app.webhook_review import MalformedReview, Result, answer
from tidegate.settings import Settings

SOUND = {"nodes": [{"name": "a", "image": "busybox:1.36", "command": ["true"]}]}
CYCLE = {
    "nodes": [
        {"name": "a", "image": "i", "dependsOn": ["b"]},
        {"name": "b", "image": "i", "dependsOn": ["a"]},
        {"name": "c", "image": "i", "fallback": "nobody"},
    ]
}


def workflow(spec: Any, **metadata: Any) -> dict[str, Any]:
    named = {"name": "flow", "namespace": "shop", **metadata}
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": named,
        "spec": spec,
    }


def review(spec: Any, old: Any = None, **request: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "tidegate.dev", "version": "v1alpha1", "kind": "Workflow"},
            "operation": "UPDATE" if old is not None else "CREATE",
            "name": "flow",
            "namespace": "shop",
            "object": workflow(spec),
            "oldObject": None if old is None else workflow(old),
            **request,
        },
    }


def asked(body: Any) -> tuple[Result, dict[str, Any]]:
    result, answered = answer(body, serves(Settings()))
    assert answered["apiVersion"] == "admission.k8s.io/v1"
    assert answered["kind"] == "AdmissionReview"
    response = answered["response"]
    assert response["uid"] == "u-1"
    assert response["allowed"] == (result is not Result.REFUSED)
    return result, response


@pytest.mark.parametrize("old", [None, CYCLE])
def test_a_sound_spec_is_accepted(old: Any) -> None:
    assert asked(review(SOUND, old)) == (Result.ACCEPTED, {"uid": "u-1", "allowed": True})


@pytest.mark.parametrize("old", [None, SOUND, {**CYCLE, "parallelism": 3}])
def test_a_spec_is_refused_with_all_its_faults_at_once(old: Any) -> None:
    result, response = asked(review(CYCLE, old))
    assert result is Result.REFUSED
    status = response["status"]
    assert (status["code"], status["reason"]) == (422, "Invalid")
    causes = status["details"].pop("causes")
    assert status["details"] == {"group": "tidegate.dev", "kind": "Workflow", "name": "flow"}
    assert len(causes) >= 2
    assert {"field": "spec", "reason": "FieldValueInvalid"}.items() <= causes[0].items()
    assert "a → b → a form a cycle" in status["message"]
    assert any(cause["field"] == "spec.nodes[c].fallback" for cause in causes)
    assert status["message"].startswith("invalid spec: ")
    assert all(cause["message"] in status["message"] for cause in causes)


def leaving(change: Any) -> dict[str, Any]:
    """An update of an invalid Workflow that leaves its spec as it is."""
    body = review(CYCLE, CYCLE)
    change(body["request"])
    return body


def gone_soon(request: dict[str, Any]) -> None:
    request["object"]["metadata"]["deletionTimestamp"] = "2026-11-22T16:00:00Z"
    request["object"]["spec"] = {"nodes": []}


@pytest.mark.parametrize(
    "body",
    [
        leaving(lambda r: r["oldObject"]["metadata"].update(finalizers=["x/y"])),
        leaving(lambda r: r["object"]["metadata"].update(annotations={"a": "b"})),
        leaving(lambda r: r["object"].update(status={"phase": "Failed"})),
        leaving(gone_soon),
        review(CYCLE, SOUND, subResource="status"),
        review(CYCLE, operation="DELETE", object=None),
        review(CYCLE, operation="CONNECT"),
        review(CYCLE, kind={"group": "argoproj.io", "version": "v1alpha1", "kind": "Workflow"}),
        review(CYCLE, kind={"group": "tidegate.dev", "version": "v2", "kind": "Workflow"}),
        review(CYCLE, namespace="kube-system"),
    ],
)
def test_what_is_none_of_its_business_passes(body: Any) -> None:
    assert asked(body) == (Result.PASSED, {"uid": "u-1", "allowed": True})


def test_the_name_may_stand_in_the_request_only() -> None:
    body = review(SOUND)
    body["request"]["object"]["metadata"] = {}
    assert asked(body)[0] is Result.ACCEPTED
    body["request"]["name"] = "Not_A_Label"
    assert "metadata.name" in asked(body)[1]["status"]["message"]


@pytest.mark.parametrize(
    ("settings", "served"),
    [
        (Settings(), {"shop", "tools"}),
        (Settings(namespaces=("shop",)), {"shop"}),
        (Settings(excluded_namespaces=("tools",)), {"shop", "kube-system"}),
        (Settings(pod_name="p", pod_namespace="tools"), {"shop"}),
    ],
)
def test_only_namespaces_that_are_run_are_looked_at(settings: Settings, served: set[str]) -> None:
    is_served = serves(settings)
    assert {name for name in ("shop", "tools", "kube-system") if is_served(name)} == served


WHOLE = review(SOUND)


def without(field: str) -> dict[str, Any]:
    body = deepcopy(WHOLE)
    del body["request"][field]
    return body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "no JSON object"),
        ([], "no JSON object"),
        ({}, "no AdmissionReview"),
        ({**WHOLE, "apiVersion": "admission.k8s.io/v1beta1"}, "admission.k8s.io/v1"),
        ({**WHOLE, "kind": "Status"}, "no AdmissionReview"),
        ({**WHOLE, "request": None}, "request is missing"),
        ({**WHOLE, "request": []}, "request is missing"),
        (without("uid"), "request.uid"),
        (review(SOUND, uid=7), "request.uid"),
        (without("object"), "request.object"),
        (review(SOUND, object="x"), "request.object"),
        (review(SOUND, operation="UPDATE", oldObject=None), "request.oldObject"),
        (review({"nodes": [{}] * 2000}), "larger than the CRD allows"),
    ],
)
def test_what_is_no_review_is_told_so(body: Any, words: str) -> None:
    with pytest.raises(MalformedReview, match=words):
        answer(body, serves(Settings()))


@given(spec=JSON)
def test_any_spec_gets_an_answer(spec: Any) -> None:
    asked(review(spec))


@given(fuzz=st.dictionaries(st.sampled_from([*WHOLE["request"]]), JSON))
def test_any_request_gets_an_answer_or_is_malformed(fuzz: dict[str, Any]) -> None:
    with contextlib.suppress(MalformedReview):
        answer({**WHOLE, "request": {**WHOLE["request"], **fuzz}}, serves(Settings()))


def test_true_is_no_one() -> None:
    result, response = asked(review({**SOUND, "parallelism": True}, {**SOUND, "parallelism": 1}))
    assert result is Result.REFUSED
    assert "spec.parallelism: must be a whole number" in response["status"]["message"]


def nested(levels: int) -> Any:
    deep: Any = []
    for _ in range(levels):
        deep = [deep]
    return {"nodes": [{**SOUND["nodes"][0], "template": deep}]}


def test_what_is_nested_too_deep_is_refused_in_words() -> None:
    result, response = asked(review(nested(1000), nested(1000)))
    assert result is Result.REFUSED
    assert "spec: can't be read as JSON" in response["status"]["message"]
