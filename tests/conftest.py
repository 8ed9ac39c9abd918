"""How properties are searched, and the fixtures of the tests on a real cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.kit.cluster import Cluster
    from tests.kit.run import Run
    from tests.kit.space import Space

INSTALLED = "TIDEGATE_TESTS_INSTALLED"
"""Set in the environment: the operator is installed already, and is not brought up to date."""
SPACES = pytest.StashKey[list[Any]]()

# What decides whether a change lands judges the same examples each time; `make soak` searches on.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Make known what is used in cluster tests only."""
    config.addinivalue_line(
        "markers",
        "runs(spec, **metadata): a Workflow that is applied, in a namespace of its own, together "
        "with those of the module's other tests; the fixture `run` waits for it",
    )
    config.addinivalue_line(
        "markers", "ahead: its Workflow takes minutes, so it starts with the first test of all"
    )
    config.addinivalue_line("markers", "job(body, before): a raw Job that is made likewise")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failed test's report what its namespaces look like."""
    report = yield
    if report.failed and report.when == "call":
        for space in item.stash.get(SPACES, []):
            report.sections.append(("cluster", space.report()))
    return report


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that `python -m tests.cluster up` made or was told of."""
    from tests.kit.cluster import Cluster

    return Cluster.find()


@pytest.fixture(scope="session")
def installed() -> Iterator[Cluster]:
    """The cluster with the operator installed by its chart, from its own image."""
    from tests.cluster.report import Reporter
    from tests.demo.install import operator_up
    from tests.demo.tools import DemoError
    from tests.kit.cluster import Cluster

    if not os.environ.get(INSTALLED):
        try:
            operator_up(Reporter(sys.stderr))
        except DemoError as error:
            pytest.exit(error.explain(), returncode=1)
    found = Cluster.find()
    yield found
    found.scale_operator(1)


@pytest.fixture
def space(installed: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace of the test's own."""
    from tests.kit.space import Space

    made = Space.make(installed, request.node.name)
    request.node.stash.setdefault(SPACES, []).append(made)
    yield made
    made.discard()


def launch(cluster: Cluster, items: list[pytest.Item]) -> dict[str, Space]:
    """Apply the Workflows of these tests in one go, each in a namespace of its own."""
    from tests.kit.space import Space, workflow

    spaces: dict[str, Space] = {}
    documents = []
    for item in items:
        mark = item.get_closest_marker("runs")
        assert mark is not None
        made = spaces[item.nodeid] = Space.make(cluster, item.name)
        item.stash.setdefault(SPACES, []).append(made)
        documents.append(workflow(mark.args[0], **{"namespace": made.name, **mark.kwargs}))
    if documents:
        next(iter(spaces.values())).apply_everywhere(documents)
    return spaces


@pytest.fixture(scope="session")
def launched_ahead(
    installed: Cluster, request: pytest.FixtureRequest
) -> Iterator[dict[str, Space]]:
    """The Workflows of the tests marked `ahead`, under way since the first e2e test."""
    items = [item for item in request.session.items if item.get_closest_marker("ahead")]
    spaces = launch(installed, items)
    yield spaces
    for made in spaces.values():
        made.discard()


@pytest.fixture(scope="module")
def launched(
    installed: Cluster, launched_ahead: dict[str, Space], request: pytest.FixtureRequest
) -> Iterator[dict[str, Space]]:
    """The Workflows of all tests of this module that are marked `runs`, under way at once."""
    mine = [item for item in request.session.items if item.path == request.path]
    marked = [item for item in mine if item.get_closest_marker("runs")]
    spaces = launch(installed, [item for item in marked if item.nodeid not in launched_ahead])
    yield {**launched_ahead, **spaces}
    for made in spaces.values():
        made.discard()


@pytest.fixture
def run(launched: dict[str, Space], request: pytest.FixtureRequest) -> Run:
    """The Workflow of the test's mark `runs`."""
    from tests.kit.space import NAME

    metadata = request.node.get_closest_marker("runs").kwargs
    return launched[request.node.nodeid].run(metadata.get("name", NAME))
