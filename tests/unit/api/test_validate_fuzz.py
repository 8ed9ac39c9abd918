"""Whatever is stored, validation says what is wrong, or it is right; nothing else is raised."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.api.specs import Stored, node
from tidegate.api.identity import WorkflowKey
from tidegate.api.workflow import validate
from tidegate.errors import Fault, InvalidSpec

WORDS = st.sampled_from(
    ["a", "b", "s", "main", "1s", "500ms", "x y", "", "$(params.x)", "$(workflow.name)", "\x00",
     "\ud800", "Waves", "tidegate.dev/x", "a" * 50]
)  # fmt: skip
NAMES = st.sampled_from(
    ["name", "nodes", "standbys", "dependsOn", "fallback", "onError", "onExit", "defaults",
     "template", "metadata", "labels", "annotations", "spec", "containers", "volumes", "env",
     "value", "valueFrom", "retry", "backoff", "base", "cap", "exitCodes", "fail", "image",
     "command", "args", "script", "shell", "timeout", "volumeMounts", "mountPath", "execution",
     "restartPolicy", "resources", "ports", "$x"]
)  # fmt: skip
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | WORDS
    | st.text(max_size=5)
    | st.sampled_from([{}, []])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
GOOD: dict[str, Any] = {
    "defaults": {
        "image": "x",
        "env": [{"name": "A", "value": "1"}],
        "retry": {"backoff": {"base": "1s"}},
        "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A"}]}]}},
    },
    "nodes": [
        node("a", fallback="s", command=["x"], template={"metadata": {"labels": {"a": "b"}}}),
        node("b", dependsOn=["a"], script="x", retry={"exitCodes": {"retry": [1]}}),
        node("c", dependsOn=["a", "b"], volumeMounts=[{"name": "v", "mountPath": "/v"}]),
    ],
    "standbys": [node("s"), node("t", env=[{"name": "A", "value": "2"}])],
    "onError": ["t"],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    return [path] + [p for key, child in children for p in places(child, (*path, key))]


PLACES = places(GOOD)[1:]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good spec with a few places overwritten, removed or added."""
    spec = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PLACES))
        change(draw, follow(spec, path[:-1]), path[-1])
    return spec


def follow(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands at ``path``; None where earlier damage took it away."""
    try:
        for key in path:
            value = value[key]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def change(draw: st.DrawFn, parent: Any, key: Any) -> None:
    if isinstance(parent, dict) and isinstance(key, str):
        if draw(st.booleans()):
            parent[key] = draw(JSON)
        else:
            parent[draw(NAMES)] = draw(JSON)
    elif isinstance(parent, list) and isinstance(key, int) and key < len(parent):
        parent[key] = draw(JSON)


def check(spec: Any) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        workflow = validate(Stored(spec, WorkflowKey("ns", "w")))
        assert set(workflow.tasks) == {item["name"] for item in spec["nodes"]}
    except InvalidSpec as error:
        faults = error.faults or (Fault("", "\0"),)
    for fault in faults:
        assert len(str(fault)) < 600
        assert str(fault).isprintable()


@given(damaged())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_specs(spec: Any) -> None:
    check(spec)


@given(JSON | st.dictionaries(NAMES, JSON, max_size=6))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_anything_at_all(spec: Any) -> None:
    check(spec)
