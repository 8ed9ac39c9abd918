"""The operator as a process; that of the chart has no replica meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.cluster import Cluster
from tests.kit.operator import Operator, kubeconfig_of
from tests.kit.space import Space

MakeOperator = Callable[..., Operator]


@pytest.fixture(scope="module")
def alone(installed: Cluster) -> Cluster:
    """The cluster with the chart's roles and without its operator."""
    installed.scale_operator(0)
    return installed


@pytest.fixture(scope="module")
def account(alone: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig with the rights that the chart gives the operator."""
    return kubeconfig_of(alone, tmp_path_factory.mktemp("account"))


@pytest.fixture
def make_operator(
    alone: Cluster, account: Path, space: Space, tmp_path: Path
) -> Iterator[MakeOperator]:
    """Makes operators for the test's namespace; all of them have ended after the test."""
    made: list[Operator] = []

    def make(name: str = "operator-0", **settings: Any) -> Operator:
        given = {"kubeconfig": account, "namespaces": (space.name,), **settings}
        operator = Operator(log=tmp_path / f"{name}.log", name=name, **given)
        alone.witnesses[f"operator {name}"] = operator.everything
        made.append(operator)
        return operator

    yield make
    for operator in made:
        operator.stop()
        alone.witnesses.pop(f"operator {operator.name}", None)


@pytest.fixture
def operator(make_operator: MakeOperator) -> Operator:
    """An operator that leads."""
    return make_operator().start().until_leading()
