"""Graphs run in waves; what is claimed is checked on the times that Jobs and pods tell."""

from __future__ import annotations

import pytest

from tests.kit.history import (
    assert_barriers,
    assert_each_ran_once,
    assert_no_node_twice_at_once,
    history,
    most_at_once,
)
from tests.kit.run import OF_NODE, Run, instant

pytestmark = pytest.mark.e2e

WIDE_WAVES = [[f"n{wave}-{place}" for place in range(10)] for wave in range(10)]
HUNDRED = {
    "parallelism": 10,
    "nodes": [
        {"name": name, "script": "true", "dependsOn": WIDE_WAVES[wave - 1] if wave else []}
        for wave, names in enumerate(WIDE_WAVES)
        for name in names
    ],
}


@pytest.mark.runs("""
nodes:
- {name: a, script: sleep 1}
- {name: b, dependsOn: [a], script: sleep 2}
- {name: c, dependsOn: [a], script: echo c}
- {name: d, dependsOn: [b, c], script: echo d}
""")
def test_a_diamond_runs_in_three_waves(run: Run) -> None:
    status = run.finished("Succeeded")
    assert status["progress"] == "4/4"
    assert {number: wave["phase"] for number, wave in status["waves"].items()} == {
        "1": "Succeeded",
        "2": "Succeeded",
        "3": "Succeeded",
    }
    assert_each_ran_once(run, "abcd")
    assert_barriers(run, ["a", "bc", "d"])
    run.wait_event("WorkflowStarted", "4 nodes in 3 waves")
    run.wait_event("WaveStarted", "wave 2 of 3: b and c")
    run.wait_event("WorkflowSucceeded")


@pytest.mark.runs("""
nodes:
- {name: quick, script: echo quick}
- {name: slow, script: sleep 5}
- {name: after-quick, dependsOn: [quick], script: echo after}
""")
def test_a_wave_waits_for_all_of_the_one_before_also_for_nodes_it_does_not_depend_on(
    run: Run,
) -> None:
    run.finished("Succeeded")
    assert_barriers(run, [["quick", "slow"], ["after-quick"]])


@pytest.mark.runs("""
execution: Eager
nodes:
- {name: quick, script: echo quick}
- {name: slow, script: sleep 20}
- {name: after-quick, dependsOn: [quick], script: echo after}
""")
def test_eager_nodes_start_as_soon_as_their_own_dependencies_have_ended(run: Run) -> None:
    status = run.finished("Succeeded")
    assert "wave" not in status
    (slow,) = [ran for ran in history(run.pods()) if ran.node == "slow"]
    assert instant(run.jobs("after-quick")[0]["metadata"]["creationTimestamp"]) < slow.end


@pytest.mark.runs("""
parallelism: 2
nodes:
- {name: z, script: sleep 2}
- {name: y, script: sleep 1}
- {name: x, script: sleep 1}
- {name: w, script: sleep 1}
- {name: v, script: sleep 1}
- {name: u, script: sleep 1}
""")
def test_no_more_attempts_run_at_once_than_parallelism_allows_in_the_order_of_the_list(
    run: Run,
) -> None:
    run.finished("Succeeded")
    assert most_at_once(history(run.pods())) <= 2
    made = {
        job["metadata"]["labels"][OF_NODE]: instant(job["metadata"]["creationTimestamp"])
        for job in run.jobs()
    }
    times = [made[node] for node in "zyxwvu"]
    assert times == sorted(times)


@pytest.mark.runs("""
nodes:
- {name: first, script: exit 3}
- {name: fine, script: sleep 1}
- {name: second, script: sleep 8; exit 4}
- {name: after, dependsOn: [fine], script: echo after}
- {name: behind, dependsOn: [first], script: echo behind}
""")
def test_two_failures_of_one_wave_are_both_told(run: Run) -> None:
    status = run.finished("Failed")
    assert status["reason"] == "NodeFailed"
    assert "first: exit code 3" in status["message"]
    assert "second: exit code 4" in status["message"]
    nodes = status["nodes"]
    assert {name: node["phase"] for name, node in nodes.items()} == {
        "first": "Failed",
        "fine": "Succeeded",
        "second": "Failed",
        "after": "Skipped",
        "behind": "Skipped",
    }
    assert (nodes["after"]["reason"], nodes["behind"]["reason"]) == (
        "RunEnded",
        "DependencyFailed",
    )
    assert nodes["second"]["exitCode"] == 4
    assert status["progress"] == "1/5"
    run.wait_event("NodeFailed", "first")
    run.wait_event("NodeFailed", "second")
    run.wait_event("WorkflowFailed")


@pytest.mark.runs("""
nodes:
- {name: endless, timeout: 3s, script: sleep 3600}
""")
def test_an_attempt_that_takes_longer_than_its_timeout_fails(run: Run) -> None:
    status = run.finished("Failed")
    assert status["nodes"]["endless"]["reason"] == "Timeout"
    assert "endless: Timeout" in status["message"]


@pytest.mark.runs(
    {"nodes": [{"name": "n" * 40, "script": "echo $TIDEGATE_WORKFLOW"}]}, name="w" * 63
)
def test_a_name_of_63_characters_is_fine(run: Run) -> None:
    run.finished("Succeeded")
    assert run.log("n" * 40).strip() == "w" * 63


@pytest.mark.runs("""
nodes:
- name: speak
  command: [/bin/echo]
  args: ["$(workflow.name)/$(node.name)/$(node.attempt)", "$(GREETING)", "$$(workflow.run)"]
  env: [{name: GREETING, value: "hello from $(workflow.namespace)"}]
""")
def test_references_are_replaced_and_variables_are_left_to_the_kubelet(run: Run) -> None:
    run.finished("Succeeded")
    assert run.log("speak").strip() == (f"flow/speak/1 hello from {run.namespace} $(workflow.run)")


@pytest.mark.runs("nodes: [{name: a, script: 'true'}]")
def test_kubectl_shows_and_waits_for_a_workflow(run: Run) -> None:
    run.kubectl("wait", "--for=condition=Finished", f"twf/{run.name}", "--timeout=120s")
    header, row = run.kubectl("get", "twf").splitlines()
    assert header.split() == ["NAME", "PHASE", "PROGRESS", "WAVE", "WAITING", "AGE"]
    assert row.split()[:3] == [run.name, "Succeeded", "1/1"]
    conditions = {c["type"]: c["status"] for c in run.status["conditions"]}
    assert conditions == {
        "Succeeded": "True",
        "Finished": "True",
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "Suspended": "False",
    }


@pytest.mark.runs(HUNDRED)
def test_a_hundred_nodes_run_in_ten_waves(run: Run) -> None:
    status = run.finished("Succeeded", 400)
    assert status["progress"] == "100/100"
    assert_each_ran_once(run, [node for wave in WIDE_WAVES for node in wave])
    assert_barriers(run, WIDE_WAVES)
    assert_no_node_twice_at_once(run)
    assert most_at_once(history(run.pods())) <= 10
