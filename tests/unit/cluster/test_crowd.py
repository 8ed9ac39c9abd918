from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.unit.cluster.objects import workflow
from tidegate.cluster.crowd import Crowds
from tidegate.engine.model import Note, NoteKind
from tidegate.facts.model import WorkflowFact
from tidegate.facts.workflow import workflow_fact

WORKFLOW = workflow_fact(workflow())
OTHER = replace(WORKFLOW, uid="other")


def failed(number: int) -> Note:
    return Note(NoteKind.NODE_FAILED, f"n{number}: exit code 1", f"n{number}", 2, warning=True)


def wave(number: int) -> Note:
    return Note(NoteKind.WAVE_STARTED, f"wave {number} of 500")


def admitted(crowds: Crowds, notes: Iterable[Note], now: float = 0.0) -> int:
    return sum(crowds.admit(WORKFLOW, note, now) for note in notes)


def said(told: Iterable[tuple[WorkflowFact, Note]]) -> list[str]:
    return [note.message for _, note in told]


def test_the_first_are_told_one_by_one_and_the_rest_are_merged() -> None:
    crowds = Crowds()
    assert admitted(crowds, map(failed, range(500))) == 10
    ((about, note),) = crowds.due(10.0)
    assert about is WORKFLOW
    assert note.message == "490 more (n10, n11, n12 and 487 more); the last: n499: exit code 1"
    assert (note.node, note.attempt, note.warning) == ("", 0, True)


def test_what_was_held_back_comes_in_a_while_and_then_nothing_more() -> None:
    crowds = Crowds()
    admitted(crowds, map(failed, range(12)))
    assert crowds.due_in(0.0) == pytest.approx(10.0)
    assert said(crowds.due(9.0)) == []
    assert crowds.due_in(9.0) == pytest.approx(1.0)
    assert said(crowds.due(10.0)) == ["2 more (n10 and n11); the last: n11: exit code 1"]
    assert crowds.due_in(10.0) is None


def test_a_steady_crowd_is_told_of_once_in_ten_seconds() -> None:
    crowds, told = Crowds(), 0
    for second in range(600):
        told += admitted(crowds, [wave(second)], float(second))
        told += len(said(crowds.due(float(second))))
    assert told <= 10 + 60


def test_one_alone_that_was_held_back_keeps_its_words() -> None:
    crowds = Crowds()
    admitted(crowds, map(wave, range(11)))
    assert said(crowds.rest()) == ["wave 10 of 500"]


def test_what_is_about_no_node_names_none() -> None:
    crowds = Crowds()
    admitted(crowds, map(wave, range(13)))
    assert said(crowds.rest()) == ["3 more; the last: wave 12 of 500"]


def test_kinds_and_workflows_are_told_apart() -> None:
    crowds = Crowds()
    admitted(crowds, map(failed, range(20)))
    assert crowds.admit(WORKFLOW, wave(1), 0.0)
    assert crowds.admit(OTHER, failed(1), 0.0)
    assert said(crowds.rest("other")) == []
    assert len(said(crowds.rest(WORKFLOW.uid))) == 1


def test_after_a_quiet_time_they_are_told_one_by_one_again() -> None:
    crowds = Crowds()
    admitted(crowds, map(failed, range(10)))
    assert admitted(crowds, map(failed, range(10, 20)), 100.0) == 10


def test_only_so_many_crowds_are_remembered() -> None:
    crowds = Crowds()
    for number in range(3000):
        crowds.admit(replace(WORKFLOW, uid=f"wf-{number}"), failed(1), 0.0)
    assert len(crowds._crowds) == 2000


def test_what_is_held_back_of_one_workflow_outlasts_thousands_of_others() -> None:
    crowds = Crowds()
    admitted(crowds, map(failed, range(12)))
    for number in range(3000):
        crowds.admit(replace(WORKFLOW, uid=f"uid-{number}"), wave(1), 1.0)
    assert admitted(crowds, [failed(12)], 2.0) == 0
    assert said(crowds.due(10.0)) == ["3 more (n10, n11 and n12); the last: n12: exit code 1"]
