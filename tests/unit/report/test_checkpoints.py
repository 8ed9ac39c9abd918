"""What the log tells of checkpoints that the clock has decided."""

from typing import Any

import pytest

from tests.golden.stories import Story
from tests.unit.engine.builders import node, rows, spec
from tidegate.report.markdown import render


@pytest.mark.parametrize(
    ("votes", "need", "words"),
    rows(
        {
            "nobody": ([], 1, "as nobody had decided"),
            "nobody of several": ([], 2, "as nobody had decided"),
            "too few": (["approved by alice"], 2, "as only 1 of 2 had approved"),
            "the same user again": (
                ["approved by alice\nrows: 1", "approved by alice\nrows: 2"],
                2,
                "as only 1 of 2 had approved",
            ),
            "enough who don't agree": (
                ["approved by alice\nrows: 1", "approved by bob\nrows: 2"],
                2,
                "as the 2 who had approved didn't agree",
            ),
        }
    ),
)
def test_why_the_clock_rejected(votes: list[str], need: int, words: str) -> None:
    asks: dict[str, Any] = {"message": "Go?", "timeout": "1h", "minApprovals": need}
    if any("rows" in vote for vote in votes):
        asks["inputs"] = [{"name": "rows", "default": "0"}]
    story = Story(spec(node("ok", checkpoint=asks)))
    for number, text in enumerate(votes, 1):
        story.vote({f"ok.{number}": text})
    story.advance(4000)
    assert f"**ok** was rejected by the clock, {words}, 13:00:00" in render(story.told())
