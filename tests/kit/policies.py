"""The admission policies on the cluster under test, and other operators that they know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kit.client import Client, Object
from tests.kit.stage import until_granted

RESOURCE = "validatingadmissionpolicies"
WITH_OPERATORS = ("tidegate-status", "tidegate-children")


@contextmanager
def operator_known(client: Client, account: str, namespace: str) -> Iterator[None]:
    """Let the policies know the account of another operator for a while.

    As an administrator does by ``policies.operators`` of the release that installed them.
    ``namespace`` is one to try it in.
    """
    before = {name: client.get(RESOURCE, "", name)["spec"]["variables"] for name in WITH_OPERATORS}
    for name, variables in before.items():
        _write(client, name, [_with(variable, account) for variable in variables])
    other = client.impersonating(account, ("system:authenticated",)).dry_running()
    job = {"metadata": {"name": "x", "labels": {"tidegate.dev/workflow": "x"}}, "spec": _PLAIN}
    until_granted(lambda: other.create("jobs", namespace, job))
    yield
    for name, variables in before.items():
        _write(client, name, variables)


_PLAIN = {
    "template": {
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox:1.36"}],
        }
    }
}


def _with(variable: Object, account: str) -> Object:
    if variable["name"] != "operators":
        return variable
    accounts = [*json.loads(variable["expression"]), account]
    return {**variable, "expression": json.dumps(accounts, separators=(",", ":"))}


def _write(client: Client, name: str, variables: list[Object]) -> None:
    client.patch(RESOURCE, "", name, {"spec": {"variables": variables}})
