"""What a policy is made of, and how it looks as an object of the API server.

Every field that the server would fill in by itself is written out, so that what is stored equals
what was shipped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, Final

OPERATORS: Final = "operators"
"""The variable with the list of the operators' accounts: the one part that an install chooses."""
API_VERSION: Final = "admissionregistration.k8s.io/v1"
POLICY: Final = "ValidatingAdmissionPolicy"
BINDING: Final = "ValidatingAdmissionPolicyBinding"

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and what whoever breaks it is told."""

    holds: str
    """CEL: true lets the request pass."""
    otherwise: str
    """CEL: the words of the denial, in one line: who, what, where, and what to do."""
    plain: str
    """The words where those can't be had."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A ValidatingAdmissionPolicy; its binding has the same name."""

    name: str
    resources: tuple[tuple[str, str], ...]
    """API group and plural name of each."""
    operations: tuple[str, ...]
    rules: tuple[Rule, ...]
    variables: Mapping[str, str]
    """CEL by name; each may use those before it."""
    concerns: Mapping[str, str] = field(default_factory=dict)
    """Match conditions by name: what none of them holds for is of no concern to the policy."""
    audit: Mapping[str, str] = field(default_factory=dict)
    """What is put into the API server's audit log, by key: CEL whose value is a text."""
    names_operators: bool = False
    """Whether it holds the list of the operators' accounts."""


def policy_spec(policy: Policy, operators: str) -> Spec:
    """The policy's spec; ``operators`` is the CEL text of the accounts' list."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": list(_resources(policy)),
        },
        **_unless_empty("matchConditions", _named(policy.concerns)),
        "variables": _named(
            ({OPERATORS: operators} if policy.names_operators else {}) | dict(policy.variables)
        ),
        "validations": [
            {
                "expression": cleandoc(rule.holds),
                "message": rule.plain,
                "messageExpression": cleandoc(rule.otherwise),
                "reason": "Forbidden",
            }
            for rule in policy.rules
        ],
        **_unless_empty(
            "auditAnnotations",
            [
                {"key": key, "valueExpression": cleandoc(value)}
                for key, value in policy.audit.items()
            ],
        ),
    }


def binding_spec(policy: Policy) -> Spec:
    """The spec of its binding: everywhere, and what breaks a rule is denied."""
    return {"policyName": policy.name, "validationActions": ["Deny"]}


def _resources(policy: Policy) -> Iterator[Spec]:
    for group, name in policy.resources:
        yield {
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": list(policy.operations),
            "resources": [name],
            "scope": "Namespaced",
        }


def _named(expressions: Mapping[str, str]) -> list[Spec]:
    return [{"name": name, "expression": cleandoc(text)} for name, text in expressions.items()]


def _unless_empty(key: str, items: list[Spec]) -> Spec:
    return {key: items} if items else {}
