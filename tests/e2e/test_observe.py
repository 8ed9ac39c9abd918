"""A real Prometheus scrapes the operator; every alert and every panel is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.demo.install import NAMESPACE
from tests.kit.cluster import Cluster
from tests.kit.forward import Forward
from tests.kit.run import Run
from tests.kit.space import Space
from tests.kit.voting import approve, opened
from tests.observe.panels import PANELS, SPAN, Panel
from tests.observe.prometheus import JOB, Prometheus

pytestmark = pytest.mark.e2e

PORT = 9090
EVENTFUL = """
nodes:
- name: again
  retry: {limit: 1, backoff: {base: 500ms}}
  script: test "$TIDEGATE_ATTEMPT" = 2
- {name: spared, dependsOn: [again], fallback: spare, script: exit 3}
- {name: gate, dependsOn: [spared], checkpoint: {message: "Go on?"}}
- {name: last, dependsOn: [gate], command: ["true"]}
standbys:
- {name: spare, command: ["true"]}
"""
HOPELESS = """
nodes:
- {name: a, script: exit 1}
"""
MAY_BE_EMPTY = {"Webhook": "it is off"}
"""Panels that need not show anything after these two runs, and why."""


COUNTED = {
    'workflows_finished_total{result="Succeeded"}': 1,
    'workflows_finished_total{result="Failed"}': 1,
    "node_retries_total": 1,
    'node_fallbacks_total{result="succeeded"}': 1,
    'checkpoint_decisions_total{decision="approved"}': 1,
    "handoff_seconds_count": 1,
    "waves_total": 4,
}
"""By how much these grow at least while the panels' Workflows live."""


def counts(prometheus: Prometheus) -> dict[str, float]:
    """What they are now; a counter that was never raised isn't there."""
    return {name: prometheus.value(f"sum(tidegate_{name})") or 0.0 for name in COUNTED}


class Watched:
    """The operator's replicas under a Prometheus."""

    def __init__(self, prometheus: Prometheus, folder: Path, cluster: Cluster) -> None:
        self.prometheus = prometheus
        self._folder = folder
        self._cluster = cluster
        self._stack = ExitStack()
        self.addresses: dict[str, str] = {}
        """Of each pod, as the label ``instance`` names it."""
        self.before: dict[str, float] = {}
        """Counters before anything lived here."""

    def follow(self) -> None:
        """Scrape the pods that there are now."""
        self._stack.close()
        names = [pod["metadata"]["name"] for pod in self._cluster.operator_pods()]
        for name in names:
            log = self._folder / f"{name}.log"
            forward = Forward(self._cluster, NAMESPACE, name, PORT, log)
            self.addresses[name] = self._stack.enter_context(forward).address
        self.addresses = {name: self.addresses[name] for name in names}
        self.prometheus.scrape(self.addresses.values())
        count = f"count(up{{job='{JOB}'}} == 1)"
        self.prometheus.until(
            lambda: self.prometheus.value(count) == len(names), f"{len(names)} targets up"
        )

    def close(self) -> None:
        """Scrape nothing more."""
        self._stack.close()


@pytest.fixture(scope="module")
def watched(deployed: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder) as prometheus:
        found = Watched(prometheus, folder, deployed)
        found.follow()
        found.before = counts(prometheus)
        yield found
        found.close()


@pytest.fixture(scope="module")
def lived_through(watched: Watched, deployed: Cluster) -> Iterator[Prometheus]:
    """A Prometheus that has seen all that the panels show."""
    prometheus = watched.prometheus
    space = Space.make(deployed, "observe")
    prometheus.scraped_anew()
    eventful, hopeless = space.flow(EVENTFUL), space.flow(HOPELESS, "hopeless")
    hopeless.finished("Failed")
    opened(eventful, "gate")
    prometheus.until(
        lambda: (
            (prometheus.value("tidegate_checkpoints_waiting") or 0) >= 1
            and (prometheus.value("tidegate_checkpoint_oldest_wait_seconds") or 0) > 0
        ),
        "the open checkpoint to be counted",
    )
    approve(eventful, "gate")
    eventful.finished("Succeeded")
    prometheus.scraped_anew()
    yield prometheus
    space.discard()


def filled_in(expression: str) -> str:
    return expression.replace("$job", JOB).replace(SPAN, "2m")


def test_every_alert_can_be_evaluated_and_none_fires(lived_through: Prometheus) -> None:
    rules = lived_through.rules()
    assert len(rules) == 10
    for rule in rules:
        assert (rule["health"], rule.get("lastError")) == ("ok", None), rule["name"]
        assert rule["state"] != "firing", rule["name"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_panel_can_be_evaluated_and_has_data(lived_through: Prometheus, panel: Panel) -> None:
    found = {
        legend: lived_through.query(filled_in(expression))
        for legend, expression in panel.expressions.items()
    }
    if panel.title not in MAY_BE_EMPTY:
        assert all(found.values()), found


def test_what_happened_was_counted(lived_through: Prometheus, watched: Watched) -> None:
    grown = {name: now - watched.before[name] for name, now in counts(lived_through).items()}
    assert {name: by for name, by in grown.items() if by < COUNTED[name]} == {}


def test_the_process_tells_of_itself(lived_through: Prometheus) -> None:
    for name in ("process_cpu_seconds_total", "process_open_fds", "python_info"):
        assert lived_through.value(f"{name}{{job='{JOB}'}}"), name
    assert 30e6 < (lived_through.value("process_resident_memory_bytes") or 0) < 256e6


@pytest.fixture
def two_replicas(deployed: Cluster, watched: Watched) -> Iterator[Watched]:
    deployed.scale_operator(2)
    watched.follow()
    yield watched
    deployed.scale_operator(1)
    watched.follow()


def only_of(watched: Watched, leader: str, run: Run) -> bool:
    """Whether exactly the leader tells of all Workflows, the one that runs among them."""
    ask, address = watched.prometheus.query, watched.addresses[leader]
    leaders = [one.labels["instance"] for one in ask("tidegate_leader == 1")]
    counting = {one.labels["instance"] for one in ask("tidegate_workflows")}
    depths = {one.labels["instance"] for one in ask("tidegate_queue_depth")}
    running = watched.prometheus.value('sum(tidegate_workflows{phase="Running"})') or 0.0
    assert run.status.get("phase", "Running") == "Running"
    return leaders == [address] and counting == depths == {address} and running >= 1


def test_with_two_replicas_nothing_is_counted_twice(
    space: Space, two_replicas: Watched, deployed: Cluster
) -> None:
    prometheus, leader = two_replicas.prometheus, deployed.wait_for_leader()
    prometheus.scraped_anew()
    run = space.flow("nodes: [{name: a, script: 'sleep 3600'}]")
    run.wait_running("a")
    prometheus.until(lambda: only_of(two_replicas, leader, run), "one replica that counts")
    started = f"sum(tidegate_workflows_started_total{{namespace='{space.name}'}})"
    assert prometheus.value(started) == 1
    assert prometheus.value("count(tidegate_job_start_lag_seconds_count > 0)") == 1
    heard = prometheus.query("tidegate_watch_silence_seconds")
    assert {one.labels["instance"] for one in heard} == set(two_replicas.addresses.values())
    assert {one.labels["resource"] for one in heard} == {"jobs", "pods", "workflows"}
    assert max(one.value for one in heard) < 200
    deployed.kubectl("-n", NAMESPACE, "delete", "pod", leader, "--wait=false")
    successor = deployed.wait_for_leader(other_than=leader)
    deployed.operator_settled(2)
    two_replicas.follow()
    prometheus.until(lambda: only_of(two_replicas, successor, run), "the successor that counts")
    assert prometheus.value(started) is None, "the run had begun before it led"
    run.annotate("cancel", "now")
    run.finished("Cancelled")
