"""The operator as users have it: installed by its chart, from its image, one replica."""

from __future__ import annotations

import pytest

from tests.kit.cluster import Cluster

LAST = "test_rights"
"""Looks back on what all other tests made the operator do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long by itself late, and the look back after everything else."""
    items.sort(
        key=lambda item: (item.path.stem == LAST, item.get_closest_marker("ahead") is not None)
    )


@pytest.fixture(scope="module", autouse=True)
def deployed(installed: Cluster) -> Cluster:
    """The cluster with one replica of the operator, ready."""
    installed.scale_operator(1)
    return installed
