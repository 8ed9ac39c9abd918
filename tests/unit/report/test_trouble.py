"""In which order failures are told, and that the commands look at the same node first."""

import re
from collections.abc import Callable

import pytest

from tests.golden.stories import STORIES, Story, late_with_tolerated_failures
from tests.unit.engine.builders import node, rows, spec
from tidegate.report.markdown import render
from tidegate.report.model import Report


def told(log: str) -> list[str]:
    """The nodes of the section on trouble, in its order."""
    section = re.split(r"^## ", log, flags=re.MULTILINE)[1]
    return re.findall(r"^(?:- )?\*\*([a-z0-9-]+)\*\*", section, re.MULTILINE)


def looked_at(log: str) -> set[str]:
    """The nodes that the commands at the end are for."""
    commands = log.partition("## Look deeper")[2]
    return set(re.findall(r"tidegate\.dev/node=([a-z0-9-]+)", commands))


def failed_before_its_deadline() -> Report:
    """The wave isn't finished in time, and the pager fails at that."""
    nodes = (node("a"), node("b", allowFailure=True), node("c"))
    story = Story(spec(*nodes, standbys="page", onError=["page"], timeout="1h"))
    story.fails("b")
    story.fails("c")
    story.pod_runs("a")
    story.advance(4000)
    story.fails("page")
    return story.told()


def later_of_two() -> Report:
    """The cause is found first, although another node had ended before it."""
    nodes = (node("z"), node("y"), node("x", allowFailure=True))
    story = Story(spec(*nodes, failurePolicy="Continue"))
    story.fails("z", "x")
    story.fails("y")
    return story.told()


@pytest.mark.parametrize(
    ("story", "order"),
    rows(
        {
            "a handler that spoils a success comes before what is tolerated": (
                STORIES["handlers"],
                ["clean", "b"],
            ),
            "what the run's timeout cut short comes before what is tolerated": (
                STORIES["late-with-tolerated-failures"],
                ["load", "probe-0", "probe-1"],
            ),
            "what was ended because of a failure comes after all that failed": (
                STORIES["fail-fast"],
                ["north", "page", "east", "south"],
            ),
            "a failure comes before a timeout that came later, a handler's after it": (
                failed_before_its_deadline,
                ["c", "a", "page", "b"],
            ),
            "the cause comes first, then the others as they ended": (
                later_of_two,
                ["z", "y", "x"],
            ),
        }
    ),
)
def test_the_cause_comes_first_and_the_commands_look_at_it(
    story: Callable[[], Report], order: list[str]
) -> None:
    log = render(story())
    assert told(log) == order
    assert looked_at(log) == {order[0]}


def test_what_was_cut_short_shows_what_it_wrote_however_much_is_tolerated() -> None:
    log = render(late_with_tolerated_failures(22))
    assert told(log) == ["load", *(f"probe-{i}" for i in range(22))]
    assert "12 of 80 files" in log
    assert "- **probe-21** Failed (ExitCode, tolerated)\n" in log
