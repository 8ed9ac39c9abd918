"""What people read, word for word, in typical situations."""

from collections.abc import Callable

import pytest

from tests.unit.engine.builders import PATIENT, at, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.engine.messages import clip, clock, names
from tidegate.facts.model import AnswerKind

Story = Callable[[], Run]
CHAIN = (node("extract"), node("train", "extract"), node("eval", "train"))


def runs() -> Run:
    return Run(spec(*CHAIN))


def runs_three() -> Run:
    return Run(spec(*(node(name) for name in "abc"), node("d", "a")))


def runs_many() -> Run:
    return Run(spec(*(node(f"n{i}") for i in range(9))))


def no_room() -> Run:
    return Run(spec(node("a"), node("b"), node("c"), parallelism=1))


def retries() -> Run:
    run = Run(spec(node("a", retry=PATIENT | {"limit": 5})))
    run.pod_fails("a", exit_code=75)
    return run


def retries_memory() -> Run:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_fails("a", exit_code=137, reason="OOMKilled")
    return run


def second_attempt() -> Run:
    run = retries()
    run.advance(10)
    return run


def evicted() -> Run:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_is_evicted("a")
    return run


def quota() -> Run:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.QUOTA, 'jobs.batch "x" is forbidden: exceeded quota: t')
    run.look()
    return run


def busy_server() -> Run:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.UNAVAILABLE, "busy")
    run.look()
    return run


def fallback_runs() -> Run:
    run = Run(spec(node("a", fallback="s"), standbys="s"))
    run.pod_fails("a", exit_code=3)
    return run


def ending() -> Run:
    run = Run(spec(node("a"), node("b")))
    run.pod_fails("a")
    return run


def ending_by_timeout() -> Run:
    run = Run(spec(node("a"), timeout="1m"))
    run.stops_at_once = False
    run.pod_runs("a")
    run.advance(60)
    return run


def being_cancelled() -> Run:
    run = Run(spec(node("a")))
    run.stops_at_once = False
    run.ask(cancel="graceful")
    return run


def left_over() -> Run:
    run = Run(spec(node("a", retry=PATIENT)))
    run.stops_at_once = False
    former = run.latest("a")
    run.vanishes("a")
    run.advance(10)
    run.pod_succeeds("a", look=False)
    run.job_appears(run.workflow, former)
    run.look()
    return run


def handlers() -> Run:
    run = Run(spec(node("a"), standbys="page", onError=["page"]))
    run.pod_fails("a")
    return run


def failed() -> Run:
    run = Run(spec(node("a", retry=PATIENT, fallback="s"), node("b", "a"), standbys="s"))
    for code in (1, 1, 137, 4):
        run.pod_fails("a", exit_code=code, reason="OOMKilled" if code == 137 else "Error")
        run.advance(60)
    return run


def two_failed() -> Run:
    run = Run(spec(node("a"), node("b")))
    run.pod_fails("b", exit_code=9)
    run.advance(1)
    run.vanishes("a")
    return run


def timed_out() -> Run:
    run = Run(spec(node("a"), node("b"), timeout="1m"))
    run.pod_runs("a")
    run.pod_succeeds("b")
    run.advance(60)
    return run


def refused() -> Run:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.INVALID, 'strict decoding error: unknown field "spec.imagee"')
    run.look()
    return run


def tolerated() -> Run:
    run = Run(spec(node("a", allowFailure=True), node("b")))
    run.pod_fails("a")
    run.pod_succeeds("b")
    return run


def succeeded() -> Run:
    run = Run(spec(node("a"), node("b")))
    run.pod_succeeds("a", "b")
    return run


def cancelled() -> Run:
    run = Run(spec(node("a")))
    run.ask(cancel="now")
    return run


def suspended() -> Run:
    return Run(spec(node("a"), suspend=True))


def suspended_on_its_way() -> Run:
    run = runs()
    run.edit(suspend=True)
    return run


TEXTS: dict[str, tuple[Story, str]] = {
    "one runs": (runs, "wave 1 of 3: extract is running"),
    "three run": (runs_three, "wave 1 of 2: a, b and c are running"),
    "many run": (runs_many, "n0, n1, n2 and 6 more are running"),
    "parallelism is used up": (
        no_room, "a is running; others wait for room (1 of 1 attempts run: parallelism)"),
    "a retry is waited for": (
        retries, "a: retry 1 of 5 in 10 s after exit code 75"),
    "a retry after running out of memory": (
        retries_memory,
        "a: retry 1 of 2 in 10 s after exit code 137 (OOMKilled)"),
    "a second attempt runs": (second_attempt, "a (attempt 2 of 6) is running"),
    "an eviction": (
        evicted,
        "a: Disrupted: eviction by the API; tried again in 10 s, not counted"),
    "a quota": (
        quota,
        "a: quota: exceeded quota: t; waiting, not counted as an attempt"),
    "a busy API server": (
        busy_server,
        "a: the API server didn't take the Job (busy); tried again, not counted"),
    "a fallback runs": (fallback_runs, "a (by its fallback s) is running"),
    "a run that is ending": (
        ending, "a: exit code 1; the run is ending; b is running"),
    "a run past its timeout": (
        ending_by_timeout,
        "the run's timeout of 1 min is over, the run is being ended; a is being stopped"),
    "a run that is being cancelled": (
        being_cancelled, "the run is being cancelled; a is being stopped"),
    "a pod that is left of a node that has ended": (
        left_over,
        "every node has ended, what is left of their pods is being stopped"),
    "handlers": (handlers, "a: exit code 1; handler page runs, then the run ends as Failed"),
    "a failure with its fallback's": (
        failed,
        "a: exit code 137 (OOMKilled) after 3 attempts; fallback s: exit code 4"),
    "two failures": (
        two_failed, "b: exit code 9; a: Lost: its Job or pod was deleted by somebody"),
    "a deadline": (timed_out, "the run's timeout of 1 min is over: a was ended"),
    "a template that the server refuses": (
        refused,
        'a: InvalidPodTemplate: strict decoding error: unknown field "spec.imagee"'),
    "a tolerated failure": (
        tolerated, "2/2 nodes ended well; tolerated: a failed (allowFailure)"),
    "a success": (succeeded, "all 2 nodes succeeded"),
    "a cancel": (cancelled, "cancelled on request (now): a was ended"),
    "created suspended": (
        suspended, "created suspended; the first run begins once spec.suspend is false"),
    "suspended on its way": (
        suspended_on_its_way,
        (
            "wave 1 of 3: suspended (spec.suspend): no node starts, none that cleans up either; "
            "extract is running"
        )),
}  # fmt: skip


@pytest.mark.parametrize(("story", "words"), rows(TEXTS))
def test_the_message_of_a_workflow(story: Story, words: str) -> None:
    message = str(story().status.message)
    assert message == words


@pytest.mark.parametrize(("story", "words"), rows(TEXTS))
def test_every_message_is_one_harmless_line(story: Story, words: str) -> None:
    run = story()
    texts = [run.status.message, *(n.message for n in run.status.nodes.values())]
    for text in texts:
        assert text is None or (text.isprintable() and len(text) <= 4096)


@pytest.mark.parametrize(
    ("given", "expected"),
    rows({
        "one": (["a"], "a"),
        "two": (["a", "b"], "a and b"),
        "three": (["a", "b", "c"], "a, b and c"),
        "more": (list("abcde"), "a, b, c and 2 more"),
        "none": ([], ""),
    }),
)  # fmt: skip
def test_names_for_a_sentence(given: list[str], expected: str) -> None:
    assert names(given) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    rows({
        "short texts stay": ("exit code 1", "exit code 1"),
        "lines become one": ("a\n  b\r\n\tc", "a b c"),
        "colours go": ("\x1b[31mred\x1b[0m", "red"),
        "bidi tricks go": ("a\u202eb", "ab"),
        "long texts are cut visibly": ("x" * 30, "x" * 19 + "…"),
    }),
)  # fmt: skip
def test_clip(text: str, expected: str) -> None:
    assert clip(text, 20) == expected


def test_a_time_of_day_is_utc() -> None:
    assert clock(at(3661)) == "13:01:01 UTC"
