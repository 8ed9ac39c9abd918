import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.build.kubelet import expand
from tests.unit.build.samples import UID, start_of, workflow_of
from tidegate.build.escape import escape
from tidegate.build.job import job_manifest
from tidegate.build.references import resolve, resolve_container, values_of

WORKFLOW = workflow_of({"nodes": [{"name": "extract", "image": "x"}]})
VALUES = values_of(WORKFLOW, start_of("extract", 2, run=3))
SECRET = {"TOKEN": "s3cret", "workflow.name": "never this one"}
ANY = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
"""What arguments and variables can hold."""
TEXTS = st.lists(
    st.sampled_from(["$", "$$", "(", ")", "$(", "TOKEN", "workflow.name", "$(workflow.name)", "x"])
    | st.text(ANY, max_size=3)
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(workflow.name)", "demo"),
        ("$(workflow.namespace)", "shop"),
        ("$(workflow.uid)", UID),
        ("$(workflow.run)", "3"),
        ("$(node.name)", "extract"),
        ("$(node.attempt)", "2"),
        ("a $(workflow.name)/$(node.name) b", "a demo/extract b"),
        ("$$(workflow.name)", "$$(workflow.name)"),
        ("$$$(workflow.name)", "$$demo"),
        ("$(TOKEN) $(date +%F) $HOME ${A}", "$(TOKEN) $(date +%F) $HOME ${A}"),
        ("$(workflow.name", "$(workflow.name"),
        ("$($(workflow.name))", "$($(workflow.name))"),
        ("$(workflow.other)", "$(workflow.other)"),
    ],
)
def test_resolve(text: str, expected: str) -> None:
    assert resolve(text, VALUES) == expected


def test_values_are_escaped_and_not_looked_at_again() -> None:
    values = {"workflow.name": "$(node.name) $(TOKEN) $$", "node.name": "never"}
    text = resolve("<$(workflow.name)>", values)
    assert text == "<$$(node.name) $$(TOKEN) $$$$>"
    assert expand(text, SECRET) == "<$(node.name) $(TOKEN) $$>"


@given(TEXTS)
def test_escaped_text_reaches_the_container_as_it_is(text: str) -> None:
    assert expand(escape(text), SECRET) == text


@given(TEXTS, TEXTS)
def test_a_value_reaches_the_container_as_it_is(text: str, value: str) -> None:
    """As if the kubelet itself had known the name."""
    resolved = resolve(text, {"workflow.name": value})
    assert expand(resolved, SECRET) == expand(text, {**SECRET, "workflow.name": value})


def test_a_container_s_command_args_and_env() -> None:
    container = {
        "name": "$(workflow.name)",
        "image": "$(workflow.name)",  # refused by validation, left alone here
        "command": ["run", "$(workflow.name)"],
        "args": ["$(node.name)"],
        "env": [
            {"name": "A", "value": "$(node.attempt)"},
            {"name": "$(node.name)", "valueFrom": {"fieldRef": {"fieldPath": "$(node.name)"}}},
        ],
    }
    assert resolve_container(container, VALUES) == {
        **container,
        "command": ["run", "demo"],
        "args": ["extract"],
        "env": [{"name": "A", "value": "2"}, container["env"][1]],
    }


@pytest.mark.parametrize("odd", [{}, {"command": None}, {"args": [1, None]}, {"env": ["A", {}]}])
def test_odd_shapes_are_left_to_the_api_server(odd: dict[str, object]) -> None:
    assert resolve_container(odd, VALUES) == odd


PARAMS = {"nodes": [{"name": "a", "image": "x", "args": ["$(params.t)|$(params.u)"]}]}


@given(st.text(ANY), TEXTS)
def test_any_param_arrives_and_is_never_looked_at_again(one: str, other: str) -> None:
    values = [{"name": "t", "value": one}, {"name": "u", "value": other}]
    workflow = workflow_of({**PARAMS, "params": values})
    (container,) = job_manifest(workflow, start_of("a"))["spec"]["template"]["spec"]["containers"]
    assert expand(container["args"][0], SECRET) == f"{one}|{other}"


@given(TEXTS)
def test_any_output_arrives_and_is_never_looked_at_again(text: str) -> None:
    nodes = [
        {"name": "a", "image": "x"},
        {"name": "b", "image": "x", "dependsOn": ["a"], "args": ["<$(nodes.a.outputs.k)>"]},
    ]
    start = start_of("b", values=(("nodes.a.outputs.k", text),))
    job = job_manifest(workflow_of({"nodes": nodes}), start)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert expand(container["args"][0], SECRET) == f"<{text}>"


def test_an_image_takes_params_as_they_are() -> None:
    nodes = [{"name": "a", "image": "r/$(params.name):$(params.tag)"}]
    params = [{"name": "name", "value": "x$y"}, {"name": "tag", "value": "1"}]
    job = job_manifest(workflow_of({"nodes": nodes, "params": params}), start_of("a"))
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "r/x$y:1"


def test_outputs_go_to_the_container_s_own_termination_message() -> None:
    main = {"name": "main", "terminationMessagePath": "/run/out"}
    nodes = [{"name": "a", "image": "x", "template": {"spec": {"containers": [main]}}}]
    job = job_manifest(workflow_of({"nodes": nodes}), start_of("a"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "TIDEGATE_OUTPUT", "value": "/run/out"} in container["env"]
