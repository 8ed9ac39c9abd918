"""What references stand for, and what happens where they stand for nothing."""

import json
from typing import Any

import pytest

from tests.unit.engine.builders import node, rows, spec
from tests.unit.engine.run import Run
from tidegate.build.job import job_manifest

TOLD = '{"text":"a $(B) \\"x\\"","n":1200,"f":1.5,"t":true,"z":null,"l":[1,"é"],"o":{"k":"v"}}'


@pytest.mark.parametrize(
    ("reference", "value"),
    rows(
        {
            "text as it is": ("outputs.text", 'a $(B) "x"'),
            "a number": ("outputs.n", "1200"),
            "a fraction": ("outputs.f", "1.5"),
            "true": ("outputs.t", "true"),
            "null": ("outputs.z", "null"),
            "a list": ("outputs.l", '[1,"é"]'),
            "an object": ("outputs.o", '{"k":"v"}'),
            "the phase": ("phase", "Succeeded"),
            "no reason": ("reason", ""),
            "the exit code": ("exitCode", "0"),
            "no standby": ("servedBy", ""),
        }
    ),
)
def test_values(reference: str, value: str) -> None:
    run = Run(spec(node("a"), node("b", "a", args=[f"$(nodes.a.{reference})"])))
    run.pod_succeeds("a", told=TOLD)
    assert run.starts[-1].values == ((f"nodes.a.{reference}", value),)


def after(**fields: Any) -> dict[str, Any]:
    return node("b", "a", **fields)


def test_a_missing_output_fails_the_node_without_an_attempt_and_without_retry() -> None:
    run = Run(spec(node("a"), after(args=["$(nodes.a.outputs.rows)"], retry={"limit": 5})))
    run.pod_succeeds("a", told='{"row": 1}')
    assert run.reason("b") == ("Failed", "MissingOutput")
    assert run.node("b").attempt == 0
    assert run.started == ["a1"]
    assert run.status.message == (
        "b: MissingOutput: a has no output rows; its outputs are: row"
        " (not retried: MissingOutput never is)"
    )


@pytest.mark.parametrize("execution", ["Waves", "Eager"])
@pytest.mark.parametrize("fields", [{"args": ["$(nodes.a.outputs.x)"]}, {"when": "false"}])
def test_behind_a_failure_nothing_is_read_and_nothing_is_asked(
    fields: dict[str, Any], execution: str
) -> None:
    given = spec(node("a"), after(fallback="s", **fields), standbys="s", execution=execution)
    run = Run(given)
    run.pod_fails("a")
    assert run.reason("b") == ("Skipped", "DependencyFailed")
    assert run.started == ["a1"]


BOMB = ["$(nodes.a.outputs.x)" * 40]
TELLS_4_KIB = json.dumps({"x": "x" * 4000})


def test_outputs_that_no_program_can_be_given_fail_the_node_before_anything_is_built() -> None:
    run = Run(spec(node("a"), after(args=BOMB, retry={"limit": 5})))
    run.pod_succeeds("a", told=TELLS_4_KIB)
    assert run.reason("b") == ("Failed", "OutputTooLarge")
    assert run.started == ["a1"]
    assert run.status.message == (
        "b: OutputTooLarge: args[0]: takes 160000 bytes with its references replaced; 131071 are"
        " possible; pass large data by a volume or a ConfigMap"
        " (not retried: OutputTooLarge never is)"
    )


def test_a_fallback_serves_where_outputs_are_too_large() -> None:
    run = Run(spec(node("a"), after(args=BOMB, fallback="s"), standbys="s"))
    run.pod_succeeds("a", told=TELLS_4_KIB)
    assert run.started == ["a1", "b1/s"]


def test_a_fallback_serves_where_an_output_is_missing() -> None:
    run = Run(spec(node("a"), after(args=["$(nodes.a.outputs.x)"], fallback="s"), standbys="s"))
    run.pod_succeeds("a")
    assert run.started == ["a1", "b1/s"]
    run.pod_succeeds("b")
    assert run.node("b").served_by == "s"


ROWS = {"name": "ROWS", "value": "$(nodes.a.outputs.rows)"}


def variables(run: Run) -> dict[str, str]:
    """Of the last attempt, those that the author wrote."""
    job = job_manifest(run.workflow, run.starts[-1])
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    return {e["name"]: e["value"] for e in env if not e["name"].startswith("TIDEGATE_")}


def test_a_fallback_goes_without_its_primary_s_variables_that_have_no_value() -> None:
    env = [ROWS, {"name": "RUN", "value": "$(workflow.run)"}]
    run = Run(spec(node("a"), after(env=env, fallback="s"), standbys="s"))
    run.pod_succeeds("a")
    assert run.started == ["a1", "b1/s"]
    assert variables(run) == {"RUN": "1"}
    run.pod_succeeds("b")
    assert run.node("b").served_by == "s"


def test_without_its_primary_s_variable_a_fallback_has_that_of_the_defaults() -> None:
    defaults = {"image": "x", "env": [{"name": "ROWS", "value": "0"}]}
    reader = after(env=[ROWS], fallback="s")
    run = Run(spec(node("a"), reader, standbys="s", defaults=defaults))
    run.pod_succeeds("a")
    assert run.started == ["a1", "b1/s"]
    assert variables(run) == {"ROWS": "0"}


def test_a_fallback_goes_without_its_primary_s_variables_that_are_too_large() -> None:
    env = [{"name": "LONG", "value": BOMB[0]}, {"name": "X", "value": "$(nodes.a.outputs.x)"}]
    run = Run(spec(node("a"), after(env=env, fallback="s"), standbys="s"))
    run.pod_succeeds("a", told=TELLS_4_KIB)
    assert run.started == ["a1", "b1/s"]
    assert set(variables(run)) == {"X"}


def test_variables_that_a_fallback_is_given_don_t_make_its_pod_too_large() -> None:
    long = "$(nodes.a.outputs.x)" * 30
    env = [{"name": f"X{i}", "value": long} for i in range(6)]
    run = Run(spec(node("a"), after(env=env, fallback="s"), standbys="s"))
    run.pod_succeeds("a", told=TELLS_4_KIB)
    assert run.node("b").failures[0].message == (
        "its texts take 703 KiB together with its references replaced; 512 KiB are possible; pass"
        " large data by a volume or a ConfigMap"
    )
    assert list(variables(run)) == ["X0", "X1", "X2", "X3"]


def test_a_fallback_may_miss_one_too() -> None:
    standby = {"name": "s", "args": ["$(nodes.a.outputs.y)"]}
    run = Run(spec(node("a"), after(fallback="s"), extra=[standby]))
    run.pod_succeeds("a")
    run.pod_fails("b")
    assert run.reason("b") == ("Failed", "MissingOutput")
    assert run.status.message == (
        "b: exit code 1; fallback s: MissingOutput: a has no output y; its outputs are: none"
    )


def test_a_fallback_gets_what_its_primary_s_variables_refer_to() -> None:
    env = [{"name": "ROWS", "value": "$(nodes.a.outputs.rows)"}]
    run = Run(spec(node("a"), after(fallback="s", env=env), standbys="s"))
    run.pod_succeeds("a", told='{"rows": 3}')
    run.pod_fails("b")
    assert run.starts[-1].values == (("nodes.a.outputs.rows", "3"),)


@pytest.mark.parametrize("fields", [{"allowFailure": True}, {"when": "false"}])
def test_a_default_stands_in_for_a_node_that_failed_or_was_skipped(fields: dict[str, Any]) -> None:
    outputs = [{"name": "rows", "default": 0}]
    reader = after(args=["$(nodes.a.outputs.rows)"])
    run = Run(spec(node("a", outputs=outputs, **fields), reader))
    if "when" not in fields:
        run.pod_fails("a")
    assert run.starts[-1].values == (("nodes.a.outputs.rows", "0"),)


def test_a_skipped_node_has_no_outputs_without_a_default() -> None:
    run = Run(spec(node("a", when="false"), after(args=["$(nodes.a.outputs.rows)"])))
    assert run.reason("b") == ("Failed", "MissingOutput")
    assert "a has no output rows; it was skipped by its condition" in (run.status.message or "")


def test_a_handler_reads_defaults_and_fields() -> None:
    handler = {"name": "h", "args": ["$(nodes.a.outputs.rows) $(nodes.a.reason)"]}
    outputs = [{"name": "rows", "default": "none"}]
    run = Run(spec(node("a", outputs=outputs), extra=[handler], onExit=["h"]))
    run.pod_fails("a")
    assert dict(run.starts[-1].values) == {
        "nodes.a.outputs.rows": "none", "nodes.a.reason": "ExitCode",
    }  # fmt: skip


def test_what_is_read_of_must_have_ended() -> None:
    """b is skipped when x fails, but a, which c reads of, still runs."""
    run = Run(
        spec(
            node("a"), node("x"), node("b", "a x"),
            node("c", "b", trigger="DependenciesEnded", args=["$(nodes.a.outputs.n)"]),
        )
    )  # fmt: skip
    run.pod_fails("x")
    assert run.reason("b") == ("Skipped", "DependencyFailed")
    assert run.started == ["a1", "x1"]
    run.pod_succeeds("a", told='{"n": 1}')
    assert run.started == ["a1", "x1", "c1"]
