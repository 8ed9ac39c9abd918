"""A checkpoint remembers so many votes: what becomes of further ones, and of who may vote."""

from tests.unit.engine.builders import spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import IGNORED, asks, gate, opened
from tidegate.engine.model import NoteKind


def test_ever_new_texts_are_remembered_within_bounds() -> None:
    run = asks()
    for number in range(150):
        run.vote(ok=f"nonsense {number}", b=f"nonsense {number}")
    assert len(run.node("ok").seen) <= 64
    assert len(run.status.ignored) <= 64
    assert len(run.told(IGNORED)) >= 44
    run.vote(ok="rejected by bob")
    assert run.reason("ok") == ("Failed", "Rejected")


def test_there_is_always_room_for_a_rejection() -> None:
    run = asks(minApprovals=20, choices=["one"])
    for number in range(22):
        run.vote({f"ok.{number}": f"{'one' if number % 2 else 'approve'} by user-{number}"})
    assert len(run.node("ok").votes) == 20
    assert "comes after those of 20 others; only a rejection counts besides" in run.told(IGNORED)[0]
    run.vote({"ok.no": "rejected by bob"})
    assert run.reason("ok") == ("Failed", "Rejected")
    assert run.node("ok").votes[-1].by == "bob"


def test_only_approvals_that_agree_are_counted_towards_the_number() -> None:
    run = asks(minApprovals=2, inputs=[{"name": "n"}])
    run.vote({f"ok.{n}": f"approve by user-{n}\nn: {n}" for n in range(20)})
    message = run.node("ok").message or ""
    assert "; 1 of 2 approvals (user-0, user-1, user-10 and 17 more (not verified)); " in message
    assert "; they differ in n and must agree; full: 20 users have voted, and no other" in message
    run.vote({"ok.3": "approve by user-3\nn: 4"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_one_changed_mind_leaves_all_twenty_their_votes() -> None:
    run = asks(minApprovals=20, choices=["go"])
    run.vote({"ok.0": "go by user-0"})
    for number in range(20):
        run.vote({f"ok.{number}": f"approve by user-{number}"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_where_no_more_texts_can_be_remembered_it_says_that_some_must_go() -> None:
    run = asks(minApprovals=2, choices=["go"])
    for number in range(64):
        run.vote({f"ok.{number}": f"{('go', 'approve')[number % 2]} by alice"})
    assert len(run.node("ok").seen) == 64
    run.vote({"ok.b": "approve by bob"})
    assert opened(run)
    assert "full: no further approval is taken until some of these are removed" in (
        run.node("ok").message or ""
    )
    run.unvote("ok.0")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_so_many_standing_votes_that_they_cannot_be_remembered_keep_it_closed() -> None:
    run = Run(spec(gate()), look=False)
    run.vote({f"ok.{n}": "approved by alice" for n in range(41)}, look=False)
    run.look()
    assert run.reason("ok") == ("Waiting", "TooManyVotes")
    assert "41 votes on it stand there already" in (run.node("ok").message or "")
    assert len(run.node("ok").seen) == 41
    tails = ",".join(sorted(f".{n}" for n in range(41)))
    command = f"kubectl annotate -n data twf flow checkpoint.tidegate.dev/ok{{{tails}}}-"
    assert (run.node("ok").message or "").endswith(f"; to remove them: {command}")
    assert command in run.told(NoteKind.CHECKPOINT_WAITING)[0]
    run.unvote("ok.0")
    assert opened(run)


def test_back_and_forth_takes_room_from_nobody() -> None:
    run = asks(minApprovals=2, choices=["canary", "full"])
    for choice in ["canary", "full"] * 40:
        run.vote({"ok.1": f"{choice} by alice"})
    assert len(run.node("ok").votes) == 40
    assert run.told(IGNORED) == []
    run.vote({"ok.2": "full by bob"})
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert len(run.node("ok").votes) == 40
