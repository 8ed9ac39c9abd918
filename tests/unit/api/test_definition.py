from typing import Any

import pytest

from tests.unit.api.specs import Spec, node, spec, validated
from tidegate.api.definition import LATEST_FORMAT, definition, format_of

FULL: Spec = {
    "defaults": {"image": "busybox:1.36", "env": [{"name": "D", "value": "d"}]},
    "nodes": [
        node("first"),
        node(
            "a",
            dependsOn=["first"],
            trigger="DependenciesEnded",
            script="echo hello",
            env=[{"name": "A", "value": "1"}],
            envFrom=[{"configMapRef": {"name": "c"}}],
            workingDir="/w",
            resources={"limits": {"cpu": "1"}},
            volumeMounts=[{"name": "v", "mountPath": "/v"}],
            template={"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
            timeout="90s",
            startTimeout="1m",
            retry={"limit": 2, "maxDuration": "1h", "exitCodes": {"retry": [1], "fail": [2]}},
            fallback="s",
            allowFailure=True,
        ),
    ],
    "standbys": [node("s", command=["true"])],
}


def of(own: dict[str, Any], **fields: Any) -> str:
    standbys = [node("s"), node("t")]
    raw = spec(node("a", **own), standbys=standbys, onExit=["s", "t"]) | fields
    return validated(raw).tasks["a"].definition


def test_format_1_never_changes() -> None:
    """A change here makes every kept success of every Workflow run again: add a format instead."""
    workflow = validated(FULL)
    assert workflow.tasks["a"].definition == "1:f4f4dd44b86cbfb50c81ab5a56c569b1"
    assert workflow.tasks["first"].definition == "1:625e8e5d9f2bcc397daed0540e008cb1"
    assert workflow.standbys["s"].definition == "1:0b702436c795e37b3f5ce998fd7c80b9"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"timeout": "60s"}, {"timeout": "1m"}),
        ({}, {"image": "busybox:1.36"}),
        ({}, {"startTimeout": "10m"}),
        ({}, {"retry": {"limit": 0}}),
        ({}, {"allowFailure": False, "trigger": "DependenciesSucceeded", "env": []}),
        ({}, {"template": {}}),
        ({}, {"template": {"spec": None}}),
        ({}, {"shell": ["unused"]}),
        ({}, {"command": []}),
        ({"retry": {}}, {"retry": {"limit": 3, "backoff": {"factor": 2, "cap": "32000ms"}}}),
        ({"script": "x"}, {"script": "x", "shell": ["/bin/sh", "-ec"]}),
        (
            {"resources": {"limits": {"a": "1", "b": "2"}}},
            {"resources": {"limits": {"b": "2", "a": "1"}}},
        ),
        (
            {"retry": {"exitCodes": {"retry": [1, 2]}}},
            {"retry": {"exitCodes": {"retry": [2, 1], "fail": []}}},
        ),
    ],
)
def test_what_means_the_same_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert of(one) == of(other)


@pytest.mark.parametrize(
    "own",
    [
        {"image": "other"},
        {"command": ["x"]},
        {"args": ["x"]},
        {"script": "x"},
        {"env": [{"name": "A", "value": "1"}]},
        {"envFrom": [{"prefix": "x"}]},
        {"workingDir": "/x"},
        {"resources": {"limits": {}}},
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        {"template": {"metadata": {"labels": {"a": "b"}}}},
        {"timeout": "1m"},
        {"startTimeout": "1m"},
        {"retry": {}},
        {"fallback": "s"},
        {"fallback": "t"},
        {"allowFailure": True},
        {"trigger": "DependenciesEnded"},
    ],
)
def test_what_means_something_else_is_different(own: dict[str, Any]) -> None:
    assert of(own) != of({})


def test_the_shell_counts_where_there_is_a_script() -> None:
    assert of({"script": "x", "shell": ["bash"]}) != of({"script": "x"})


def test_the_order_of_dependencies_is_nothing_and_of_variables_something() -> None:
    def two(*depends_on: str) -> str:
        raw = spec(node("x"), node("y"), node("a", dependsOn=depends_on))
        return validated(raw).tasks["a"].definition

    assert two("x", "y") == two("y", "x")
    assert two("x") != two("y")
    variables = [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "1"}]
    assert of({"env": variables}) != of({"env": variables[::-1]})


def test_a_changed_fallback_changes_the_node() -> None:
    plain = of({"fallback": "s"})
    standbys = [node("s", image="other"), node("t")]
    assert of({"fallback": "s"}, standbys=standbys) != plain
    assert of({"fallback": "s"}, standbys=[node("s"), node("t", image="other")]) == plain


def test_what_does_not_define_a_node_does_not_change_it() -> None:
    assert of({}, parallelism=3, timeout="1h", suspend=True, onExit=["t", "s"]) == of({})


def test_formats() -> None:
    task = validated(spec()).tasks["a"]
    assert task.definition == definition(task, format=1) == definition(task)
    assert task.definition.startswith(f"{LATEST_FORMAT}:")
    assert format_of(task.definition) == 1
    assert [format_of(text) for text in ("", "x", "99:abc", "1", ":", "²:x")] == [
        None, None, None, 1, None, None,
    ]  # fmt: skip
    with pytest.raises(KeyError):
        definition(task, format=99)


@pytest.mark.parametrize(
    "own",
    [{"args": ["$(params.date)"]}, {"image": "x:$(params.date)"}, {"when": 'params.date == "1"'}],
)
def test_a_param_counts_where_it_is_named(own: dict[str, Any]) -> None:
    def params(date: str, other: str) -> list[dict[str, str]]:
        return [{"name": "date", "value": date}, {"name": "other", "value": other}]

    assert of(own, params=params("1", "x")) == of(own, params=params("1", "y"))
    assert of(own, params=params("1", "x")) != of(own, params=params("2", "x"))
    assert of({}, params=params("1", "x")) == of({}, params=params("2", "x"))


def test_a_run_has_all_params_in_its_definition() -> None:
    one, other = (
        validated(spec(params=[{"name": "a", "value": value}])).definition for value in "12"
    )
    assert one != other != validated(spec()).definition


@pytest.mark.parametrize("own", [{"outputs": [{"name": "x"}]}, {"when": "true"}])
def test_outputs_and_conditions_are_part_of_what_a_node_means(own: dict[str, Any]) -> None:
    assert of(own) != of({})
