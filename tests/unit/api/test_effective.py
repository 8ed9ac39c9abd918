from datetime import timedelta
from typing import Any

import pytest

from tests.unit.api.specs import node, spec, validated
from tidegate.api.spec import Jitter, Trigger
from tidegate.api.task import RetryPolicy, Task
from tidegate.build.variables import env_of


def task(own: dict[str, Any] | None = None, defaults: dict[str, Any] | None = None) -> Task:
    base = {"image": "default"} | (defaults or {})
    return validated({"defaults": base, "nodes": [node("a", **(own or {}))]}).tasks["a"]


def main(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", **fields}]}}


def test_what_a_node_is_when_it_says_nothing() -> None:
    plain = task()
    assert plain.retry is None
    assert plain.timeout is None
    assert plain.start_timeout == timedelta(minutes=10)
    assert plain.shell == ("/bin/sh", "-ec")
    assert plain.trigger is Trigger.DEPENDENCIES_SUCCEEDED
    assert (plain.command, plain.args, plain.env, plain.template) == (None, None, (), {})


@pytest.mark.parametrize(
    ("field", "own", "default", "effective"),
    [
        ("image", "x", "y", "x"),
        ("image", None, "y", "y"),
        ("timeout", "5s", "1m", timedelta(seconds=5)),
        ("timeout", None, "1m", timedelta(minutes=1)),
        ("startTimeout", None, "1m", timedelta(minutes=1)),
        ("shell", ["bash"], ["zsh"], ("bash",)),
        ("shell", None, ["zsh"], ("zsh",)),
        ("resources", {"limits": {}}, {"requests": {}}, {"limits": {}}),
        ("resources", None, {"requests": {}}, {"requests": {}}),
        ("resources", {}, {"requests": {}}, {}),
        ("envFrom", [], [{"prefix": "a"}], ()),
        ("envFrom", None, [{"prefix": "a"}], ({"prefix": "a"},)),
        ("env", [{"name": "B", "value": "2"}], [{"name": "A", "value": "1"}, {"name": "B"}],
         ({"name": "A", "value": "1"}, {"name": "B", "value": "2"})),
    ],
)  # fmt: skip
def test_a_nodes_own_value_wins(field: str, own: Any, default: Any, effective: Any) -> None:
    attribute = {"startTimeout": "start_timeout", "envFrom": "env_from"}.get(field, field)
    given = {} if own is None else {field: own}
    assert getattr(task(given, {field: default}), attribute) == effective


def test_what_a_node_says_in_its_own_template_is_its_own() -> None:
    own = {"template": main(image="mine", resources={"limits": {}}, env=[{"name": "A"}])}
    defaults = {
        "resources": {"requests": {}},
        "env": [{"name": "A", "value": "d"}, {"name": "B", "value": "d"}],
    }
    effective = task(own, defaults)
    assert effective.image is None
    assert effective.resources is None
    assert effective.env == ({"name": "B", "value": "d"},)


def test_a_default_template_does_not_undo_a_default_image() -> None:
    assert task({}, {"template": main(image="other")}).image == "default"


def test_templates_are_merged() -> None:
    merged = task(
        {"template": {"metadata": {"labels": {"b": "2"}}}},
        {"template": {"metadata": {"labels": {"a": "1"}}, "spec": {"nodeSelector": None}}},
    ).template
    assert merged == {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {}}


def test_retry_has_its_defaults() -> None:
    assert task({"retry": {}}).retry == RetryPolicy(
        limit=3,
        base=timedelta(seconds=1),
        factor=2.0,
        cap=timedelta(seconds=32),
        jitter=Jitter.FULL,
        max_duration=None,
        retry_codes=frozenset(),
        fail_codes=frozenset(),
        timeouts=True,
    )


def test_retry_is_inherited_by_nodes_alone_and_switched_off_by_zero() -> None:
    workflow = validated(
        {
            "defaults": {"image": "x", "retry": {"limit": 5, "exitCodes": {"fail": [3]}}},
            "nodes": [node("a"), node("off", retry={"limit": 0}), node("own", retry={})],
            "standbys": [node("s"), node("t", retry={"limit": 1})],
            "onExit": ["s", "t"],
        }
    )
    limits = {
        name: task.retry and task.retry.limit
        for name, task in {**workflow.tasks, **workflow.standbys}.items()
    }
    assert limits == {"a": 5, "off": None, "own": 3, "s": None, "t": 1}
    retry = workflow.tasks["a"].retry
    assert retry is not None
    assert retry.fail_codes == {3}


def test_empty_commands_say_nothing() -> None:
    empty = task({"command": [], "args": []})
    assert (empty.command, empty.args) == (None, None)


def test_a_stand_in_gets_the_primarys_literal_variables() -> None:
    secret = {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    workflow = validated(
        {
            "defaults": {"image": "x", "env": [{"name": "D", "value": "d"}, {"name": "E"}]},
            "nodes": [
                node(
                    "a",
                    fallback="s",
                    env=[
                        *({"name": name, "value": "a"} for name in ("D", "A", "Own")),
                        secret,
                    ],
                ),
                node("b", fallback="s"),
            ],
            "standbys": [node("s", env=[{"name": "Own", "value": "s"}])],
        }
    )
    stand_in = workflow.stand_ins["a"]
    assert {entry["name"]: entry.get("value") for entry in env_of(stand_in, {})} == {
        "D": "a",
        "E": None,
        "A": "a",
        "Own": "s",
    }
    assert stand_in.name == "s"
    assert stand_in.definition == workflow.tasks["a"].definition
    assert env_of(workflow.stand_ins["b"], {}) == workflow.standbys["s"].env
    assert set(workflow.stand_ins) == {"a", "b"}


def test_tasks_come_in_the_order_of_the_list() -> None:
    workflow = validated(spec(node("z", dependsOn=["a"]), node("a"), node("m")))
    assert list(workflow.tasks) == ["z", "a", "m"]
    assert workflow.graph.waves == (("a", "m"), ("z",))
