"""How runs begin: the first, and reruns with what they keep."""

from typing import Any

import pytest

from tests.unit.engine.builders import Json, at, node, rows, spec
from tests.unit.engine.run import Run

CHAIN = spec(node("a"), node("b", "a"), node("c", "b"), node("x"))


def failed_at_b(given: Json | None = None) -> Run:
    """a and x succeeded, b failed, c was skipped."""
    run = Run(given or CHAIN)
    run.pod_succeeds("a", "x")
    run.advance(10)
    run.pod_fails("b")
    assert run.result[0] == "Failed"
    run.starts.clear()
    return run


def succeed(run: Run) -> None:
    while run.running:
        run.pod_succeeds(*run.running)


def test_a_run_begins_with_a_record_before_its_first_job() -> None:
    run = Run(CHAIN, look=False)
    planned = run.plan()
    assert (planned.starts, planned.decides) == ((), True)
    status = planned.status
    assert (status.phase, status.run, status.started_at) == ("Running", 1, at(0))
    assert (status.observed_generation, status.run_generation) == (1, 1)
    assert status.order == ("a", "b", "c", "x")
    assert status.progress == "0/4"
    assert {n: s.wave for n, s in status.nodes.items()} == {"a": 1, "b": 2, "c": 3, "x": 1}
    assert all(s.definition == run.workflow.tasks[n].definition for n, s in status.nodes.items())


@pytest.mark.parametrize(
    ("text", "again"),
    rows({
        "failed: what did not succeed": ("failed", ["b1@2", "c1@2"]),
        "failed with a text": ("failed@second", ["b1@2", "c1@2"]),
        "from a node: that and what failed": ("from=x", ["b1@2", "c1@2", "x1@2"]),
        "from a node: all that depends on it": ("from=a", ["a1@2", "b1@2", "c1@2"]),
        "from the failed node": ("from=b", ["b1@2", "c1@2"]),
        "all": ("all", ["a1@2", "b1@2", "c1@2", "x1@2"]),
    }),
)  # fmt: skip
def test_what_runs_again(text: str, again: list[str]) -> None:
    run = failed_at_b()
    run.advance(100)
    run.ask(rerun=text)
    succeed(run)
    assert sorted(run.started) == again
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert (run.status.run, run.status.progress) == (2, "4/4")


def test_what_is_kept_is_kept_as_it_was() -> None:
    run = failed_at_b()
    before = run.node("a")
    run.advance(100)
    run.ask(rerun="failed")
    assert run.node("a") == before
    assert run.node("a").job is not None
    assert run.node("b").failures == ()
    assert run.status.started_at == at(110)
    assert run.status.finished_at is None


def test_numbers_begin_anew_with_each_run() -> None:
    run = failed_at_b()
    run.ask(rerun="failed")
    assert (run.node("b").attempt, run.started) == (1, ["b1@2"])


def test_former_runs_are_remembered_the_last_ten() -> None:
    run = Run(spec(node("a")))
    for number in range(1, 13):
        run.advance(5)
        run.pod_succeeds("a")
        run.ask(rerun=f"all@{number}")
    assert [r.run for r in run.status.runs] == list(range(3, 13))
    last = run.status.runs[-1]
    assert (last.phase, last.reason) == ("Succeeded", "NodesSucceeded")
    assert (last.started_at, last.finished_at) == (at(55), at(60))


@pytest.mark.parametrize(
    ("edit", "again"),
    rows({
        "nothing": ({}, ["b1@2", "c1@2"]),
        "a kept node's command": ({"a": {"command": ["x"]}}, ["a1@2", "b1@2", "c1@2"]),
        "a node that nothing depends on": ({"x": {"command": ["x"]}}, ["b1@2", "c1@2", "x1@2"]),
        "a kept node's retry": ({"x": {"retry": {}}}, ["b1@2", "c1@2", "x1@2"]),
    }),
)  # fmt: skip
def test_changed_successes_run_again_and_all_that_depends_on_them(
    edit: dict[str, Json], again: list[str]
) -> None:
    run = failed_at_b()
    for name, fields in edit.items():
        run.edit_node(name, **fields)
    run.ask(rerun="failed")
    succeed(run)
    assert sorted(run.started) == again


def test_defaults_change_what_inherits_them() -> None:
    run = failed_at_b()
    run.edit(defaults={"image": "busybox:2"})
    run.ask(rerun="failed")
    succeed(run)
    assert sorted(run.started) == ["a1@2", "b1@2", "c1@2", "x1@2"]


def test_a_changed_fallback_changes_the_nodes_that_name_it() -> None:
    given = spec(node("a", fallback="s"), node("b", "a"), extra=[{"name": "s"}])
    run = Run(given)
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    run.edit(standbys=[{"name": "s", "command": ["x"]}])
    run.starts.clear()
    run.ask(rerun="failed")
    succeed(run)
    assert run.started == ["a1@2", "b1@2"]


def test_a_renamed_node_runs_its_former_success_is_forgotten() -> None:
    run = Run(spec(node("a"), node("b")))
    run.pod_succeeds("a", "b")
    run.edit(nodes=[node("a"), node("c")])
    run.starts.clear()
    run.ask(rerun="failed")
    assert run.started == ["c1@2"]
    assert list(run.status.nodes) == ["a", "c"]
    succeed(run)
    assert run.result[0] == "Succeeded"


def test_tolerated_failures_run_again_with_failed() -> None:
    run = Run(spec(node("a", allowFailure=True), node("b")))
    run.pod_fails("a")
    run.pod_succeeds("b")
    assert run.result[0] == "Succeeded"
    run.starts.clear()
    run.ask(rerun="failed")
    assert run.started == ["a1@2"]


def test_a_success_by_a_fallback_is_kept() -> None:
    run = Run(spec(node("a", fallback="s"), node("b"), standbys="s"))
    run.pod_fails("a")
    run.pod_succeeds("a")
    run.pod_fails("b")
    run.starts.clear()
    run.ask(rerun="failed")
    assert run.started == ["b1@2"]
    assert run.node("a").served_by == "s"


def test_handlers_are_per_run() -> None:
    run = Run(spec(node("a"), standbys="x", onExit=["x"]))
    run.pod_fails("a")
    run.pod_succeeds("x")
    run.ask(rerun="failed")
    assert run.node("x").phase == "Pending"
    run.pod_succeeds("a")
    run.pod_succeeds("x")
    assert run.started == ["a1", "x1", "a1@2", "x1@2"]
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_ending_outcome_and_waves_are_per_run() -> None:
    run = failed_at_b()
    run.ask(rerun="failed")
    assert (run.status.ending, run.status.outcome) == (None, None)
    assert run.status.waves["2"].phase == "Running"
    assert run.status.wave == 2


def test_an_upgrade_of_the_hash_is_no_reason_to_run() -> None:
    """A format that this version doesn't know can't be compared, so the success is kept."""
    run = failed_at_b()
    node_a = run.node("a").model_copy(update={"definition": "99:abc"})
    run.status = run.status.model_copy(update={"nodes": {**run.status.nodes, "a": node_a}})
    run.ask(rerun="failed")
    succeed(run)
    assert run.started == ["b1@2", "c1@2"]


def test_nodes_start_in_the_order_of_the_list_as_the_run_began() -> None:
    run = Run(spec(node("c"), node("a"), node("b"), parallelism=1))
    run.fact = _reordered(run)
    for name in ("c", "a", "b"):
        run.pod_succeeds(name)
    assert run.started == ["c1", "a1", "b1"]


def _reordered(run: Run) -> Any:
    from dataclasses import replace

    return replace(run.fact, generation=2, spec={**run.fact.spec, "nodes": [
        node("b"), node("a"), node("c")]})  # fmt: skip


def test_a_chain_needs_no_order() -> None:
    assert Run(spec(node("a"), node("b", "a"))).status.order is None
