"""Outputs: from a termination message to the node's status, and how they spoil a success."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.builders import node, rows, spec, workflow
from tests.unit.engine.run import Run
from tidegate.api.task import Task
from tidegate.constants import MAX_RUN_OUTPUT_BYTES
from tidegate.engine.outputs import Outputs, Rejected, outputs_of, read_outputs
from tidegate.engine.reasons import Reason
from tidegate.facts.model import EMPTY, JobEnd

ROWS: dict[str, Any] = {"outputs": [{"name": "rows"}]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)  # fmt: skip


def task(**fields: Any) -> Task:
    return workflow(node("a", **fields)).tasks["a"]


def read(told: str | None, room: int = MAX_RUN_OUTPUT_BYTES, **fields: Any) -> Outputs | Rejected:
    return read_outputs(task(**fields), told, read=False, room=room)


@pytest.mark.parametrize(
    ("told", "expected"),
    rows(
        {
            "nothing": ("", None),
            "blanks": (" \n", None),
            "an object": ('{"rows": 1200}\n', '{"rows":1200}'),
            "an empty object": ("{}", None),
            "null stays": ('{"a": null}', '{"a":null}'),
            "order stays, text stays": ('{"b": "ü $(A)", "a": [1.5]}', '{"b":"ü $(A)","a":[1.5]}'),
            "exactly 4096 bytes": (
                json.dumps({"a": "x" * 4087}),
                json.dumps({"a": "x" * 4087}, separators=(",", ":")),
            ),
            "half a character as an escape": ('{"a": "\\ufffd"}', '{"a":"\ufffd"}'),
        }
    ),
)
def test_what_is_read(told: str, expected: str | None) -> None:
    assert read(told) == Outputs(expected)


WROTE = "what main wrote to $TIDEGATE_OUTPUT"


@pytest.mark.parametrize(
    ("told", "reason", "words"),
    rows(
        {
            "no JSON": ("done", "InvalidOutput", "is no JSON: Expecting value at line 1, column 1"),
            "a list": ("[1]", "InvalidOutput", "is a list, not a JSON object"),
            "null": ("null", "InvalidOutput", "is null, not a JSON object"),
            "two objects": ("{}\n{}", "InvalidOutput", "is no JSON: Extra data"),
            "twice": ('{"a": 1, "a": 2}', "InvalidOutput", 'holds the key "a" twice'),
            "twice inside": ('{"b": [{"a": 1, "a": 2}]}', "InvalidOutput", 'the key "a" twice'),
            "NaN": ('{"a": NaN}', "InvalidOutput", "holds NaN, which is no JSON"),
            "infinite": ('{"a": -Infinity}', "InvalidOutput", "holds -Infinity"),
            "too large a number": ('{"a": 1e999}', "InvalidOutput", "beyond 64 bits, 1e999"),
            "huge whole number": (
                f'{{"a": {"9" * 400}}}',
                "InvalidOutput",
                "beyond 64 bits, 99999999999999999999999…; write it as text",
            ),
            "2**63": ('{"a": 9223372036854775808}', "InvalidOutput", "beyond 64 bits"),
            "deep": (f'{{"a": {"[" * 40}{"]" * 40}}}', "InvalidOutput", "more than 32 levels"),
            "very deep": (f'{{"a": {"[" * 2000}{"]" * 2000}}}', "InvalidOutput", "32 levels"),
            "no UTF-8": ('{"a": "\ufffd"}', "InvalidOutput", "holds bytes that are no UTF-8"),
            "half a pair": ('{"a": "\\ud800"}', "InvalidOutput", "half of a surrogate pair"),
            "NUL": ('{"a": "\\u0000"}', "InvalidOutput", "holds a NUL character"),
            "NUL in a key": ('{"\\u0000": 1}', "InvalidOutput", "holds a NUL character"),
            "cut at 4096": ('{"a": "' + "x" * 4089, "OutputTooLarge", "longer than the 4096 bytes"),
            "the end of something longer": (
                "x" * 4094 + '"}',
                "OutputTooLarge",
                "longer than the 4096 bytes",
            ),
            "cut by many containers": ('{"a": "' + "x" * 3065, "OutputTooLarge", "the 3072 bytes"),
            "cut through a character": (
                '{"a": "' + "x" * 3062 + "\ufffd" * 3,
                "OutputTooLarge",
                "the 3072 bytes",
            ),
            "cut through a character that comes as one": (
                '{"a": "' + "x" * 3062 + "\ufffd",
                "OutputTooLarge",
                "the 3072 bytes",
            ),
            "cut through characters at both ends": (
                "\ufffd" + "x" * 4091 + "\ufffd",
                "OutputTooLarge",
                "the 4096 bytes",
            ),
        }
    ),
)
def test_what_is_refused(told: str, reason: str, words: str) -> None:
    found = read(told)
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert found.message.startswith(WROTE)
    assert words in found.message


@pytest.mark.parametrize(("containers", "kept"), [(3, 3072), (20, 585), (40, 299)])
def test_a_share_is_known_however_many_containers_there_are(containers: int, kept: int) -> None:
    others = [{"name": f"c{number}", "image": "x"} for number in range(containers)]
    found = read("x" * kept, template={"spec": {"containers": others}})
    assert isinstance(found, Rejected)
    assert (found.reason, f"the {kept} bytes" in found.message) == ("OutputTooLarge", True)


def test_declared_outputs() -> None:
    declared = [{"name": "rows"}, {"name": "kind", "default": None}]
    assert read('{"rows": 1}', outputs=declared) == Outputs('{"rows":1,"kind":null}')
    assert read('{"rows": 1, "kind": 2}', outputs=declared) == Outputs('{"rows":1,"kind":2}')
    missing = read('{"row": 1}', outputs=declared)
    told = "no output rows, which is declared without a default; it wrote row"
    assert missing == Rejected(Reason.INVALID_OUTPUT, told)
    nothing = read("", outputs=declared)
    assert isinstance(nothing, Rejected)
    assert nothing.message.endswith("it wrote none")


def test_where_no_pod_is_left_that_could_tell() -> None:
    assert read(None) == Outputs(None)
    for found in (read(None, **ROWS), read_outputs(task(), None, read=True, room=1)):
        assert isinstance(found, Rejected)
        assert found.reason == "Lost"


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_any_json_object_is_kept_as_it_is(value: dict[str, Any]) -> None:
    told = json.dumps(value)
    found = read(told)
    has_nul = "\\u0000" in told
    if len(told) > 4096 or has_nul:
        return
    assert isinstance(found, Outputs)
    assert json.loads(found.text or "{}") == value


@given(st.text(max_size=60) | st.text(alphabet='{}[]":,0123456789.eE-+\\untf \n', max_size=60))
def test_nothing_is_raised_whatever_is_told(told: str) -> None:
    read(told, **ROWS)
    read(told)


# --- in a run ------------------------------------------------------------------------------------


def test_outputs_are_recorded_as_one_text_and_read_by_what_follows() -> None:
    run = Run(spec(node("a", **ROWS), node("b", "a", args=["$(nodes.a.outputs.rows)"])))
    run.pod_succeeds("a", told='{"rows": 1200, "none": null}')
    assert run.node("a").outputs == '{"rows":1200,"none":null}'
    assert run.starts[-1].values == (("nodes.a.outputs.rows", "1200"),)


@pytest.mark.parametrize(
    ("told", "result"),
    rows(
        {
            "no JSON": ("done", ("Failed", "InvalidOutput")),
            "cut": ("{" + "x" * 4095, ("Failed", "OutputTooLarge")),
            "one is missing": ("{}", ("Failed", "InvalidOutput")),
        }
    ),
)
def test_outputs_can_spoil_a_success_and_are_not_retried(
    told: str, result: tuple[str, str]
) -> None:
    run = Run(spec(node("a", **ROWS, retry={"limit": 3})))
    run.pod_succeeds("a", told=told)
    assert run.reason("a") == result
    assert run.node("a").outputs is None
    assert run.started == ["a1"]
    assert run.result == ("Failed", "NodeFailed")


def test_what_a_program_that_failed_wrote_is_no_output() -> None:
    run = Run(spec(node("a", **ROWS, retry={"limit": 1, "backoff": {"base": "1s"}})))
    run.end_pod("a", "Failed", 1, "Error", '{"rows": 1}')
    run.look()
    assert run.node("a").outputs is None
    assert run.reason("a") == ("Retrying", "ExitCode")


def test_a_fallback_s_outputs_are_the_node_s_and_it_owes_what_both_declare() -> None:
    standby = {"name": "s", "outputs": [{"name": "age", "default": 3}]}
    given_ = spec(node("a", fallback="s", **ROWS), node("b", "a"), extra=[standby])
    run = Run(given_)
    run.pod_succeeds("a", told="{}")
    assert run.started == ["a1", "a2/s"]
    run.pod_succeeds("a", told='{"rows": 2}')
    assert (run.node("a").outputs, run.node("a").served_by) == ('{"rows":2,"age":3}', "s")
    other = Run(given_)
    other.pod_fails("a")
    other.pod_succeeds("a", told='{"age": 2}')
    assert other.reason("a") == ("Failed", "InvalidOutput")


def test_a_success_without_its_outputs_is_lost_and_may_be_retried() -> None:
    retry = {"limit": 1, "backoff": {"base": "1s", "jitter": "None"}}
    run = Run(spec(node("a", **ROWS, retry=retry)))
    end = JobEnd(True, "CompletionsReached", "", run.now, stopped=True)
    run.tell_job("a", end=end)
    assert run.reason("a") == ("Retrying", "Lost")
    run.advance(5)
    run.pod_succeeds("a", told='{"rows": 1}')
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_a_success_that_the_job_and_a_pod_that_went_tell_of_has_its_outputs() -> None:
    run = Run(spec(node("a", **ROWS)))
    run.end_pod("a", "Succeeded", 0, "Completed", '{"rows": 1}')
    attempt = run.latest("a")
    fact = run.attempts[attempt]
    run.attempts[attempt] = replace(fact, pods=(), last_pod=fact.pods[-1])
    run.tell_job("a", end=JobEnd(True, "CompletionsReached", "", run.now, stopped=True))
    assert run.node("a").outputs == '{"rows":1}'


def test_a_run_has_128_kib_of_outputs() -> None:
    names = [f"n{i}" for i in range(34)]
    run = Run(spec(*(node(n) for n in names), parallelism=40, failurePolicy="Continue"))
    told = json.dumps({"a": "x" * 4000})
    for name in names:
        run.pod_succeeds(name, told=told, look=False)
    run.look()
    failed = [n for n in names if run.phases[n] == "Failed"]
    assert len(failed) == 2
    assert {run.reason(n) for n in failed} == {("Failed", "OutputTooLarge")}
    kept = sum(len((n.outputs or "").encode()) for n in run.status.nodes.values())
    assert kept <= MAX_RUN_OUTPUT_BYTES


def test_outputs_are_kept_through_a_rerun() -> None:
    run = Run(spec(node("a", **ROWS), node("b", "a", args=["$(nodes.a.outputs.rows)"])))
    run.pod_succeeds("a", told='{"rows": 7}')
    run.pod_fails("b")
    run.ask(rerun="failed@1")
    assert run.started == ["a1", "b1", "b1@2"]
    assert run.starts[-1].values == (("nodes.a.outputs.rows", "7"),)


def test_defaults_stand_in_where_nothing_was_written() -> None:
    a = task(outputs=[{"name": "x", "default": [1]}, {"name": "y"}])
    run = Run(spec(node("a")))
    assert outputs_of(run.node("a"), a) == {"x": [1]}
    assert EMPTY == {}
