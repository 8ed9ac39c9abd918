"""Argo CD, Flux and kstatus see of a Workflow what its conditions say, with the files of docs/."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from cel_expr_python import cel

from tests.unit.docs.pages import DOCS
from tests.unit.gitops import kstatus, lua, saved
from tidegate.api.vote import APPROVALS, REJECTIONS, Ballot, VoteKey, parse_vote, vote_key

KEY = "resource.customizations.{}.tidegate.dev_Workflow"
ARGO_CD: dict[str, str] = yaml.safe_load((DOCS / "gitops" / "argo-cd.yaml").read_text())["data"]
HEALTH = ARGO_CD[KEY.format("health")]
ACTIONS = yaml.safe_load(ARGO_CD[KEY.format("actions")])
FLUX = list(yaml.safe_load_all((DOCS / "gitops" / "flux.yaml").read_text()))
STRICT, WITH_GATES = (document["spec"]["healthCheckExprs"][0] for document in FLUX)

# situation: kstatus, Argo CD, Flux's two Kustomizations
SEEN: dict[str, tuple[str, str, str, str]] = {
    "new": ("InProgress", "Progressing", "InProgress", "InProgress"),
    "pending-suspended": ("InProgress", "Suspended", "InProgress", "InProgress"),
    "pending-excluded": ("InProgress", "Progressing", "InProgress", "InProgress"),
    "running": ("InProgress", "Progressing", "InProgress", "InProgress"),
    "waiting": ("InProgress", "Suspended", "InProgress", "Current"),
    "waiting-beside-a-run": ("InProgress", "Progressing", "InProgress", "InProgress"),
    "waiting-twice": ("InProgress", "Suspended", "InProgress", "Current"),
    "waiting-for-inputs": ("InProgress", "Suspended", "InProgress", "Current"),
    "waiting-for-defaults": ("InProgress", "Suspended", "InProgress", "Current"),
    "rejected": ("Failed", "Degraded", "Failed", "Failed"),
    "suspended": ("InProgress", "Suspended", "InProgress", "Current"),
    "succeeded": ("Current", "Healthy", "Current", "Current"),
    "failed": ("Failed", "Degraded", "Failed", "Failed"),
    "cancelled": ("Failed", "Degraded", "Failed", "Failed"),
    "invalid": ("Failed", "Degraded", "Failed", "Failed"),
    "changed-since": ("Current", "Healthy", "Current", "Current"),
    "changed-unseen": ("InProgress", "Progressing", "InProgress", "InProgress"),
}
OF_PHASE = {
    "Succeeded": "Healthy",
    "Failed": "Degraded",
    "Running": "Progressing",
    "Waiting": "Suspended",
}


def flux(expressions: dict[str, str], found: dict[str, Any]) -> str:
    """What Flux says by these expressions, in the order of its RFC 0009."""
    observed = found["status"].get("observedGeneration")
    if observed is not None and observed != found["metadata"]["generation"]:
        return "InProgress"
    names = {"inProgress": "InProgress", "failed": "Failed", "current": "Current"}
    for key, result in names.items():
        if key in expressions and _holds(expressions[key], found):
            return result
    return "InProgress"


def _holds(expression: str, found: dict[str, Any]) -> bool:
    env = cel.NewEnv(variables=dict.fromkeys(found, cel.Type.DYN))
    value = env.compile(expression).eval(data=found).value()
    assert isinstance(value, bool), value
    return value


def test_every_situation_is_judged() -> None:
    assert set(saved.SITUATIONS) == set(SEEN)


@pytest.mark.parametrize("situation", SEEN)
def test_all_tools_see_what_a_situation_is(situation: str) -> None:
    found = saved.workflow(situation)
    assert (
        kstatus.compute(found),
        lua.run(HEALTH, found)["status"],
        flux(STRICT, found),
        flux(WITH_GATES, found),
    ) == SEEN[situation]


@pytest.mark.parametrize("name", saved.replays())
def test_statuses_that_releases_have_left_are_judged_by_their_phase(name: str) -> None:
    found = saved.replays()[name]
    judged = lua.run(HEALTH, found)
    assert judged["status"] == OF_PHASE[found["status"]["phase"]]
    assert judged["message"] == found["status"]["message"]
    expected = {"Healthy": "Current", "Degraded": "Failed"}
    assert (
        kstatus.compute(found)
        == flux(STRICT, found)
        == expected.get(judged["status"], "InProgress")
    )


def test_argo_cd_shows_the_message_of_the_run() -> None:
    assert "exit code 3" in lua.run(HEALTH, saved.workflow("failed"))["message"]
    assert "cycle" in lua.run(HEALTH, saved.workflow("invalid"))["message"]


def test_argo_cd_shows_how_to_answer() -> None:
    message = lua.run(HEALTH, saved.workflow("waiting"))["message"]
    assert "Go on?" in message
    assert "kubectl annotate" in message


def test_argo_cd_tells_when_the_spec_has_changed_since_the_run() -> None:
    found = saved.workflow("changed-since")
    (ready,) = [one for one in found["status"]["conditions"] if one["type"] == "Ready"]
    assert ready["reason"] == "ChangedSinceRun"
    assert lua.run(HEALTH, found)["message"] == ready["message"]


def test_what_is_being_deleted_is_terminating() -> None:
    found = saved.workflow("running")
    found["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert kstatus.compute(found) == "Terminating"


def test_an_object_that_says_nothing_would_look_finished() -> None:
    assert kstatus.compute({"metadata": {"generation": 1}}) == "Current"
    assert kstatus.compute(saved.workflow("new")) == "InProgress"


# --- actions -------------------------------------------------------------------------------------


def enabled(found: dict[str, Any]) -> set[str]:
    """The actions that the menu offers."""
    actions = lua.run(ACTIONS["discovery.lua"], found)
    assert set(actions) == {one["name"] for one in ACTIONS["definitions"]}
    return {name for name, action in actions.items() if not action["disabled"]}


def act(name: str, found: dict[str, Any]) -> dict[str, str]:
    """The annotations that an action adds; it changes nothing else."""
    (definition,) = [one for one in ACTIONS["definitions"] if one["name"] == name]
    result = lua.run(definition["action.lua"], found)
    before = found["metadata"].get("annotations") or {}
    after = result["metadata"].pop("annotations")
    rest = {**found, "metadata": {k: v for k, v in found["metadata"].items() if k != "annotations"}}
    assert result == _emptied(rest)
    assert {key: after[key] for key in before} == before
    return {key: text for key, text in after.items() if key not in before}


def _emptied(value: Any) -> Any:
    """As Lua gives it back: an empty table may be a list or a map."""
    if isinstance(value, dict):
        kept = {key: _emptied(item) for key, item in value.items() if item is not None}
        return kept or []
    return [_emptied(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("situation", "offered"),
    [
        ("new", set()),
        ("pending-suspended", {"cancel"}),
        ("running", {"cancel"}),
        ("waiting", {"approve", "reject", "cancel"}),
        ("waiting-beside-a-run", {"approve", "reject", "cancel"}),
        ("waiting-twice", {"cancel"}),
        ("waiting-for-inputs", {"reject", "cancel"}),
        ("waiting-for-defaults", {"approve", "reject", "cancel"}),
        ("suspended", {"cancel"}),
        ("succeeded", {"rerun"}),
        ("failed", {"rerun"}),
        ("cancelled", {"rerun"}),
    ],
)
def test_the_menu_offers_what_can_be_done(situation: str, offered: set[str]) -> None:
    assert enabled(saved.workflow(situation)) == offered


@pytest.mark.parametrize(
    ("situation", "what"), [("succeeded", "all"), ("failed", "failed"), ("cancelled", "failed")]
)
def test_rerun_runs_what_did_not_succeed_or_else_everything(situation: str, what: str) -> None:
    (added,) = act("rerun", saved.workflow(situation)).items()
    assert added[0] == "tidegate.dev/rerun"
    assert added[1].startswith(f"{what}@argo-cd-")


def test_cancel_lets_the_exit_handlers_run() -> None:
    (added,) = act("cancel", saved.workflow("running")).items()
    assert added[0] == "tidegate.dev/cancel"
    assert added[1].startswith("graceful@argo-cd-")


@pytest.mark.parametrize(("action", "decisions"), [("approve", APPROVALS), ("reject", REJECTIONS)])
def test_a_vote_answers_the_question_that_is_open_in_argo_cds_own_name(
    action: str, decisions: tuple[str, ...]
) -> None:
    found = saved.workflow("waiting")
    (key, text) = next(iter(act(action, found).items()))
    assert vote_key(key) == VoteKey("b", "argo-cd")
    ballot = parse_vote(text)
    assert isinstance(ballot, Ballot)
    assert ballot.decision in decisions
    assert ballot.code == found["status"]["nodes"]["b"]["code"]
    assert ballot.by == "system:serviceaccount:argocd:argocd-server"


@pytest.mark.parametrize("action", ["approve", "reject"])
@pytest.mark.parametrize("situation", ["waiting-twice", "running", "succeeded"])
def test_no_vote_is_written_where_it_is_not_clear_on_what(action: str, situation: str) -> None:
    with pytest.raises(lua.LuaError, match="one open checkpoint"):
        act(action, saved.workflow(situation))


def test_a_rerun_names_its_author_where_authors_may_not_vote() -> None:
    found = saved.workflow("rejected")
    assert set(act("rerun", found)) == {"tidegate.dev/rerun"}
    found["spec"]["nodes"][0]["checkpoint"]["forbidAuthors"] = True
    added = act("rerun", found)
    assert added["tidegate.dev/author"] == "system:serviceaccount:argocd:argocd-server"


# --- the interpreter is as poor as Argo CD's -----------------------------------------------------


@pytest.mark.parametrize(
    "script",
    ["string.upper('a')", "('a'):upper()", "io.open('x')", "os.execute('x')", "math.floor(1)"],
)
def test_scripts_get_no_more_than_argo_cd_gives_them(script: str) -> None:
    with pytest.raises(lua.LuaError):
        lua.run(f"return {script}", {})
