"""Who may make Workflows run, and who counts as their author: on a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import stage as s
from tests.kit.client import Object
from tests.kit.cluster import Cluster
from tests.kit.space import Space
from tests.kit.stage import Row, Stage

pytestmark = pytest.mark.integration

POLICY = "tidegate-authors"
NO_JOBS = "may not create Jobs in t-policies-authors"
UNSIGNED = "must say so in the same request: annotation tidegate.dev/author="
UNRECORDED = "the operator has not recorded tidegate-admin as an author yet"
NO_AUTHOR = "only somebody who is recorded as an author can; set the annotation"
NOT_OTHERS = "to somebody else: it names whoever writes it"


@pytest.fixture(scope="module")
def stage(alone: Cluster) -> Iterator[Stage]:
    space = Space.make(alone, "policies-authors")
    made = Stage.set(space)
    s.until_denied(lambda: s.dry(s.created())(made.client(s.WENDY), space.name, "try"))
    s.until_granted(lambda: s.dry(s.created())(made.client(s.ED), space.name, "try"))
    yield made
    space.discard()


def signed(*authors: str) -> dict[str, object]:
    """A Workflow whose gate forbids authors, made by the admin, and who is recorded as one."""
    made = {"spec": s.signed_spec(), "annotations": {s.AUTHOR: "tidegate-admin"}}
    return {**made, "authors": authors}


ADMINS = signed("tidegate-admin")


MORE = {"spec": {"parallelism": 3}}


def edit(author: str | None = None, spec: Object | None = None, **texts: str) -> s.Act:
    """Change the spec, and annotations of the group in the same request."""
    named = {f"tidegate.dev/{key}": text for key, text in texts.items()}
    if author is not None:
        named[s.AUTHOR] = author
    patch: Object = {"spec": spec or MORE["spec"]}
    return s.merge({**patch, "metadata": {"annotations": named}} if named else patch)


FORBIDDING = {"nodes": s.signed_spec()["nodes"]}
ALLOWING = {"nodes": s.SPEC["nodes"]}
FALSE = {"annotations": {s.AUTHOR: "alice"}}


RESTORED = {"velero.io/restore-name": "nightly"}
RIGHT = [
    Row("a creation without the right to create Jobs", s.WENDY, s.created(), NO_JOBS),
    Row("a creation", s.ED, s.created()),
    Row("a creation by server-side apply without the right", s.WENDY, s.applied_anew(), NO_JOBS),
    Row("an edit without the right", s.WENDY, edit(), NO_JOBS),
    Row("an edit of parallelism without the right", s.ALICE, edit(), NO_JOBS),
    Row("an edit by JSON patch without the right", s.WENDY,
        s.json_patch({"op": "replace", "path": "/spec/suspend", "value": False}), NO_JOBS),
    Row("an edit by replace without the right", s.WENDY,
        s.replaced(lambda found: found["spec"].update(parallelism=3)), NO_JOBS),
    Row("an edit", s.ED, edit()),
    Row("a rerun without the right", s.WENDY, s.annotate(rerun="all@1"), NO_JOBS),
    Row("a rerun by an approver", s.ALICE, s.annotate(rerun="failed@1"), NO_JOBS),
    Row("another rerun without the right", s.WENDY, s.annotate(rerun="all@2"), NO_JOBS,
        {"annotations": {"tidegate.dev/rerun": "all@1"}}),
    Row("a rerun", s.ED, s.annotate(rerun="all@1")),
    Row("the text of a rerun taken away without the right", s.WENDY, s.annotate(rerun=None),
        NO_JOBS, {"annotations": {"tidegate.dev/rerun": "all@1"}}),
    Row("a restored Workflow set free without the right", s.WENDY,
        s.merge({"metadata": {"labels": {"velero.io/restore-name": None}}}), NO_JOBS,
        {"labels": RESTORED}),
    Row("a dry run without the right", s.WENDY, s.dry(s.created()), NO_JOBS),
    Row("a cancel without the right", s.WENDY, s.annotate(cancel="now")),
    Row("a cancel by an approver", s.ALICE, s.annotate(cancel="graceful")),
    Row("another annotation without the right", s.WENDY,
        s.merge({"metadata": {"annotations": {"team": "a"}}})),
    Row("a label without the right", s.WENDY, s.merge({"metadata": {"labels": {"team": "a"}}})),
    Row("a finalizer without the right", s.WENDY,
        s.dry(s.merge({"metadata": {"finalizers": ["tests.tidegate.dev/held"]}}))),
]  # fmt: skip

AUTHORS = [
    Row("a creation that nobody signs", s.ED, s.created(spec=s.signed_spec()), UNSIGNED + "ed"),
    Row("a creation signed by another", s.ED,
        s.created(spec=s.signed_spec(), annotations={s.AUTHOR: "alice"}), UNSIGNED + "ed"),
    Row("a creation signed", s.ED, s.created(spec=s.signed_spec(), annotations={s.AUTHOR: "ed"})),
    Row("a restore signed by another", s.ED,
        s.created(spec=s.signed_spec(), annotations={s.AUTHOR: "alice"}, labels=RESTORED),
        UNSIGNED + "ed"),
    Row("a creation with nulls, which the operator refuses", s.ED, s.created(spec=s.with_nulls())),
    Row("a creation where authors may vote, signed by another", s.ED,
        s.created(annotations={s.AUTHOR: "alice"})),
    Row("an edit that isn't signed anew", s.ED, edit(), UNSIGNED + "ed",
        ADMINS),
    Row("an edit signed by another", s.ED, edit("alice"), UNSIGNED + "ed",
        ADMINS),
    Row("an edit signed in capitals", s.ED, edit("ED"), UNSIGNED + "ed",
        ADMINS),
    Row("an edit signed", s.ED, edit("ed"), "", ADMINS),
    Row("an edit signed while the former author isn't recorded", s.ED, edit("ed"), UNRECORDED,
        signed()),
    Row("a rerun that isn't signed", s.ED, s.annotate(rerun="all@1"), UNSIGNED + "ed",
        ADMINS),
    Row("a rerun signed", s.ED, s.annotate(rerun="all@1", author="ed"), "",
        ADMINS),
    Row("signing without a change", s.ED, s.annotate(author="ed"), "", ADMINS),
    Row("signing without a change while the former author isn't recorded", s.ED,
        s.annotate(author="ed"), UNRECORDED, signed()),
    Row("signing another without a change", s.ED, s.annotate(author="alice"), NOT_OTHERS, ADMINS),
    Row("taking the signature away", s.ED, s.annotate(author=None), "", ADMINS),
    Row("taking the signature away while it isn't recorded", s.ED, s.annotate(author=None),
        UNRECORDED, signed("ed")),
    Row("taking it away with an edit", s.ED,
        s.merge({**MORE, "metadata": {"annotations": {s.AUTHOR: None}}}), UNSIGNED + "ed",
        ADMINS),
    Row("signing for another where authors may vote", s.ED, s.annotate(author="alice"), NOT_OTHERS),
    Row("signing for oneself where authors may vote", s.ED, s.annotate(author="ed")),
    Row("a vote signed with another's name", s.BOSS,
        s.merge({"metadata": {"annotations": {s.AUTHOR: "ed", s.VOTE + "gate": "reject by boss"}}}),
        NOT_OTHERS, ADMINS),
    Row("a cancel unsigned", s.ED, s.annotate(cancel="now"), "",
        ADMINS),
]  # fmt: skip

SWITCHING = [
    Row("switching forbidAuthors on unsigned", s.ED, edit(spec=FORBIDDING), UNSIGNED + "ed"),
    Row("switching it on", s.ED, edit("ed", FORBIDDING)),
    Row("switching it on after a creation signed falsely", s.ED, edit("ed", FORBIDDING), "", FALSE),
    Row("switching it on and leaving what was signed falsely", s.ED, edit(spec=FORBIDDING),
        UNSIGNED + "ed", FALSE),
    Row("switching it off by nobody who is recorded", s.ED, edit("ed", ALLOWING), NO_AUTHOR,
        ADMINS),
    Row("switching it off unsigned by nobody who is recorded", s.ED, edit(spec=ALLOWING), NO_AUTHOR,
        ADMINS),
    Row("switching it off by an author", s.ED, edit(spec=ALLOWING), "",
        signed("tidegate-admin", "ed")),
    Row("switching it off by an author, and taking a name away that isn't recorded", s.ED,
        s.merge({"spec": ALLOWING, "metadata": {"annotations": {s.AUTHOR: None}}}), UNRECORDED,
        signed("ed")),
    Row("taking its gate out by nobody who is recorded", s.ED,
        edit("ed", {"nodes": s.SPEC["nodes"][1:]}), NO_AUTHOR, ADMINS),
]  # fmt: skip

TOOLS = [
    Row("the rerun of Argo CD's menu", s.BUTTON,
        s.annotate(rerun="all@argo-cd-1", author=s.BUTTON.name), "", ADMINS),
    Row("a sync by Argo CD that restores its name", s.ARGO_CD,
        s.annotate(author=s.ARGO_CD.name), "", signed(s.ARGO_CD.name, "tidegate-admin")),
    Row("a sync by Argo CD before who signed is recorded", s.ARGO_CD,
        s.annotate(author=s.ARGO_CD.name), UNRECORDED, signed(s.ARGO_CD.name)),
    Row("a sync by Flux that restores its name", s.FLUX,
        s.applied({s.AUTHOR: s.FLUX.name}, s.signed_spec()), "",
        signed(s.FLUX.name, "tidegate-admin")),
    Row("a sync by Flux that switches forbidAuthors on again", s.FLUX,
        s.applied({s.AUTHOR: s.FLUX.name}, s.signed_spec())),
]  # fmt: skip


@pytest.mark.parametrize("row", [*RIGHT, *AUTHORS, *SWITCHING, *TOOLS], ids=lambda row: row.title)
def test_authors(stage: Stage, row: Row) -> None:
    row.play(stage, POLICY)
