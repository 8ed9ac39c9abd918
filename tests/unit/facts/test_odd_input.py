"""Whatever JSON stands in a field, a conversion gives a fact or none, and never raises."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.facts.raws import LABELS, condition, raw_job, raw_pod, terminated, waiting
from tidegate.facts.event import refusal
from tidegate.facts.job import job_fact
from tidegate.facts.pod import pod_fact
from tidegate.facts.raw import workflow_key
from tidegate.facts.workflow import workflow_fact

TIMES = st.sampled_from(
    ["2026-11-22T12:00:00Z", "2026-11-22", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
     "2026-11-22T12:00:00.123456Z", "now", ""]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | TIMES
    | st.sampled_from(["True", "False", "Failed", "Succeeded", "main", "Always", "FailedCreate"])
)  # fmt: skip
KEYS = st.sampled_from(["name", "state", "status", "type", "terminated", "uid"]) | st.text(
    max_size=3
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
JOB = raw_job(
    {"succeeded": 1, "startTime": "2026-11-22T12:00:00Z", "conditions": [condition("Failed")]},
    spec={"suspend": False, "activeDeadlineSeconds": 3},
)
POD = raw_pod(
    {
        "phase": "Failed", "reason": "", "message": "", "conditions": [condition("PodScheduled")],
        "containerStatuses": [terminated(1, 3), waiting("ErrImagePull", "x", "helper")],
        "initContainerStatuses": [{**terminated(1, 3, "prepare"), "lastState": {}}],
    },
    spec={"initContainers": [{"name": "proxy", "restartPolicy": "Always"}], "nodeName": "n"},
)  # fmt: skip
WORKFLOW = {"metadata": {"labels": LABELS, "annotations": LABELS, "generation": 1}, "spec": {}}
EVENT = {"reason": "FailedCreate", "involvedObject": {"uid": "u"}, "message": "", "series": {}}


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """``value`` with something else in one place, at any depth."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(JSON)
    if isinstance(value, list):
        where = draw(st.integers(0, len(value) - 1))
        return [draw(altered(item)) if i == where else item for i, item in enumerate(value)]
    key = draw(st.sampled_from(sorted(value)))
    return {**value, key: draw(altered(value[key]))}


def objects(value: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return altered(value).filter(lambda found: isinstance(found, dict))


@given(objects(JOB))
def test_job(raw: dict[str, Any]) -> None:
    hash(job_fact(raw))
    workflow_key(raw)


@given(objects(POD))
def test_pod(raw: dict[str, Any]) -> None:
    hash(pod_fact(raw))


@given(objects(WORKFLOW))
def test_workflow(raw: dict[str, Any]) -> None:
    workflow_fact(raw)


@given(st.lists(objects(EVENT), max_size=3))
def test_events(raw: list[dict[str, Any]]) -> None:
    refusal(raw, "u")
