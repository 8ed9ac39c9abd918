"""Lines of the timeline, word for word."""

from tests.golden.stories import STORIES, Story
from tests.unit.engine.builders import node, spec
from tidegate.report.markdown import render


def test_a_skipped_node_tells_which_condition_was_false() -> None:
    log = render(STORIES["without-an-attempt"]())
    assert "c skipped, when is false: nodes.a.exitCode > 0\n" in log


def test_nodes_that_the_same_condition_skips_are_told_together() -> None:
    nodes = [node(name, "a", when="nodes.a.exitCode > 0") for name in ("b", "c")]
    story = Story(spec(node("a"), *nodes))
    story.succeeds("a")
    assert "b, c skipped, when is false: nodes.a.exitCode > 0\n" in render(story.told())


def test_a_long_condition_is_cut() -> None:
    when = f'nodes.a.exitCode > 0 || "{"x" * 400}" == ""'
    story = Story(spec(node("a"), node("b", "a", when=when)))
    story.succeeds("a")
    (line,) = [text for text in render(story.told()).splitlines() if "b skipped" in text]
    assert len(line) < 200


def test_handlers_follow_the_outcome_only_where_one_is_called_for() -> None:
    assert "now the handlers" not in render(STORIES["succeeded"]())
    assert "now the handlers" in render(STORIES["handlers"]())


def test_handlers_that_a_cancel_now_skips_do_not_follow() -> None:
    story = Story(spec(node("a"), standbys="clean", onExit=["clean"]))
    story.ask(cancel="now")
    log = render(story.told())
    assert "clean skipped (RunEnded)" in log
    assert "now the handlers" not in log


def test_with_continue_a_failure_does_not_end_the_run() -> None:
    log = render(STORIES["independent-failures"]())
    assert "stock has failed: what doesn't need it goes on\n" in log
    assert "the run is ending" not in log


def test_a_tolerated_failure_is_told_as_one() -> None:
    log = render(STORIES["handlers"]())
    assert "b: attempt 1 failed finally, exit code 3 (tolerated) after 2 s\n" in log
