"""All policies, and whether what stands in a cluster is what was shipped."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tidegate.policies.authors import AUTHORS
from tidegate.policies.children import CHILDREN
from tidegate.policies.model import OPERATORS, Policy, binding_spec, policy_spec
from tidegate.policies.status import STATUS
from tidegate.policies.votes import VOTES

POLICIES: Final = (VOTES, AUTHORS, STATUS, CHILDREN)
BY_NAME: Final = {policy.name: policy for policy in POLICIES}

_PLACEHOLDER: Final = "(the operators' accounts)"
_ACCOUNT: Final = re.compile(
    r"system:serviceaccount:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?"
)


def operators_text(accounts: list[str]) -> str:
    """The CEL text of the list of the operators' accounts: JSON without spaces."""
    return json.dumps(accounts, separators=(",", ":"))


def fault_of_policy(name: str, raw: Mapping[str, Any], account: str) -> str:
    """What is wrong with the policy that stands in the cluster; empty where nothing is.

    It must equal the shipped one but for the list of operators, which must hold ``account``.
    """
    policy = BY_NAME[name]
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return "has no spec"
    if policy.names_operators:
        listed = _operators(spec)
        if listed is None:
            return "has an unknown list of operators"
        if account not in listed:
            return f"doesn't know this operator: {account or 'its account'} isn't in its list"
        spec = {**spec, "variables": [_masked(variable) for variable in spec["variables"]]}
    return "" if spec == policy_spec(policy, _PLACEHOLDER) else "differs from the shipped one"


def fault_of_binding(name: str, raw: Mapping[str, Any]) -> str:
    """What is wrong with the binding that stands in the cluster; empty where nothing is."""
    spec = raw.get("spec")
    if not isinstance(spec, dict) or "Deny" not in (spec.get("validationActions") or ()):
        return "doesn't deny"
    return "" if spec == binding_spec(BY_NAME[name]) else "is narrowed or differs"


def _operators(spec: Mapping[str, Any]) -> list[str] | None:
    """The accounts in the policy; None where it isn't a plain list of service accounts."""
    variables = spec.get("variables")
    found = variables if isinstance(variables, list) else []
    texts = [str(one.get("expression")) for one in found if one.get("name") == OPERATORS]
    try:
        (text,) = texts
        accounts = json.loads(text)
    except ValueError:
        return None
    if not isinstance(accounts, list) or operators_text(accounts) != text:
        return None
    is_plain = all(isinstance(one, str) and _ACCOUNT.fullmatch(one) for one in accounts)
    return accounts if is_plain else None


def _masked(variable: Mapping[str, Any]) -> Mapping[str, Any]:
    is_list = variable.get("name") == OPERATORS
    return {**variable, "expression": _PLACEHOLDER} if is_list else variable


def policy_manifest(policy: Policy, accounts: list[str]) -> dict[str, Any]:
    """The policy as an object of the API server."""
    return _manifest(
        "ValidatingAdmissionPolicy", policy, policy_spec(policy, operators_text(accounts))
    )


def binding_manifest(policy: Policy) -> dict[str, Any]:
    """Its binding as an object of the API server."""
    return _manifest("ValidatingAdmissionPolicyBinding", policy, binding_spec(policy))


def _manifest(kind: str, policy: Policy, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": policy.name},
        "spec": spec,
    }
