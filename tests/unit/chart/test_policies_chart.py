"""The admission policies in the chart: who installs them, who uses them."""

from typing import Any

import pytest

from tests.unit.chart.conftest import HelmError, Manifest, Render
from tests.unit.chart.test_chart import allowed, of_kind, settings, the
from tidegate.cluster.policies import BINDING_RESOURCE, POLICY_RESOURCE
from tidegate.policies.catalog import POLICIES, fault_of_binding, fault_of_policy

NAMES = [policy.name for policy in POLICIES]
OWN = "system:serviceaccount:tidegate-system:tidegate"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
REQUIRED = "TIDEGATE_REQUIRE_VERIFIED_VOTES"


def names(objects: list[Manifest], kind: str) -> list[str]:
    return [found["metadata"]["name"] for found in of_kind(objects, kind)]


def operators(objects: list[Manifest], name: str) -> str:
    (text,) = (
        variable["expression"]
        for variable in the(objects, POLICY, name)["spec"]["variables"]
        if variable["name"] == "operators"
    )
    return str(text)


def test_what_the_chart_installs_is_what_the_operator_knows(render: Render) -> None:
    objects = render()
    assert names(objects, POLICY) == names(objects, BINDING) == NAMES
    for name in NAMES:
        assert fault_of_policy(name, the(objects, POLICY, name), OWN) == ""
        assert fault_of_binding(name, the(objects, BINDING, name)) == ""


def test_names_and_rules_are_the_same_for_every_release(render: Render) -> None:
    objects = render("canary")
    assert names(objects, POLICY) == NAMES
    other = "system:serviceaccount:tidegate-system:canary-tidegate"
    assert fault_of_policy("tidegate-status", the(objects, POLICY, "tidegate-status"), other) == ""


def test_accounts_of_other_operators_are_added_to_the_own(render: Render) -> None:
    objects = render(policies={"operators": ["team-a:tidegate", "tidegate-system:tidegate"]})
    wanted = f'["{OWN}","system:serviceaccount:team-a:tidegate"]'
    assert operators(objects, "tidegate-status") == wanted
    assert operators(objects, "tidegate-children") == wanted
    named = render(serviceAccount={"name": "mine"})
    assert operators(named, "tidegate-status") == '["system:serviceaccount:tidegate-system:mine"]'


def test_a_team_installs_none_and_may_read_those_that_are_there(render: Render) -> None:
    objects = render(policies={"install": False}, watchNamespaces=["team-a"])
    assert names(objects, POLICY) == names(objects, BINDING) == []
    assert names(objects, "ClusterRoleBinding") == ["tidegate-policies"]
    (rule,) = the(objects, "ClusterRole", "tidegate-policies")["rules"]
    assert rule == {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": [POLICY_RESOURCE, BINDING_RESOURCE],
        "resourceNames": NAMES,
        "verbs": ["list", "watch"],
    }


@pytest.mark.parametrize(
    ("values", "required"),
    [
        ({}, "true"),
        ({"install": False}, "false"),
        ({"install": False, "requireVerifiedVotes": True}, "true"),
        ({"requireVerifiedVotes": False}, "false"),
        ({"requireVerifiedVotes": None}, "true"),
    ],
)
def test_votes_must_be_checked_where_the_policies_are_installed_unless_told(
    render: Render, values: dict[str, Any], required: str
) -> None:
    assert settings(render(policies=values))[REQUIRED] == required


def test_administrators_of_a_namespace_may_let_others_approve(render: Render) -> None:
    role = the(render(), "ClusterRole", "tidegate-approve")
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    goes_to = {label for label in role["metadata"]["labels"] if label.startswith(prefix)}
    assert goes_to == {f"{prefix}admin"}
    assert allowed(role) == {
        ("workflows", verb) for verb in ("get", "list", "watch", "patch", "approve")
    }
    edit = the(render(), "ClusterRole", "tidegate-edit")
    assert "approve" not in {verb for _, verb in allowed(edit)}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"operators": ["tidegate"]}, "operators"),
        ({"operators": ["system:serviceaccount:a:b"]}, "operators"),
        ({"operators": ['a:b"] + ["mallory']}, "operators"),
        ({"operators": ["a:b", "a:b"]}, "operators"),
        ({"operators": "a:b"}, "operators"),
        ({"install": "yes"}, "install"),
        ({"requireVerifiedVotes": "true"}, "requireVerifiedVotes"),
        ({"keep": True}, "keep"),
    ],
)
def test_wrong_values_are_refused_by_name(
    render: Render, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(HelmError, match=words):
        render(policies=values)
