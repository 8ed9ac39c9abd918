"""logs/<story>.md: the log of each story, word for word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.stories import STORIES, Story
from tests.unit.engine.builders import node, spec
from tests.unit.report.reading import complaints
from tidegate.facts.model import AnswerKind
from tidegate.report.markdown import render

LOGS = Path(__file__).parent / "logs"


@pytest.mark.parametrize("story", STORIES)
def test_logs(story: str, golden: Callable[[Path, str], None]) -> None:
    log = render(STORIES[story]())
    assert complaints(log) == []
    golden(LOGS / f"{story}.md", log)


def test_the_log_of_a_workflow_that_is_gone_asks_nothing_of_it() -> None:
    log = render(STORIES["deleted-in-mid-run"]())
    assert " twf " not in log
    assert "annotate" not in log


def test_every_golden_log_has_its_story() -> None:
    assert {path.stem for path in LOGS.glob("*.md")} == set(STORIES)


def test_no_status_message_and_no_event_holds_what_a_terminal_obeys_or_hides() -> None:
    nasty = "\x1b]8;;http://e.example\x1b\\x\x1b[31m \u202e\u200b\u2028\x00\x07\r\n\t y"
    given = spec(
        node("a"),
        node("ok", checkpoint={"message": f"Go {nasty}?", "choices": ["maybe"]}),
        node("b", "a", allowFailure=True),
        node("c", "a", allowFailure=True),
        execution="Eager",
    )
    story = Story(given)
    story.ask(rerun=nasty, cancel=f"later{nasty}")
    story.answer("b", AnswerKind.QUOTA, f"exceeded quota: {nasty}")
    story.succeeds("a")
    story.tell("c", refusal=f"violates PodSecurity: {nasty}")
    story.answer("b", AnswerKind.REFUSED, nasty)
    story.advance(10)
    story.vote({"ok.2": nasty}, ok=f"perhaps by {nasty}")
    story.vote(ok=f"approved by bob\u202e\u200b: so \u2028 be it {nasty}")
    said = [note.message for note in story.notes]
    for status in story.records:
        said += [status.message or "", *(c.message for c in status.conditions)]
        said += [f.message for n in status.nodes.values() for f in n.failures]
        said += [n.message or "" for n in status.nodes.values()]
    assert len(set(said)) > 10
    assert [text for text in said if not text.isprintable()] == []
