"""Where a log says to look: at what this run ran, and at its last attempts."""

from tests.golden.stories import STUBBORN, Story
from tests.unit.engine.builders import node, spec
from tidegate.report.markdown import render
from tidegate.report.model import Report, Tail


def commands(report: Report) -> list[str]:
    return render(report).partition("## Look deeper")[2].splitlines()


def test_the_last_lines_are_those_of_the_last_attempt_by_number() -> None:
    story = Story(spec(node("a", retry=STUBBORN | {"limit": 11})))
    while story.running:
        story.fails("a")
        story.advance(600)
    assert story.node("a").attempt == 12
    numbers = sorted(range(1, 13), key=str)
    (told,) = [
        line
        for line in commands(story.told({f"1.a.{n}": Tail("x") for n in numbers}))
        if "kubectl get cm" in line
    ]
    assert r"{.data.1\.a\.12\.txt}" in told


def test_what_a_node_wrote_that_was_kept_stands_in_its_own_run() -> None:
    story = Story(spec(node("a"), node("ok", "a", checkpoint={"message": "Go?"})))
    story.succeeds("a")
    story.vote(ok="rejected by bob")
    story.ask(rerun="failed@2")
    assert story.status.run == 2
    (told,) = [line for line in commands(story.told()) if "kubectl logs" in line]
    assert "tidegate.dev/node=a,tidegate.dev/run=1 " in told
