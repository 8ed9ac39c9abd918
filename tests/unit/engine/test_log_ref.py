"""When status says where the log is."""

from datetime import timedelta

import pytest

from tests.unit.engine.builders import KEY, NOON, UID, node, rows, spec, workflow_fact
from tidegate.api.status import LogRef, Phase, WorkflowStatus
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.log_ref import with_log
from tidegate.errors import Fault
from tidegate.facts.model import Facts

OURS = LogRef(config_map="flow-log")
FAILED = WorkflowStatus(phase=Phase.FAILED, run=1)
FAULTS = (Fault("spec", "odd"),)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    rows({
        "a run that begins": (WorkflowStatus(), WorkflowStatus(phase=Phase.RUNNING, run=1), OURS),
        "a run of an operator without logs": (
            WorkflowStatus(phase=Phase.RUNNING, run=1),
            WorkflowStatus(phase=Phase.WAITING, run=1),
            OURS,
        ),
        "a run that ends": (WorkflowStatus(phase=Phase.RUNNING, run=1), FAILED, OURS),
        "one that ended before there were logs": (FAILED, FAILED, None),
        "one that waits to begin": (WorkflowStatus(), WorkflowStatus(phase=Phase.PENDING), None),
    }),
)  # fmt: skip
def test_the_log_is_told_once_there_is_something_to_log(
    before: WorkflowStatus, after: WorkflowStatus, told: LogRef | None
) -> None:
    assert with_log(KEY, UID, before, after, retain=False).log == told


def test_a_log_that_is_retained_has_a_name_that_no_other_workflow_will_have() -> None:
    before = FAILED.model_copy(update={"log": OURS})
    assert with_log(KEY, UID, before, before, retain=True).log == LogRef(
        config_map="flow-log-6f1c1"
    )


@pytest.mark.parametrize("retain", [True, False, "odd"])
def test_an_invalid_spec_has_a_log_too(retain: object) -> None:
    fact = workflow_fact(spec(node("a"), log={"retain": retain}))
    planned = plan_invalid(fact, WorkflowStatus(), FAULTS, Facts(), NOON)
    name = "flow-log-6f1c1" if retain is True else "flow-log"
    assert planned.status.log == LogRef(config_map=name)
    again = plan_invalid(fact, planned.status, FAULTS, Facts(), NOON + timedelta(seconds=1))
    assert again.status == planned.status
