"""Who may vote, on a real API server: who by what by what is said to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.kit import stage as s
from tests.kit.client import Object
from tests.kit.cluster import Cluster
from tests.kit.space import Space
from tests.kit.stage import Row, Stage

pytestmark = pytest.mark.integration

POLICY = "tidegate-votes"
NO_VERB = "that takes the verb approve on workflows.tidegate.dev"
OTHERS_NAME = "in the name of somebody else: the vote must read <decision> by "
UNREADABLE = "can not be read: expected <decision> by <user>"
CLOSED = "is open, so the vote of"
NOT_JUDGED = "which somebody else cast and the operator has not judged yet"
NOT_NEW = "this very text stood there before, and the operator has not seen yet"
NOT_LISTED = "is not among the approvers of listed"


@pytest.fixture(scope="module")
def stage(alone: Cluster) -> Iterator[Stage]:
    space = Space.make(alone, "policies-votes")
    made = Stage.set(space)
    name = made.workflow()
    s.until_denied(lambda: s.vote("gate", "x")(made.client(s.WENDY), space.name, name))
    s.until_granted(lambda: s.vote("gate", "approved by bob")(made.client(s.BOB), space.name, name))
    yield made
    space.discard()


def cast(text: str, key: str = "gate", node: str = "gate") -> Object:
    """A vote that status holds as counted."""
    word, _, name = text.partition(" by ")
    vote = {"key": key, "decision": word, "by": name, "at": "2026-11-22T10:01:00Z", "text": text}
    return {node: {"votes": [{**vote, "verified": True, "inputs": {}}]}}


def seen(text: str, key: str = "gate") -> Object:
    """A vote that status holds as looked at."""
    digest = hashlib.sha256(f"{key}\0{text}".encode()).hexdigest()[:12]
    return {"gate": {"seen": [f"{digest} {key}={text[:200]}"]}}


def changed_mind(before: str, now: str) -> Object:
    """Two votes under one key; what no longer stands isn't remembered as looked at."""
    return {"gate": cast(before)["gate"] | seen(now)["gate"]}


def standing(text: str, key: str = "gate", nodes: Object | None = None) -> dict[str, object]:
    return {"annotations": {s.VOTE + key: text}, "nodes": nodes or {}}


LONG = "approved by alice: " + "x" * 300

RIGHT = [
    Row("an editor without the verb", s.ED, s.vote("gate", "approved by ed"), NO_VERB),
    Row("a writer without the verb, removing", s.WENDY, s.vote("gate", None), NO_VERB,
        standing("approved by wendy")),
    Row("an editor without the verb, changing", s.ED, s.vote("gate", "approved by ed"), NO_VERB,
        standing("rejected by ed")),
    Row("an approver", s.ALICE, s.vote("gate", "approved by alice")),
    Row("an approver, rejecting with a comment", s.ALICE,
        s.vote("gate", "rejected by alice: no: not today")),
    Row("an approver, a comment that names another", s.ALICE,
        s.vote("gate", "approved by alice: as told by bob: yes")),
    Row("an approver, with a tag", s.ALICE, s.vote("gate.alice", "approved by alice")),
    Row("an approver, with inputs", s.ALICE, s.vote("gate", "approved by alice\nrows: 7")),
    Row("an owner, who may do anything", s.BOSS, s.vote("gate", "approved by boss")),
    Row("by JSON patch without the verb", s.ED, s.json_vote("gate", "approved by ed"), NO_VERB,
        standing("", "work")),
    Row("by JSON patch", s.ALICE, s.json_vote("gate", "approved by alice"), "",
        standing("", "work")),
    Row("by server-side apply without the verb", s.ED,
        s.applied({s.VOTE + "gate": "approved by ed"}), NO_VERB),
    Row("by server-side apply", s.ALICE, s.applied({s.VOTE + "gate": "approved by alice"})),
    Row("by server-side apply of the whole manifest", s.BOSS,
        s.applied({s.VOTE + "gate": "approved by boss"}, s.SPEC)),
    Row("by server-side apply of another manifest", s.BOSS,
        s.applied({s.VOTE + "gate": "approved by boss"}, {**s.SPEC, "parallelism": 3}),
        "changes spec and votes"),
    Row("by server-side apply, somebody else's name", s.BOSS,
        s.applied({s.VOTE + "gate": "approved by alice"}), OTHERS_NAME),
    Row("by replace without the verb", s.ED,
        s.replaced(lambda o: o["metadata"]["annotations"].update({s.VOTE + "gate": "x by ed"})),
        NO_VERB, standing("", "work")),
    Row("a replace that forgets a vote, without the verb", s.ED,
        s.replaced(lambda o: o["metadata"]["annotations"].clear()), NO_VERB,
        standing("rejected by alice")),
    Row("a dry run without the verb", s.ED, s.dry(s.vote("gate", "approved by ed")), NO_VERB),
    Row("a dry run, somebody else's name", s.ALICE, s.dry(s.vote("gate", "approved by bob")),
        OTHERS_NAME),
    Row("a dry run of a good vote", s.ALICE, s.dry(s.vote("gate", "approved by alice"))),
    Row("through the status subresource metadata is dropped", s.OPERATOR,
        s.merge({"metadata": {"annotations": {s.VOTE + "gate": "approved by alice"}}}, "status")),
]  # fmt: skip

NAMES = [
    Row("somebody else's name", s.ALICE, s.vote("gate", "approved by bob"), OTHERS_NAME + "alice"),
    Row("a prefix of the own name", s.ALICE, s.vote("gate", "approved by alic"), OTHERS_NAME),
    Row("a suffix to the own name", s.ALICE, s.vote("gate", "approved by alice2"), OTHERS_NAME),
    Row("the own name and a space", s.ALICE, s.vote("gate", "approved by alice "), OTHERS_NAME),
    Row("a space before the own name", s.ALICE, s.vote("gate", "approved by  alice"), OTHERS_NAME),
    Row("a tab after the own name", s.ALICE, s.vote("gate", "approved by alice\t"), OTHERS_NAME),
    Row("the own name in capitals", s.ALICE, s.vote("gate", "approved by ALICE"), OTHERS_NAME),
    Row("one in capitals as the one in small letters", s.SHOUTING,
        s.vote("gate", "approved by alice"), OTHERS_NAME),
    Row("one in capitals", s.SHOUTING, s.vote("gate", "approved by ALICE")),
    Row("a look-alike letter", s.ALICE, s.vote("gate", "approved by \u0430lice"), OTHERS_NAME),
    Row("the own name in the second line", s.ALICE,
        s.vote("gate", "approved by bob\napproved by alice"), OTHERS_NAME),
    Row("nobody in the first line", s.ALICE, s.vote("gate", "approved\n by alice"), UNREADABLE),
    Row("a carriage return after the name", s.ALICE, s.vote("gate", "approved by alice\r\nx: y"),
        OTHERS_NAME),
    Row("a line separator after the name", s.ALICE, s.vote("gate", "approved by alice\u2028bob"),
        OTHERS_NAME),
    Row("another's name, the own as comment", s.ALICE, s.vote("gate", "approved by bob: by alice"),
        OTHERS_NAME),
    Row("a colon without a space", s.ALICE, s.vote("gate", "approved by alice:yes"), OTHERS_NAME),
    Row("no name", s.ALICE, s.vote("gate", "approved"), UNREADABLE),
    Row("an empty name", s.ALICE, s.vote("gate", "approved by "), UNREADABLE),
    Row("a comment in place of a name", s.ALICE, s.vote("gate", "approved: by alice"), UNREADABLE),
    Row("a name with ` by ` in it", s.BY, s.vote("gate", "approved by mallory by alice")),
    Row("the half of a name with ` by ` in it", s.BY, s.vote("gate", "approved by alice"),
        OTHERS_NAME),
    Row("` by ` in the decision", s.ALICE, s.vote("gate", "approved by mallory by alice"),
        OTHERS_NAME),
    Row("a name with a colon and a space in it", s.COLON, s.vote("gate", "approved by corp: alice"),
        "can not be told from a comment, so it can not vote on"),
    Row("the half of a name with a colon in it", s.COLON, s.vote("gate", "approved by corp"),
        "can not be told from a comment"),
    Row("a name that ends with a colon", s.TRAILING, s.vote("gate", "approved by alice:")),
    Row("a name that ends with a colon, and a comment", s.TRAILING,
        s.vote("gate", "approved by alice:: yes")),
    Row("a name that ends with a colon, as the one without", s.TRAILING,
        s.vote("gate", "approved by alice: yes"), OTHERS_NAME),
    Row("a user as the one whose name ends with a colon", s.ALICE,
        s.vote("gate", "approved by alice:"), OTHERS_NAME),
]  # fmt: skip

FORM = [
    Row("empty", s.ALICE, s.vote("gate", ""), UNREADABLE),
    Row("a decision in capitals", s.ALICE, s.vote("gate", "Approved by alice"), UNREADABLE),
    Row("a space before the decision", s.ALICE, s.vote("gate", " approved by alice"), UNREADABLE),
    Row("a byte too long", s.ALICE, s.vote("gate", "approved by alice: " + "x" * 1006),
        "is longer than 1024 bytes"),
    Row("just long enough", s.ALICE, s.vote("gate", "approved by alice: " + "x" * 1005)),
    Row("too long in bytes, not in characters", s.ALICE,
        s.vote("gate", "approved by alice: " + "\u00e9" * 600), "is longer than 1024 bytes"),
    Row("two votes in one request, one of another", s.ALICE,
        s.votes({"gate": "approved by alice", "listed": "approved by bob"}), OTHERS_NAME),
    Row("two votes in one request", s.ALICE,
        s.votes({"gate": "approved by alice", "listed": "approved by alice"})),
    Row("a node that is none", s.ALICE, s.vote("elsewhere", "approved by alice"), CLOSED),
    Row("a task", s.ALICE, s.vote("work", "approved by alice"), CLOSED),
    Row("a checkpoint that isn't open yet", s.ALICE, s.vote("closed", "approved by alice"), CLOSED),
    Row("one that waits for the policies", s.ALICE, s.vote("unready", "approved by alice"), CLOSED),
    Row("a node's name in capitals", s.ALICE, s.vote("Gate", "approved by alice"), CLOSED),
    Row("one that was decided", s.ALICE, s.vote("gate", "approved by alice"), CLOSED,
        {"nodes": {"gate": {"phase": "Failed"}}}),
    Row("a vote with a change of spec", s.BOSS,
        s.vote("gate", "approved by boss", spec={"parallelism": 3}),
        "changes spec and votes"),
    Row("the code of this opening", s.ALICE, s.vote("coded", f"approved@{s.CODE} by alice")),
    Row("another code", s.ALICE, s.vote("coded", "approved@aaaaa by alice"),
        f"must carry the code of this opening: approved@{s.CODE}"),
    Row("no code where one is asked", s.ALICE, s.vote("coded", "rejected by alice"),
        f"must carry the code of this opening: rejected@{s.CODE}"),
    Row("another code where none is asked", s.ALICE, s.vote("gate", "approved@aaaaa by alice"),
        "must carry the code of this opening"),
    Row("two codes", s.ALICE, s.vote("gate", f"approved@{s.CODE}@{s.CODE} by alice"), UNREADABLE),
]  # fmt: skip

APPROVERS = [
    Row("a user who is named", s.ALICE, s.vote("listed", "approved by alice")),
    Row("a user who isn't named", s.BOB, s.vote("listed", "approved by bob"), NOT_LISTED),
    Row("a rejection of one who isn't named", s.BOB, s.vote("listed", "rejected by bob"),
        NOT_LISTED),
    Row("one of a group that is named", s.CAROL, s.vote("listed", "approved by carol")),
    Row("approvers that name nobody", s.ALICE, s.vote("nobody", "approved by alice"),
        "is not among the approvers of nobody"),
    Row("a service account", s.BOT, s.vote("gate", f"approved by {s.BOT.name}"),
        "approvers.users of the checkpoint would have to name it"),
    Row("a service account by a group", s.BOT, s.vote("listed", f"approved by {s.BOT.name}"),
        "approvers.users of the checkpoint would have to name it"),
    Row("a service account that is named", s.NAMED_BOT,
        s.vote("listed", f"approved by {s.NAMED_BOT.name}")),
    Row("an author where authors may vote", s.BOSS, s.vote("gate", "approved by boss"), "",
        {"authors": ("boss",)}),
    Row("an author where they may not", s.BOSS, s.vote("gate", "approved by boss"),
        "which forbids authors: ask somebody else",
        {"authors": ("ed", "boss"), "spec": s.signed_spec(),
         "annotations": {s.AUTHOR: "tidegate-admin"}}),
    Row("one who is no author where authors may not", s.ALICE, s.vote("gate", "approved by alice"),
        "", {"authors": ("boss",), "spec": s.signed_spec(),
             "annotations": {s.AUTHOR: "tidegate-admin"}}),
    Row("an author at another checkpoint", s.BOSS, s.vote("coded", f"approved@{s.CODE} by boss"),
        "", {"authors": ("boss",), "spec": s.signed_spec(),
             "annotations": {s.AUTHOR: "tidegate-admin"}}),
]  # fmt: skip

OTHERS = [
    Row("overwriting another's before it is judged", s.BOB, s.vote("gate", "approved by bob"),
        NOT_JUDGED, standing("rejected by alice")),
    Row("overwriting another's once it counts", s.BOB, s.vote("gate", "approved by bob"), "",
        standing("approved by alice", nodes=cast("approved by alice"))),
    Row("overwriting another's once it was looked at", s.BOB, s.vote("gate", "approved by bob"), "",
        standing("approved by alice", nodes=seen("approved by alice"))),
    Row("overwriting a long one once it was looked at", s.BOB, s.vote("gate", "approved by bob"),
        "", standing(LONG, nodes=seen(LONG))),
    Row("overwriting another's, when a former text was judged", s.BOB,
        s.vote("gate", "approved by bob"), NOT_JUDGED,
        standing("rejected by alice", nodes=seen("approved by alice"))),
    Row("overwriting another's, when it was judged under another key", s.BOB,
        s.vote("gate", "approved by bob"), NOT_JUDGED,
        standing("rejected by alice", nodes=seen("rejected by alice", "gate.a"))),
    Row("overwriting another's, when a text that ends alike was judged", s.BOB,
        s.vote("gate", "approved by bob"), NOT_JUDGED,
        standing("rejected by alice", nodes=seen("y by bob: gate=rejected by alice", "gate.b"))),
    Row("removing another's before it is judged", s.BOB, s.vote("gate", None), NOT_JUDGED,
        standing("rejected by alice")),
    Row("removing another's once it counts", s.BOB, s.vote("gate", None), "",
        standing("approved by alice", nodes=cast("approved by alice"))),
    Row("removing one that stands at a checkpoint that isn't open", s.BOB, s.vote("closed", None),
        "", standing("approved by alice", "closed")),
    Row("voting beside another's", s.BOB, s.vote("gate.bob", "approved by bob"), "",
        standing("rejected by alice")),
    Row("voting while removing another's", s.BOB,
        s.votes({"gate": None, "gate.bob": "approved by bob"}), NOT_JUDGED,
        standing("rejected by alice")),
    Row("changing one's own mind", s.ALICE, s.vote("gate", "approved by alice"), "",
        standing("rejected by alice")),
    Row("taking the own vote back", s.ALICE, s.vote("gate", None), "",
        standing("rejected by alice")),
    Row("a second vote under another key", s.ALICE, s.vote("gate.two", "approved by alice"),
        "has already voted on gate", standing("rejected by alice")),
    Row("another vote once the first was looked at", s.ALICE,
        s.vote("gate.two", "approved by alice"), "",
        standing("rejected by alice", nodes=seen("rejected by alice"))),
    Row("two votes at once under two keys", s.ALICE,
        s.votes({"gate.one": "approved by alice", "gate.two": "rejected by alice"}),
        "has already voted on gate"),
]  # fmt: skip

REJECTED = {"nodes": seen("rejected by alice")}
AGAIN = [
    Row("what stood there, taken away and written again", s.ALICE,
        s.vote("gate", "rejected by alice"), NOT_NEW, REJECTED),
    Row("what stood there, after another text", s.ALICE, s.vote("gate", "rejected by alice"),
        f"try again in a moment, or write rejected@{s.CODE}",
        standing("rejected by alice: no", nodes=seen("rejected by alice"))),
    Row("what stood there, with the code", s.ALICE, s.vote("gate", f"rejected@{s.CODE} by alice"),
        "", REJECTED),
    Row("what stood there under another key", s.ALICE, s.vote("gate.a", "rejected by alice"), "",
        REJECTED),
    Row("what counted, after a change of mind", s.ALICE, s.vote("gate", "approved by alice"), "",
        standing("canary by alice", nodes=changed_mind("approved by alice", "canary by alice"))),
    Row("what counted, before the operator has seen the change of mind", s.ALICE,
        s.vote("gate", "approved by alice"), NOT_NEW,
        standing("canary by alice", nodes=changed_mind("approved by alice", "approved by alice"))),
    Row("a long text that begins like one that stood there", s.ALICE,
        s.vote("gate", LONG + " and more"), "", {"nodes": seen(LONG)}),
    Row("a manifest with what stands there, applied again", s.ED,
        s.applied({s.VOTE + "gate": "rejected by alice"}), "",
        standing("rejected by alice", nodes=seen("rejected by alice"))),
]  # fmt: skip

SIZE = 128 * 1024
NO_ROOM = "would leave no room for votes"
ROOM = [
    Row("huge other annotations", s.ED,
        s.merge({"metadata": {"annotations": {"note": "x" * SIZE}}}), NO_ROOM),
    Row("huge other annotations, in bytes only", s.ED,
        s.merge({"metadata": {"annotations": {"note": "\U0001f30a" * (SIZE // 4)}}}), NO_ROOM),
    Row("large other annotations", s.ED,
        s.merge({"metadata": {"annotations": {"note": "x" * (SIZE - 5)}}})),
    Row("huge other annotations at the creation", s.ED,
        s.created(annotations={"note": "x" * SIZE}), NO_ROOM),
    Row("huge other annotations without checkpoints", s.ED,
        s.created(annotations={"note": "x" * SIZE},
                  spec={"suspend": True, "nodes": [{"name": "a", "image": "busybox:1.36"}]})),
    Row("a rejection beside large annotations", s.ALICE, s.vote("gate", "rejected by alice"), "",
        {"annotations": {"note": "x" * (SIZE - 5)}}),
    Row("a creation with votes", s.ED, s.created(annotations={s.VOTE + "gate": "approved by bob"})),
    Row("a restore with votes", s.ED,
        s.created(annotations={s.VOTE + "gate": "approved by bob"},
                  labels={"velero.io/restore-name": "nightly"})),
    Row("a label", s.ED, s.merge({"metadata": {"labels": {"team": "a"}}}), "",
        standing("rejected by alice")),
]  # fmt: skip

ROWS = [*RIGHT, *NAMES, *FORM, *APPROVERS, *OTHERS, *AGAIN, *ROOM]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_votes(stage: Stage, row: Row) -> None:
    row.play(stage, POLICY)


def test_a_vote_through_status_leaves_no_annotation(stage: Stage) -> None:
    name = stage.workflow()
    text = {s.VOTE + "gate": "approved by alice"}
    s.merge({"metadata": {"annotations": text}}, "status")(
        stage.client(s.OPERATOR), stage.space.name, name
    )
    found = stage.space.client.get("workflows", stage.space.name, name)
    assert s.VOTE + "gate" not in found["metadata"].get("annotations", {})
