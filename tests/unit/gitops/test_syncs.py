"""A tool goes on applying a Workflow whose gate forbids authors, whoever signed in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.unit.docs.pages import DOCS
from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run
from tests.unit.gitops import lua, saved
from tests.unit.policies.evaluation import denials, write
from tidegate.constants import ANNOTATION_AUTHOR, ANNOTATION_RERUN
from tidegate.policies.authors import AUTHORS

Json = dict[str, Any]

ARGO_CD = "system:serviceaccount:argocd:argocd-application-controller"
FLUX = "system:serviceaccount:flux-system:kustomize-controller"
BUTTON = "system:serviceaccount:argocd:argocd-server"
TOOLS = pytest.mark.parametrize("tool", [ARGO_CD, FLUX])
SIGNERS = pytest.mark.parametrize("signer", ["alice", BUTTON])


def failed(tool: str) -> Run:
    """A run that failed, of a Workflow that the tool made as it stands in Git."""
    gate = saved.gate("b", after="a", forbidAuthors=True)
    run = Run(spec(node("a"), gate), annotations={ANNOTATION_AUTHOR: tool})
    run.pod_fails("a")
    return run


def annotated(found: Json, texts: Json) -> Json:
    """``found`` with these annotations; one that is None is taken away."""
    meta = found["metadata"]
    kept = {k: v for k, v in (meta["annotations"] | texts).items() if v is not None}
    return {**found, "metadata": {**meta, "annotations": kept}}


def asked(found: Json, signer: str) -> Json:
    """The Workflow once somebody has asked for a rerun, by hand or with Argo CD's button."""
    if signer != BUTTON:
        return annotated(found, {ANNOTATION_AUTHOR: signer, ANNOTATION_RERUN: "failed@2"})
    text = yaml.safe_load((DOCS / "gitops" / "argo-cd.yaml").read_text())["data"]
    actions = yaml.safe_load(text["resource.customizations.actions.tidegate.dev_Workflow"])
    (rerun,) = [one["action.lua"] for one in actions["definitions"] if one["name"] == "rerun"]
    return annotated(found, lua.run(rerun, found)["metadata"]["annotations"])


def take(run: Run, who: str, after: Json, *, look: bool = True) -> None:
    """``who`` writes ``after``, which nothing denies; the operator may look at it."""
    assert denials(AUTHORS, write(who, saved.stored(run), after)) == []
    run.fact = replace(run.fact, annotations=after["metadata"]["annotations"])
    if look:
        run.look()


@TOOLS
@SIGNERS
def test_a_sync_takes_its_name_back_after_a_rerun_that_somebody_else_signed(
    tool: str, signer: str
) -> None:
    run = failed(tool)
    for _ in range(2):
        take(run, signer, asked(saved.stored(run), signer))
        take(run, tool, annotated(saved.stored(run), {ANNOTATION_AUTHOR: tool}))
    assert run.status.authors == (tool, signer)


@TOOLS
@SIGNERS
def test_a_sync_that_takes_the_request_away_as_well_passes(tool: str, signer: str) -> None:
    run = failed(tool)
    take(run, signer, asked(saved.stored(run), signer))
    from_git = {ANNOTATION_AUTHOR: tool, ANNOTATION_RERUN: None}
    take(run, tool, annotated(saved.stored(run), from_git))
    assert run.status.authors == (tool, signer)


@TOOLS
def test_a_sync_waits_until_the_operator_has_recorded_who_asked(tool: str) -> None:
    run = failed(tool)
    take(run, "alice", asked(saved.stored(run), "alice"), look=False)
    after = annotated(saved.stored(run), {ANNOTATION_AUTHOR: tool})
    (words,) = denials(AUTHORS, write(tool, saved.stored(run), after))
    assert "has not recorded alice as an author yet; try again in a moment" in words
    run.look()
    take(run, tool, after)


def test_a_tool_that_finds_forbid_authors_switched_off_switches_it_on_in_its_own_name() -> None:
    run = failed(ARGO_CD)
    found = saved.stored(run)
    off = {**found, "spec": spec(node("a"), saved.gate("b", after="a"))}
    (words,) = denials(AUTHORS, write("mallory", found, off))
    assert "only somebody who is recorded as an author" in words
    take(run, "mallory", annotated(found, {ANNOTATION_AUTHOR: "mallory"}))
    recorded = saved.stored(run)
    off = {**annotated(recorded, {ANNOTATION_AUTHOR: None}), "spec": off["spec"]}
    assert denials(AUTHORS, write("mallory", recorded, off)) == []
    on = {**annotated(off, {ANNOTATION_AUTHOR: ARGO_CD}), "spec": found["spec"]}
    assert denials(AUTHORS, write(ARGO_CD, off, on)) == []
    assert on["status"]["authors"] == [ARGO_CD, "mallory"]
