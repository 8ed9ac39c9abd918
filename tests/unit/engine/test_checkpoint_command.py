"""What an open checkpoint tells people, and the command with which they answer."""

import re
from typing import Any

import pytest

from tests.unit.engine.builders import node, rows, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import asks, gate, opened
from tidegate.engine.model import NoteKind
from tidegate.engine.notes import shortened


def test_the_command_can_be_pasted() -> None:
    run = asks()
    code = run.node("ok").code
    command = (
        'kubectl annotate --overwrite -n data twf flow "checkpoint.tidegate.dev/ok=approved@'
        f"{code} by $(kubectl auth whoami -o jsonpath='{{.status.userInfo.username}}')\""
    )
    assert (run.node("ok").message or "").endswith(
        f"; rejected@{code} rejects; answer with: {command}"
    )
    assert (run.status.message or "").endswith(f"; answer with: {command}")
    (condition,) = [c for c in run.status.conditions if c.type == "WaitingForApproval"]
    assert (condition.status, condition.reason) == ("True", "CheckpointOpen")
    assert condition.message.endswith(command)


def test_the_whole_question_is_shown_that_a_spec_can_ask() -> None:
    run = asks(message="why not? " * 110 + "And drop the old tables?")
    assert "And drop the old tables?" in (run.node("ok").message or "")


@pytest.mark.parametrize(
    "fields",
    rows(
        {
            "question": ({"message": "why not? " * 110},),
            "inputs": ({"inputs": [{"name": f"{'n' * 60}-{n}"} for n in range(16)]},),
        }
    ),
)
def test_an_event_has_the_command_whole_or_says_where_it_stands(fields: Any) -> None:
    run = asks(**fields)
    (whole,) = run.told(NoteKind.CHECKPOINT_WAITING)
    assert whole == run.node("ok").message
    told = shortened(whole, 1024)
    assert len(told) <= 1024
    assert told.startswith("waiting for approval of ok: ")
    assert told.endswith("; the command that answers stands in condition WaitingForApproval")


def test_the_command_takes_a_key_under_which_nothing_stands_that_counts_or_may_count() -> None:
    run = Run(spec(gate(minApprovals=3)), look=False)
    run.vote({"ok.1": "of the last run"}, ok="of the last run")
    for voter, key in (("alice", "ok.1"), ("bob", "ok.2"), ("carol", "ok.3")):
        assert f"checkpoint.tidegate.dev/{key}=approved@" in (run.node("ok").message or "")
        run.vote({key: f"approve by {voter}"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_a_gate_can_be_answered_by_its_command_in_ever_so_many_runs() -> None:
    run = Run(spec(gate(), node("b", "ok")))
    for number in range(1, 46):
        assert opened(run)
        (key,) = re.findall(r"checkpoint\.tidegate\.dev/(\S+)=", run.node("ok").message or "")
        run.vote({key: f"approve@{run.node('ok').code} by alice"})
        run.pod_succeeds("b")
        run.ask(rerun=f"all@{number}")
    assert len(run.fact.annotations) == 2


def test_several_voters_get_a_tag_each() -> None:
    run = asks(minApprovals=2)
    assert "checkpoint.tidegate.dev/ok.1=approved@" in (run.node("ok").message or "")
    run.vote({"ok.1": "approved by alice"})
    assert "checkpoint.tidegate.dev/ok.2=approved@" in (run.node("ok").message or "")


def test_the_condition_is_false_once_nobody_is_asked_and_absent_where_nobody_ever_was() -> None:
    run = asks()
    run.vote(ok="approved by alice")
    assert [c.status for c in run.status.conditions if c.type == "WaitingForApproval"] == ["False"]
    plain = Run(spec(node("a")))
    assert [c for c in plain.status.conditions if c.type == "WaitingForApproval"] == []


LONG = "why not? " * 100


def asked(run: Run) -> str:
    (found,) = [c for c in run.status.conditions if c.type == "WaitingForApproval"]
    return found.message


def test_several_questions_stand_in_the_condition_whole() -> None:
    run = Run(spec(gate("one", message=LONG), gate("two", message=LONG)))
    messages = [run.node(name).message or "" for name in ("one", "two")]
    assert asked(run) == "; ".join(messages)


def test_more_questions_than_the_condition_has_room_for_are_named_with_where_they_stand() -> None:
    run = Run(spec(*(gate(name, message=LONG) for name in ("a", "b", "c", "d"))))
    assert asked(run) == (
        "waiting for approval of a, b, c, d; there is no room here for all they ask: each "
        "question, and the command that answers it, stands in the message of its node, as in: "
        "kubectl get -n data twf flow -o jsonpath={.status.nodes.a.message}"
    )
    many = Run(spec(*(gate(f"gate-{'x' * 30}-{number}") for number in range(200))))
    assert len(asked(many)) <= 4096
    assert asked(many).endswith(".message}")


def test_however_much_a_checkpoint_has_to_say_its_command_is_whole() -> None:
    inputs = [{"name": f"{'n' * 60}-{number:02}"} for number in range(16)]
    run = asks(message="why not? " * 110, inputs=inputs, choices=[f"{'c' * 39}{x}" for x in "abcd"])
    lines = "\n".join(f"{'x' * 40}-{number}: 1" for number in range(20))
    run.vote(ok=f"approve by alice\n{lines}")
    message = run.node("ok").message or ""
    assert len(message) <= 4096
    _, _, command = message.rpartition("; answer with: ")
    assert command.startswith("kubectl annotate --overwrite ")
    assert command.endswith(f"{'n' * 60}-15: <value>'")
