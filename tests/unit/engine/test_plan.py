"""What holds for every plan, whatever status and facts it is made for."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.engine import odd
from tests.unit.engine.builders import at, workflow_fact
from tests.unit.engine.promises import broken_promises
from tests.unit.engine.run import Run
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import validate
from tidegate.engine.plan import plan
from tidegate.facts.model import AnswerKind, Facts

FACTS = [workflow_fact(one) for one in odd.SPECS]
WORKFLOWS = [validate(fact) for fact in FACTS]
thorough = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(which=st.integers(0, len(FACTS) - 1), data=st.data())
def test_odd_statuses_and_facts_lead_to_plans_that_keep_every_promise(
    which: int, data: st.DataObject
) -> None:
    workflow = WORKFLOWS[which]
    fact = replace(FACTS[which], annotations=data.draw(odd.annotations))
    status = data.draw(odd.statuses(workflow))
    facts = Facts(data.draw(odd.all_facts()))
    now = data.draw(odd.moments)
    planned = plan(workflow, fact, status, facts, now)
    assert broken_promises(workflow, status, facts, planned, now) == []
    assert plan(workflow, fact, status, facts, now) == planned
    assert planned.wake_at is None or planned.wake_at > now
    text = planned.status.model_dump_json(by_alias=True, exclude_none=True)
    assert WorkflowStatus.model_validate_json(text) == planned.status
    answers = {s.attempt: data.draw(odd.answers(s.attempt)) for s in planned.starts}
    plan(workflow, fact, status, replace(facts, answers=answers), now)


@thorough
@given(which=st.integers(0, len(FACTS) - 1), data=st.data())
def test_a_finished_run_never_moves_whatever_is_seen(which: int, data: st.DataObject) -> None:
    workflow = WORKFLOWS[which]
    status = data.draw(odd.statuses(workflow, final=True))
    facts = Facts(data.draw(odd.all_facts()))
    planned = plan(workflow, FACTS[which], status, facts, data.draw(odd.moments))
    same = {"conditions": (), "observed_generation": 1}
    assert planned.status.model_copy(update=same) == status.model_copy(update=same)
    assert planned.starts == ()


STEPS = ("succeeds", "fails", "evicted", "vanishes", "runs", "blocked", "wait", "long", "restart",
         "suspend", "resume", "now", "graceful", "lower")  # fmt: skip


def step(run: Run, kind: str, pick: int) -> None:
    """Something happens to a node that runs, or to the Workflow."""
    running = sorted(run.running)
    name = running[pick % len(running)] if running else ""
    on_pods: dict[str, Any] = {
        "succeeds": lambda: run.pod_succeeds(name),
        "fails": lambda: run.pod_fails(name, exit_code=1 + pick),
        "evicted": lambda: run.pod_is_evicted(name),
        "vanishes": lambda: run.vanishes(name),
        "runs": lambda: run.pod_runs(name),
        "blocked": lambda: run.tell_pod(name, blocked="Unschedulable: no room"),
    }
    others: dict[str, Any] = {
        "wait": lambda: run.advance(7),
        "long": lambda: run.advance(1000),
        "restart": run.look,
        "suspend": lambda: run.edit(suspend=True),
        "resume": lambda: run.edit(suspend=False),
        "lower": lambda: run.edit(parallelism=1 + pick % 3),
        "now": lambda: run.ask(cancel=f"now@{len(run.records)}"),
        "graceful": lambda: run.ask(cancel=f"graceful@{len(run.records)}"),
    }
    if kind in others:
        others[kind]()
    elif name and run.attempts[run.latest(name)].job is not None:
        on_pods[kind]()


@pytest.mark.parametrize("which", range(3))
@settings(max_examples=50)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS[:9]) | st.sampled_from(STEPS),
                                st.integers(0, 5)), max_size=25))  # fmt: skip
def test_every_story_comes_to_an_end(which: int, steps: list[tuple[str, int]]) -> None:
    run = Run(odd.SPECS[which])
    for kind, pick in steps:
        step(run, kind, pick)
    run.edit(suspend=False, parallelism=10)
    for _ in range(100):
        if run.status.phase is not None and run.status.phase.is_final:
            break
        step(run, "succeeds", 0)
        run.advance(60)
    assert run.result[0] in ("Succeeded", "Failed", "Cancelled")
    assert all(node.phase.has_ended for node in run.status.nodes.values())
    assert len(run.started) == len(set(run.started)), "an attempt was started twice"
    a = run.node("a")
    own = [s for s in run.started if s.startswith("a") and "/" not in s]
    assert len(own) <= 1 + 2 + a.disruptions
    for kind, pick in steps[:5]:
        before = run.status.nodes
        step(run, kind, pick)
        assert run.status.nodes == before


def test_an_answer_for_what_nobody_asked_is_passed_over() -> None:
    run = Run(odd.SPECS[0])
    strange = {run.latest("a"): run._post(run.starts[0])}
    assert run.plan(strange).status == run.status
    assert strange[run.latest("a")].kind is AnswerKind.ADOPTED
    assert run.now == at(0)
