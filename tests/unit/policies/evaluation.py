"""A policy's rules for a request, evaluated with the C++ library: the words of each denial."""

from __future__ import annotations

from functools import cache
from inspect import cleandoc
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from tidegate.policies.model import Policy

Json = dict[str, Any]


def write(who: str, before: Json | None, after: Json) -> Json:
    """A request by ``who``: it creates ``after``, or makes it of ``before``."""
    operation = "CREATE" if before is None else "UPDATE"
    asked = {"operation": operation, "namespace": "team-a", "userInfo": {"username": who}}
    return {"request": asked, "object": after, "oldObject": before}


def denials(policy: Policy, given: Json) -> list[str]:
    """What a request is denied with. Rules that ask for rights are left out: nobody is asked."""
    data = {**given, "variables": {}}
    for name, text in policy.variables.items():
        data["variables"][name] = _value(text, data)
    asked = (rule for rule in policy.rules if "authorizer." not in rule.holds)
    return [_value(rule.otherwise, data) for rule in asked if not _value(rule.holds, data)]


def _value(text: str, data: Json) -> Any:
    found = _program(cleandoc(text)).eval(data=data)
    assert found.type() != cel.Type.ERROR, str(found)
    return found.plain_value()


@cache
def _program(text: str) -> Any:
    variables = dict.fromkeys(("request", "object", "oldObject", "variables"), cel.Type.DYN)
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
    return cel.NewEnv(variables=variables, extensions=extensions).compile(text)
