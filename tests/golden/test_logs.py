"""logs/<story>.md: the log of each story, word for word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.stories import STORIES
from tests.unit.report.reading import complaints
from tidegate.report.markdown import render

LOGS = Path(__file__).parent / "logs"


@pytest.mark.parametrize("story", STORIES)
def test_logs(story: str, golden: Callable[[Path, str], None]) -> None:
    log = render(STORIES[story]())
    assert complaints(log) == []
    golden(LOGS / f"{story}.md", log)


def test_every_golden_log_has_its_story() -> None:
    assert {path.stem for path in LOGS.glob("*.md")} == set(STORIES)
