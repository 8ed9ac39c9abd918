"""How runs end: failure policies, the deadline, triggers, and what handlers are told."""

from __future__ import annotations

import json

import pytest

from tests.kit.client import Object
from tests.kit.history import history
from tests.kit.run import Run, instant

pytestmark = pytest.mark.e2e


def phases(status: Object) -> dict[str, str]:
    return {
        name: "/".join(filter(None, (node["phase"], node.get("reason"))))
        for name, node in status["nodes"].items()
    }


@pytest.mark.runs("""
nodes:
- {name: bad, script: exit 4}
- {name: fine, script: echo fine}
standbys:
- {name: page, script: 'echo "$TIDEGATE_PHASE"; echo "$TIDEGATE_ERRORS"; sleep 1; exit 1'}
- {name: mail, script: echo mail}
- {name: tidy, script: 'echo "$TIDEGATE_PHASE"'}
onError: [page, mail]
onExit: [tidy]
""")
def test_handlers_run_one_after_another_and_know_how_the_run_went(run: Run) -> None:
    status = run.finished("Failed")
    assert status["reason"] == "NodeFailed"
    assert "bad: exit code 4" in status["message"]
    assert phases(status) == {
        "bad": "Failed/ExitCode",
        "fine": "Succeeded",
        "page": "Failed/ExitCode",
        "mail": "Succeeded",
        "tidy": "Succeeded",
    }
    phase, errors = run.log("page").splitlines()
    assert phase == "Failed"
    (error,) = json.loads(errors)
    assert (error["node"], error["reason"], error["exitCode"]) == ("bad", "ExitCode", 4)
    assert run.log("tidy") == "Failed\n"
    ended = {ran.node: ran.end for ran in history(run.pods())}
    made = {
        name: instant(run.jobs(name)[0]["metadata"]["creationTimestamp"])
        for name in ("page", "mail", "tidy")
    }
    assert ended["bad"] <= made["page"]
    assert ended["page"] <= made["mail"]
    assert ended["mail"] <= made["tidy"]


@pytest.mark.runs("""
nodes: [{name: a, script: "true"}]
standbys:
- {name: page, script: "true"}
- {name: tidy, script: exit 1}
onError: [page]
onExit: [tidy]
""")
def test_an_exit_handler_that_fails_spoils_a_success_and_error_handlers_are_not_needed(
    run: Run,
) -> None:
    status = run.finished("Failed")
    assert status["reason"] == "ExitHandlerFailed"
    assert phases(status) == {
        "a": "Succeeded",
        "page": "Skipped/NotNeeded",
        "tidy": "Failed/ExitCode",
    }


@pytest.mark.runs("""
timeout: 15s
nodes:
- {name: quick, script: "true"}
- {name: endless, script: sleep 3600}
- {name: next, dependsOn: [endless], script: "true"}
- {name: cleanup, dependsOn: [endless], trigger: DependenciesEnded, script: "true"}
standbys:
- {name: page, script: 'echo "$TIDEGATE_PHASE"'}
- {name: tidy, script: "true"}
onError: [page]
onExit: [tidy]
""")
def test_a_run_that_takes_longer_than_its_timeout_is_ended_and_its_handlers_run(run: Run) -> None:
    status = run.finished("Failed")
    assert status["reason"] == "DeadlineExceeded"
    assert "timeout" in status["message"]
    found = phases(status)
    assert found.pop("next").startswith("Skipped/")
    assert found.pop("cleanup").startswith("Skipped/")
    assert found == {
        "quick": "Succeeded",
        "endless": "Cancelled/DeadlineExceeded",
        "page": "Succeeded",
        "tidy": "Succeeded",
    }
    assert run.log("page") == "Failed\n"
    assert run.jobs("endless")[0]["metadata"]["annotations"]["tidegate.dev/end"]


@pytest.mark.runs("""
failurePolicy: FailFast
nodes:
- {name: bad, script: sleep 4; exit 1}
- {name: endless, script: sleep 3600}
- {name: next, dependsOn: [endless], script: "true"}
- {name: cleanup, dependsOn: [endless], trigger: DependenciesEnded, script: "true"}
""")
def test_fail_fast_ends_what_runs_and_still_cleans_up(run: Run) -> None:
    status = run.finished("Failed")
    assert phases(status) == {
        "bad": "Failed/ExitCode",
        "endless": "Cancelled/Cancelled",
        "next": "Skipped/RunEnded",
        "cleanup": "Succeeded",
    }


@pytest.mark.runs("""
failurePolicy: Continue
nodes:
- {name: bad, script: exit 1}
- {name: fine, script: "true"}
- {name: after-bad, dependsOn: [bad], script: "true"}
- {name: after-fine, dependsOn: [fine], script: "true"}
- {name: after-both, dependsOn: [after-bad, after-fine], script: "true"}
""")
def test_continue_runs_all_that_does_not_need_what_failed(run: Run) -> None:
    assert phases(run.finished("Failed")) == {
        "bad": "Failed/ExitCode",
        "fine": "Succeeded",
        "after-bad": "Skipped/DependencyFailed",
        "after-fine": "Succeeded",
        "after-both": "Skipped/DependencyFailed",
    }


@pytest.mark.runs("""
parallelism: 1
nodes:
- {name: bad, script: exit 1}
- {name: same-wave, script: "true"}
- {name: flaky, retry: {limit: 1, backoff: {base: 500ms}}, script: test "$TIDEGATE_ATTEMPT" = 2}
- {name: next, dependsOn: [same-wave], script: "true"}
""")
def test_finish_wave_runs_the_rest_of_the_wave_with_its_retries(run: Run) -> None:
    assert phases(run.finished("Failed")) == {
        "bad": "Failed/ExitCode",
        "same-wave": "Succeeded",
        "flaky": "Succeeded",
        "next": "Skipped/RunEnded",
    }


@pytest.mark.runs("""
nodes:
- {name: setup, script: "true"}
- {name: work, dependsOn: [setup], script: exit 1}
- {name: more, dependsOn: [work], script: "true"}
- name: cleanup
  dependsOn: [setup, more]
  trigger: DependenciesEnded
  retry: {limit: 1, backoff: {base: 500ms}}
  script: test "$TIDEGATE_ATTEMPT" = 2
""")
def test_a_cleanup_node_runs_however_its_dependencies_ended_with_its_own_retries(run: Run) -> None:
    assert phases(run.finished("Failed")) == {
        "setup": "Succeeded",
        "work": "Failed/ExitCode",
        "more": "Skipped/DependencyFailed",
        "cleanup": "Succeeded",
    }


@pytest.mark.runs("""
nodes:
- {name: optional, allowFailure: true, script: exit 1}
- {name: next, dependsOn: [optional], script: "true"}
""")
def test_a_failure_that_is_allowed_fails_nothing(run: Run) -> None:
    status = run.finished("Succeeded")
    assert status["progress"] == "2/2"
    assert phases(status) == {"optional": "Failed/ExitCode", "next": "Succeeded"}
    assert "tolerated: optional" in status["message"]
