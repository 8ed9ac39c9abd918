"""Which policies in a cluster are taken for the shipped ones."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tidegate.policies.catalog import (
    BY_NAME,
    POLICIES,
    binding_manifest,
    fault_of_binding,
    fault_of_policy,
    operators_text,
    policy_manifest,
)

OWN = "system:serviceaccount:tidegate-system:tidegate"
OTHER = "system:serviceaccount:team-a:tidegate"
NAMES = [policy.name for policy in POLICIES]
Change = Callable[[dict[str, Any]], Any]


def stored(name: str, *accounts: str) -> dict[str, Any]:
    """A policy as the API server gives it back."""
    raw = deepcopy(policy_manifest(BY_NAME[name], list(accounts or (OWN,))))
    raw["metadata"] |= {"uid": "u", "generation": 1, "labels": {"a": "b"}}
    raw["status"] = {"observedGeneration": 1, "typeChecking": {}}
    return raw


@pytest.mark.parametrize("name", NAMES)
def test_what_was_shipped_is_known(name: str) -> None:
    assert fault_of_policy(name, stored(name), OWN) == ""
    assert fault_of_binding(name, binding_manifest(BY_NAME[name])) == ""


def test_the_list_of_operators_may_be_any_that_holds_the_own_account() -> None:
    assert fault_of_policy("tidegate-status", stored("tidegate-status", OTHER, OWN), OWN) == ""
    told = fault_of_policy("tidegate-status", stored("tidegate-status", OTHER), OWN)
    assert told == f"doesn't know this operator: {OWN} isn't in its list"
    assert "its account" in fault_of_policy("tidegate-status", stored("tidegate-status"), "")


@pytest.mark.parametrize(
    "text",
    [
        "['system:serviceaccount:tidegate-system:tidegate']",
        operators_text([OWN, "mallory"]),
        operators_text([OWN, "system:serviceaccount:a:b' , '"]),
        f'["{OWN}"] + request.userInfo.groups',
        f'["{OWN}",request.userInfo.username]',
        f'"{OWN}"',
        "[]]",
        "",
    ],
)
def test_another_text_in_its_place_is_unknown(text: str) -> None:
    raw = stored("tidegate-children")
    raw["spec"]["variables"][0]["expression"] = text
    assert fault_of_policy("tidegate-children", raw, OWN)


ALTERED: list[tuple[str, Change]] = [
    ("a rule is true", lambda spec: spec["validations"][0].update(expression="true")),
    ("a rule is missing", lambda spec: spec["validations"].pop()),
    ("no rules", lambda spec: spec.pop("validations")),
    ("errors pass", lambda spec: spec.update(failurePolicy="Ignore")),
    ("a condition", lambda spec: spec.update(matchConditions=[{"name": "a", "expression": "x"}])),
    ("some namespaces", lambda s: s["matchConstraints"].update(namespaceSelector={"a": "b"})),
    ("some objects", lambda s: s["matchConstraints"].update(objectSelector={"matchLabels": {}})),
    ("excluded", lambda s: s["matchConstraints"].update(excludeResourceRules=[{}])),
    ("exactly", lambda s: s["matchConstraints"].update(matchPolicy="Exact")),
    ("operations", lambda s: s["matchConstraints"]["resourceRules"][0].update(operations=["X"])),
    ("names", lambda s: s["matchConstraints"]["resourceRules"][0].update(resourceNames=["x"])),
    ("parameters", lambda spec: spec.update(paramKind={"apiVersion": "v1", "kind": "ConfigMap"})),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [c for _, c in ALTERED], ids=[title for title, _ in ALTERED])
def test_an_altered_policy_is_unknown(name: str, change: Change) -> None:
    raw = stored(name)
    change(raw["spec"])
    assert fault_of_policy(name, raw, OWN) == "differs from the shipped one"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, -1])
def test_an_altered_variable_is_unknown(name: str, place: int) -> None:
    raw = stored(name)
    if len(raw["spec"]["variables"]) > 1 or name == "tidegate-votes":
        raw["spec"]["variables"][place] = {"name": "me", "expression": "'alice'"}
        assert fault_of_policy(name, raw, OWN)
    del raw["spec"]["variables"]
    assert fault_of_policy(name, raw, OWN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"validationActions": ["Audit"]}, "doesn't deny"),
        ({"validationActions": ["Warn", "Audit"]}, "doesn't deny"),
        ({"validationActions": []}, "doesn't deny"),
        ({"validationActions": None}, "doesn't deny"),
        ({"validationActions": ["Deny", "Audit"]}, "is narrowed or differs"),
        ({"policyName": "other"}, "is narrowed or differs"),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}, "is narrowed"),
        ({"matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}}, "is narrowed"),
        ({"matchResources": {"excludeResourceRules": [{}]}}, "is narrowed"),
        ({"paramRef": {"name": "x"}}, "is narrowed or differs"),
    ],
)
def test_a_binding_that_denies_less_is_unknown(change: dict[str, Any], words: str) -> None:
    raw = deepcopy(binding_manifest(BY_NAME["tidegate-votes"]))
    raw["spec"] |= change
    assert words in fault_of_binding("tidegate-votes", raw)


def test_what_has_no_spec_is_unknown() -> None:
    assert fault_of_policy("tidegate-votes", {}, OWN) == "has no spec"
    assert fault_of_binding("tidegate-votes", {}) == "doesn't deny"


def test_every_denial_says_who_and_has_words_where_the_long_ones_fail() -> None:
    for policy in POLICIES:
        for rule in policy.rules:
            assert "variables.me" in rule.otherwise or "userInfo.username" in rule.otherwise
            assert rule.plain
            assert "\n" not in rule.plain
