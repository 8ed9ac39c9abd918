"""Operators and API servers that die or fall silent while runs are on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.demo.install import NAMESPACE, SELECTOR
from tests.kit import machine
from tests.kit.client import Object, Query
from tests.kit.cluster import Cluster
from tests.kit.history import assert_barriers, assert_each_ran_once, assert_no_node_twice_at_once
from tests.kit.run import OF_WORKFLOW, Run, instant
from tests.kit.space import Space
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.e2e

WAVES = [[f"{letter}{number}" for number in (1, 2, 3)] for letter in "abc"]
NODES = [node for wave in WAVES for node in wave]
THREE_WAVES = {
    "nodes": [
        {"name": node, "script": "sleep 1", "dependsOn": WAVES[place - 1] if place else []}
        for place, wave in enumerate(WAVES)
        for node in wave
    ],
    "standbys": [{"name": "goodbye", "script": "true"}],
    "onExit": ["goodbye"],
}


def assert_went_well(run: Run) -> None:
    run.finished("Succeeded", 240)
    assert_each_ran_once(run, [*NODES, "goodbye"])
    assert_barriers(run, WAVES)
    assert_no_node_twice_at_once(run)


def at_least(count: int) -> Callable[[dict[str, Object]], bool]:
    return lambda found: len(found) >= count


def force_delete(cluster: Cluster) -> None:
    """Where the last one was killed a moment ago, the next may not be there yet."""
    pods = Query("pods", NAMESPACE, labels=SELECTOR)
    names = wait_for(cluster.client, pods, bool, "a pod of the operator", 60)
    at_once = ("--force", "--grace-period=0", "--ignore-not-found")
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", *names, *at_once)


def test_killed_at_many_moments_the_operator_runs_nothing_twice_and_forgets_nothing(
    space: Space, deployed: Cluster
) -> None:
    runs = [space.flow(THREE_WAVES, f"flow-{number}") for number in range(2)]
    for count in (1, 4, 8, 12, 16, 19):
        wait_for(
            space.client,
            Query("jobs", space.name, labels=OF_WORKFLOW),
            at_least(count),
            f"{count} Jobs",
            120,
        )
        # every other time without a word, else by force and by Kubernetes
        pods = deployed.operator_pods()
        if count % 4 and pods:
            machine.kill_operator(deployed, pods[0])
        else:
            force_delete(deployed)
    for run in runs:
        assert_went_well(run)
    deployed.operator_settled(1)


def test_a_retry_keeps_its_time_over_a_restart_of_the_operator(
    space: Space, deployed: Cluster
) -> None:
    run = space.flow("""
    nodes:
    - name: a
      retry: {limit: 1, backoff: {base: 15s, jitter: None}}
      script: test "$TIDEGATE_ATTEMPT" = 2
    """)
    before = run.wait_node("a", "Retrying", seconds=90)["retryAt"]
    force_delete(deployed)
    assert run.node("a")["retryAt"] == before
    run.finished("Succeeded")
    second = run.jobs("a")[1]["metadata"]["creationTimestamp"]
    assert instant(second) >= instant(before).replace(microsecond=0)
    deployed.operator_settled(1)


@pytest.fixture
def two_replicas(deployed: Cluster) -> Iterator[Cluster]:
    deployed.scale_operator(2)
    yield deployed
    deployed.scale_operator(1)


def test_with_two_replicas_the_other_takes_over_when_the_leader_dies(
    space: Space, two_replicas: Cluster
) -> None:
    leader = two_replicas.wait_for_leader()
    run = space.flow(THREE_WAVES)
    run.wait_jobs(3, seconds=60)
    two_replicas.kubectl("-n", NAMESPACE, "delete", "pod", leader, "--force", "--grace-period=0")
    assert two_replicas.wait_for_leader(other_than=leader) != leader
    assert_went_well(run)
    two_replicas.operator_settled(2)


def test_an_api_server_that_falls_silent_for_a_while_costs_nothing_but_time(
    space: Space, deployed: Cluster
) -> None:
    server = machine.part(deployed, "kube-apiserver")
    run = space.flow(THREE_WAVES)
    run.wait_jobs(4, seconds=60)
    with machine.frozen(server, 12):
        pass
    assert_went_well(run)
    deployed.operator_settled(1)


def test_an_api_server_that_goes_away_and_comes_back_costs_nothing_but_time(
    space: Space, deployed: Cluster
) -> None:
    server = machine.part(deployed, "kube-apiserver")
    run = space.flow(THREE_WAVES)
    run.wait_jobs(4, seconds=60)
    machine.kill_and_repair(server)
    assert_went_well(run)
    deployed.operator_settled(1)
