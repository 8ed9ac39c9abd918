"""What the demo says about a run."""

import io
from typing import Any

import pytest

from tests.demo import show, story


def at(second: float) -> str:
    return f"2026-11-22T02:00:{second:06.3f}Z"


def failure(attempt: int, **more: Any) -> dict[str, Any]:
    return {"attempt": attempt, "reason": "ExitCode", "exitCode": 1} | more


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"phase": "Pending"}, []),
        ({"phase": "Running", "attempt": 1}, ["… attempt 1"]),
        (
            {"phase": "Running", "attempt": 2, "failures": [failure(1)]},
            ["✗ attempt 1: exit code 1", "… attempt 2"],
        ),
        (
            {
                "phase": "Retrying",
                "failures": [failure(1, finishedAt=at(1))],
                "retryAt": at(2.4),
            },
            ["✗ attempt 1: exit code 1", "↻ retry in 1.4 s"],
        ),
        (
            {"phase": "Running", "attempt": 2, "standby": "cached"},
            ["… cached runs in its place"],
        ),
        (
            {"phase": "Succeeded", "attempt": 1, "startedAt": at(1), "finishedAt": at(3)},
            ["✓ (2 s)"],
        ),
        ({"phase": "Succeeded", "attempt": 1, "startedAt": at(1), "finishedAt": at(1)}, ["✓"]),
        (
            {
                "phase": "Succeeded",
                "attempt": 2,
                "failures": [failure(1, reason="Timeout", exitCode=None)],
                "startedAt": at(1),
                "finishedAt": at(13),
            },
            ["✗ attempt 1: Timeout", "✓ attempt 2 (12 s)"],
        ),
        (
            {"phase": "Succeeded", "servedBy": "cached", "failures": [failure(1)]},
            ["✗ attempt 1: exit code 1", "✓ cached, in its place"],
        ),
        (
            {"phase": "Failed", "failures": [failure(1), failure(2, standby="cached")]},
            ["✗ attempt 1: exit code 1", "✗ cached: exit code 1"],
        ),
        ({"phase": "Skipped", "reason": "RunEnded"}, ["- skipped: RunEnded"]),
        (
            {
                "phase": "Waiting",
                "message": 'waiting for approval: "Publish \\"it\\"?" until Monday',
            },
            ['⏸ waiting: Publish \\"it\\"?'],
        ),
        (
            {
                "phase": "Succeeded",
                "votes": [
                    {"decision": "approved", "by": "alice", "comment": "demo"},
                    {"decision": "approved"},
                ],
            },
            ["✓ approved by alice: demo, approved by somebody"],
        ),
    ],
)
def test_parts(node: dict[str, Any], said: list[str]) -> None:
    assert story.parts(node) == said


RUN: dict[str, Any] = {
    "phase": "Running",
    "nodes": {
        "publish": {"phase": "Pending", "wave": 3},
        "check": {"phase": "Running", "wave": 2, "attempt": 1},
        "extract": {"phase": "Succeeded", "wave": 1},
        "clean-up": {"phase": "Running", "attempt": 1},
    },
}


def test_lines_go_by_wave_and_handlers_come_last() -> None:
    assert list(story.lines(RUN)) == ["extract", "check", "clean-up"]
    assert list(story.settled(RUN)) == ["extract"]


def test_without_a_terminal_each_line_comes_once() -> None:
    out = io.StringIO()
    screen = show.Screen(out)
    for _ in range(3):
        screen.show(RUN)
    assert out.getvalue().split() == ["wave", "1", "extract", "✓"]


def test_a_question_and_its_answer_stay_on_the_screen() -> None:
    out = io.StringIO()
    screen = show.Screen(out)
    waiting: dict[str, Any] = {
        "phase": "Waiting",
        "wave": 3,
        "code": "k7f3q",
        "message": 'ask: "Go?"',
    }
    status = {"nodes": {"approve": waiting}}
    assert story.questions(status) == {"approve": "k7f3q"}
    screen.show(status)
    screen.say("approve", "$ kubectl annotate")
    votes = [{"decision": "approved", "by": "alice"}]
    screen.show({"nodes": {"approve": {"phase": "Succeeded", "wave": 3, "votes": votes}}})
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert lines == [
        "wave 3     approve        ⏸ waiting: Go?",
        "$ kubectl annotate",
        "wave 3     approve        ✓ approved by alice",
    ]


def test_closing() -> None:
    status = {
        "phase": "Failed",
        "message": "b: exit code 2",
        "startedAt": at(0),
        "finishedAt": at(21),
    }
    assert story.closing(status) == "  ✗ Failed in 21 s: b: exit code 2"


def test_documents_are_told_apart() -> None:
    text = '{\n    "a": {\n    }\n}\n{\n    "b": 1\n}\n{\n  "cut'
    assert list(show.documents(io.StringIO(text))) == [{"a": {}}, {"b": 1}]


def test_a_log_is_shown_indented_without_trailing_spaces() -> None:
    assert story.indented("# a\n\ntext\n") == "    # a\n\n    text"
    assert story.indented("") == "    (not written yet)"
