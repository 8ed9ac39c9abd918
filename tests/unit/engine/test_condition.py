"""``when``: asked once a run, recorded, and what a skipped node means to the others."""

from typing import Any

import pytest

from tests.unit.engine.builders import node, rows, spec
from tests.unit.engine.run import Run

PARAMS = [{"name": "mode", "value": "full"}]


def after(when: str, first: dict[str, Any] | None = None, **fields: Any) -> Run:
    return Run(spec(node("a", **(first or {})), node("b", "a", when=when), params=PARAMS, **fields))


TOLD = '{"n": 5, "f": 2.5, "t": "x", "l": [1, 2], "o": {"k": null}, "yes": true}'


@pytest.mark.parametrize(
    ("when", "runs"),
    rows(
        {
            "a number": ("nodes.a.outputs.n > 4", True),
            "a number and a fraction": ("nodes.a.outputs.f < nodes.a.outputs.n", True),
            "a text": ('nodes.a.outputs.t == "x"', True),
            "a list": ("nodes.a.outputs.l.exists(x, x == 3)", False),
            "a map and null": ("nodes.a.outputs.o.k == null", True),
            "true itself": ("nodes.a.outputs.yes", True),
            "has": ("has(nodes.a.outputs.zz)", False),
            "phase": ('nodes.a.phase == "Succeeded" && nodes.a.reason == ""', True),
            "exit code": ("nodes.a.exitCode == 0", True),
            "param": ('params.mode == "quick"', False),
            "workflow": ('workflow.name == "flow" && workflow.run == 1', True),
        }
    ),
)
def test_what_conditions_see(when: str, runs: bool) -> None:
    run = after(when)
    run.pod_succeeds("a", told=TOLD)
    assert run.node("b").when is runs
    expected = ("Running", None) if runs else ("Skipped", "ConditionFalse")
    assert run.reason("b") == expected


def test_a_result_is_recorded_before_the_node_starts() -> None:
    """The promises that every plan is held against say so; here is the record."""
    run = after("true")
    run.pod_succeeds("a")
    before = [status for status in run.records if status.nodes["b"].when]
    assert before[0].nodes["b"].phase == "Pending"
    assert run.started == ["a1", "b1"]


def test_a_condition_is_asked_once() -> None:
    retry = {"limit": 1, "backoff": {"base": "1s", "jitter": "None"}}
    run = Run(spec(node("a", when="workflow.run == 1", retry=retry)))
    run.pod_fails("a")
    run.advance(2)
    assert run.started == ["a1", "a2"]


def test_a_skipped_node_lets_its_dependants_run_and_counts_as_progress() -> None:
    run = Run(spec(node("a", when="false"), node("b", "a"), node("c", "b", when="false")))
    assert run.started == ["b1"]
    run.pod_succeeds("b")
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert run.status.progress == "3/3"
    assert run.status.message == "3/3 nodes ended well, skipped by their conditions: a and c"
    assert run.node("a").message == "when is false: false"


def test_a_run_of_nothing_but_false_conditions_succeeds() -> None:
    run = Run(spec(node("a", when="false")))
    assert run.result == ("Succeeded", "NodesSucceeded")


@pytest.mark.parametrize(
    ("when", "words"),
    rows(
        {
            "division": ("1 / (nodes.a.exitCode) == 1", "divide by zero"),
            "missing output": ("nodes.a.outputs.zz > 1", 'there is no "zz"; has(…) tells'),
            "wrong type": (
                'nodes.a.outputs.n == "5" || nodes.a.outputs.n + "5" == ""',
                "+ can't take",
            ),
            "no bool": ("nodes.a.outputs.n", "it is int, not true or false"),
            "list index": ("nodes.a.outputs.l[7] == 1", "index"),
        }
    ),
)
def test_a_condition_without_an_answer_fails_the_node(when: str, words: str) -> None:
    run = Run(spec(node("a"), node("b", "a", when=when, fallback="s"), standbys="s"))
    run.pod_succeeds("a", told=TOLD)
    assert run.reason("b") == ("Failed", "ConditionError")
    assert run.started == ["a1"]
    message = run.node("b").message or ""
    assert words in message
    assert when in message
    assert run.result == ("Failed", "NodeFailed")


def test_a_node_that_cleans_up_sees_how_the_others_ended() -> None:
    run = Run(
        spec(
            node("a"),
            node("b", "a", trigger="DependenciesEnded", when='nodes.a.phase == "Failed"'),
            node("c", "a", trigger="DependenciesEnded", when='nodes.a.reason == "OOMKilled"'),
        )
    )
    run.pod_fails("a", exit_code=3)
    assert run.reason("c") == ("Skipped", "ConditionFalse")
    assert run.started == ["a1", "b1"]


def test_a_false_condition_is_no_failure_of_a_run_that_met_its_deadline() -> None:
    run = Run(spec(node("a", when="false"), node("b"), timeout="10s"))
    run.pod_succeeds("b")
    assert run.result == ("Succeeded", "NodesSucceeded")


# --- reruns --------------------------------------------------------------------------------------


def test_a_rerun_keeps_what_a_condition_skipped_and_what_follows_it() -> None:
    run = Run(spec(node("a", when="false"), node("b", "a"), node("c", "a")))
    run.pod_succeeds("b")
    run.pod_fails("c")
    run.ask(rerun="failed@1")
    assert run.started == ["b1", "c1", "c1@2"]
    run.pod_succeeds("c")
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert run.reason("a") == ("Skipped", "ConditionFalse")


def test_a_condition_that_has_become_true_runs_its_node_and_what_follows() -> None:
    run = Run(spec(node("a", when="workflow.run > 1"), node("b", "a")))
    run.pod_succeeds("b")
    assert run.result == ("Succeeded", "NodesSucceeded")
    run.ask(rerun="failed@1")
    assert run.started == ["b1", "a1@2"]
    run.pod_succeeds("a")
    assert run.started == ["b1", "a1@2", "b1@2"]


def test_a_changed_param_runs_again_what_names_it() -> None:
    nodes = (node("a", args=["$(params.mode)"]), node("b", when='params.mode != ""'), node("c"))
    run = Run(spec(*nodes, params=PARAMS))
    run.pod_succeeds("a", "b", "c")
    run.edit(params=[{"name": "mode", "value": "quick"}])
    assert [c.reason for c in run.status.conditions if c.type == "Ready"] == ["ChangedSinceRun"]
    run.ask(rerun="failed@1")
    assert sorted(run.started[3:]) == ["a1@2", "b1@2"]


@pytest.mark.parametrize("execution", ["Waves", "Eager"])
def test_a_node_whose_dependency_failed_is_not_asked(execution: str) -> None:
    """Also in the pass that learns of the failure: a false condition would let others run."""
    run = Run(
        spec(
            node("a"),
            node("b", "a", when='nodes.a.phase == "Succeeded"'),
            node("c", "b"),
            failurePolicy="Continue",
            execution=execution,
        )
    )
    run.pod_fails("a")
    assert run.reason("b") == run.reason("c") == ("Skipped", "DependencyFailed")
    assert run.node("b").when is None
    assert run.started == ["a1"]


def test_a_node_that_the_end_of_the_run_keeps_from_starting_is_not_asked() -> None:
    run = Run(spec(node("a"), node("b"), node("c", "b", when="workflow.run == 2")))
    run.pod_succeeds("b", look=False)
    run.pod_fails("a")
    assert run.reason("c") == ("Skipped", "RunEnded")
    assert run.node("c").when is None


READS = {"command": ["x"], "args": ["$(nodes.b.outputs.n)"], "fallback": "s"}


@pytest.mark.parametrize("failed", ["a", "b"])
def test_a_node_that_does_not_start_misses_no_output_and_calls_no_fallback(failed: str) -> None:
    run = Run(spec(node("a"), node("b"), node("c", "b", **READS), standbys="s"))
    (other,) = {"a", "b"} - {failed}
    run.pod_succeeds(other, look=False)
    run.pod_fails(failed)
    expected = "RunEnded" if failed == "a" else "DependencyFailed"
    assert run.reason("c") == ("Skipped", expected)
    assert run.started == ["a1", "b1"]
