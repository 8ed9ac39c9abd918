import pytest

from tests.unit.engine.builders import at, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.engine.model import NoteKind

AB = spec(node("a"), node("b", "a"))


def ignored(run: Run) -> list[str]:
    return run.told(NoteKind.REQUEST_IGNORED)


def finished() -> Run:
    run = Run(AB)
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    return run


# --- cancel


@pytest.mark.parametrize(
    ("text", "cause"),
    rows({
        "graceful": ("graceful", "CancelGraceful"),
        "now": ("now", "CancelNow"),
        "with anything new behind @": ("graceful@2026-11-22, second try", "CancelGraceful"),
        "with an empty tail": ("now@", "CancelNow"),
        "with lines": ("now@a\nb", "CancelNow"),
    }),
)  # fmt: skip
def test_cancel(text: str, cause: str) -> None:
    run = Run(AB)
    run.stops_at_once = False
    run.ask(cancel=text)
    assert run.status.ending is not None
    assert (run.status.ending.cause, run.status.ending.at) == (cause, at(0))
    assert run.status.requests.cancel == text
    assert ignored(run) == []


@pytest.mark.parametrize("text", ["", "Graceful", "graceful ", "later", "now-ish", "true", "😀"])
def test_nonsense_cancels_nothing_and_says_what_would(text: str) -> None:
    run = Run(AB)
    run.ask(cancel=text)
    assert run.status.ending is None
    (words,) = ignored(run)
    assert words.startswith(f'request cancel "{text.strip()}" ignored: it is none of graceful, now')
    assert run.status.requests.cancel == text


def test_a_text_acts_once_also_if_it_is_removed_and_set_again() -> None:
    run = finished()
    run.ask(rerun="all@1")
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    run.ask(rerun="all@1")
    assert (run.status.run, run.status.phase) == (2, "Succeeded")
    run.ask(rerun="all@2")
    assert run.status.run == 3


def test_a_text_that_could_do_nothing_is_consumed() -> None:
    run = finished()
    run.ask(cancel="now")
    run.ask(rerun="all")
    assert run.status.run == 2
    assert run.status.ending is None
    assert ignored(run) == ['request cancel "now" ignored: the Workflow has ended (Succeeded)']


def test_texts_that_stood_there_at_creation_are_consumed() -> None:
    run = Run(
        AB, annotations={"tidegate.dev/cancel": "now", "tidegate.dev/rerun": "all"}, look=False
    )
    run.look()
    assert run.status.ending is None
    assert (run.status.run, run.started) == (1, ["a1"])
    assert ignored(run) == [
        'request cancel "now" ignored: it stood there before the operator saw the Workflow',
        'request rerun "all" ignored: it stood there before the operator saw the Workflow',
    ]
    run.look()
    assert len(ignored(run)) == 2


def test_a_cancel_is_recorded_before_it_acts() -> None:
    run = Run(AB)
    run.pod_runs("a")
    run.fact = run.fact.__class__(
        **{f: getattr(run.fact, f) for f in run.fact.__slots__}
        | {"annotations": {"tidegate.dev/cancel": "now"}}
    )
    planned = run.plan()
    assert planned.decides
    assert planned.ends == ()


@pytest.mark.parametrize("text", ["graceful", "now"])
def test_a_cancel_before_the_first_run_ends_the_workflow_without_one(text: str) -> None:
    run = Run(spec(node("a"), suspend=True))
    run.ask(cancel=text)
    assert run.result == ("Cancelled", "CancelRequested")
    assert (run.status.run, run.status.finished_at) == (0, at(0))
    run.edit(suspend=False)
    assert run.result == ("Cancelled", "CancelRequested")
    assert run.started == []
    run.ask(rerun="all")
    assert (run.status.run, run.started) == (1, ["a1"])


def test_a_second_cancel_of_the_same_strength_is_told_to_be_needless() -> None:
    run = Run(AB)
    run.stops_at_once = False
    run.ask(cancel="graceful@1")
    run.ask(cancel="graceful@2")
    assert ignored(run) == [
        'request cancel "graceful@2" ignored: the run is being cancelled already'
    ]


def test_a_cancel_while_suspended_acts() -> None:
    run = Run(AB)
    run.pod_runs("a")
    run.edit(suspend=True)
    run.ask(cancel="graceful")
    assert run.result == ("Cancelled", "CancelRequested")


# --- rerun


@pytest.mark.parametrize("text", ["", "again", "from=", "from=A", "failed now", "from=b,a", "ALL"])
def test_nonsense_reruns_nothing_and_says_what_would(text: str) -> None:
    run = finished()
    run.ask(rerun=text)
    assert run.status.run == 1
    (words,) = ignored(run)
    assert "it is none of failed, from=<node>, all" in words


@pytest.mark.parametrize(
    ("text", "words"),
    rows({
        "of a node that doesn't exist": ("from=x", "there is no node x"),
        "of nothing that failed": (
            "failed", "NothingToRerun: every node has succeeded as it is defined now"),
    }),
)  # fmt: skip
def test_a_rerun_is_refused(text: str, words: str) -> None:
    run = finished()
    run.ask(rerun=text)
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert ignored(run) == [f'request rerun "{text}" ignored: {words}']


def test_a_rerun_of_a_running_workflow_is_refused_and_consumed() -> None:
    run = Run(AB)
    run.ask(rerun="all")
    assert ignored(run) == [
        'request rerun "all" ignored: a run is on; cancel it (tidegate.dev/cancel) or wait'
    ]
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    assert run.status.run == 1


def test_a_rerun_before_the_first_run_is_refused() -> None:
    run = Run(spec(node("a"), suspend=True))
    run.ask(rerun="all")
    assert ignored(run) == ['request rerun "all" ignored: no run has begun yet']


def test_very_long_texts_are_remembered_by_their_beginning() -> None:
    run = finished()
    run.ask(rerun="all@" + "x" * 9000)
    assert run.status.run == 2
    assert len(str(run.status.requests.rerun)) == 256
    assert max(len(words) for words in [*ignored(run), ""]) < 1024


def test_shown_texts_are_short_and_harmless() -> None:
    run = Run(AB)
    run.ask(cancel="\x1b[31m" + "y" * 500 + "\n| table |")
    (words,) = ignored(run)
    assert words.isprintable()
    assert len(words) < 200
