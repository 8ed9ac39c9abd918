"""The operator's process: how it resumes, ends, rests and answers its probes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.install import NAMESPACE
from tests.kit.audit import Asked, Audit
from tests.kit.client import Object, Query
from tests.kit.cluster import ACCOUNT, LEASE, Cluster
from tests.kit.history import assert_barriers, assert_each_ran_once, assert_no_node_twice_at_once
from tests.kit.operator import Operator
from tests.kit.run import FINAL, Run
from tests.kit.space import Space
from tests.kit.waiting import wait_for_one

pytestmark = pytest.mark.integration

MakeOperator = Callable[..., Operator]

DIAMOND = """
nodes:
- {name: a, script: "true"}
- {name: b, dependsOn: [a], script: sleep 1}
- {name: c, dependsOn: [a], script: "true"}
- {name: d, dependsOn: [b, c], script: "true"}
standbys:
- {name: goodbye, script: "true"}
onExit: [goodbye]
"""
TROUBLED = """
nodes:
- name: flaky
  retry: {limit: 2, backoff: {base: 500ms, jitter: None}}
  script: test $TIDEGATE_ATTEMPT -ge 2
- {name: broken, script: exit 3, fallback: spare}
- {name: last, dependsOn: [flaky, broken], script: "true"}
standbys:
- {name: spare, script: "true"}
"""
LONG = "nodes: [{name: a, script: sleep 3600}]"


BOTH = pytest.mark.parametrize("spec", [DIAMOND, TROUBLED], ids=["diamond", "troubled"])


def assert_went_well(run: Run, spec: str) -> None:
    status = run.finished("Succeeded")
    assert len(run.jobs()) == 5
    assert_no_node_twice_at_once(run)
    if spec is DIAMOND:
        assert_each_ran_once(run, ["a", "b", "c", "d", "goodbye"])
        assert_barriers(run, [["a"], ["b", "c"], ["d"]])
    else:
        assert (len(run.jobs("flaky")), len(run.jobs("broken"))) == (2, 2)
        assert status["nodes"]["broken"]["servedBy"] == "spare"


def is_newer_than(version: str) -> Callable[[Object], bool]:
    return lambda found: found["metadata"]["resourceVersion"] != version


@BOTH
def test_killed_after_every_status_write_it_resumes_and_runs_nothing_twice(
    space: Space, make_operator: MakeOperator, spec: str
) -> None:
    operator = make_operator()
    run = space.flow(spec)
    version = run.object["metadata"]["resourceVersion"]
    while run.status.get("phase") not in FINAL:
        operator.start()
        version = wait_for_one(
            space.client,
            run.query,
            is_newer_than(version),
            "the next status write",
            60,
        )["metadata"]["resourceVersion"]
        operator.kill()
        assert operator.starts < 40
    assert_went_well(run, spec)
    assert operator.starts > 5
    assert operator.problems() == []


@BOTH
def test_killed_between_each_job_and_its_record_it_resumes_and_runs_nothing_twice(
    space: Space, make_operator: MakeOperator, spec: str
) -> None:
    operator = make_operator()
    run = space.flow(spec)
    for count in range(1, 6):
        operator.start()
        run.wait_jobs(count, seconds=60)
        operator.kill()
    operator.start()
    assert_went_well(run, spec)


def test_sigterm_gives_the_lease_back_at_once_and_ends_the_process_within_ten_seconds(
    space: Space, operator: Operator
) -> None:
    run = space.flow(LONG)
    run.wait_running("a")
    began = time.monotonic()
    operator.signal(signal.SIGTERM)
    wait_for_one(
        space.client,
        Query("leases", NAMESPACE, LEASE),
        lambda found: not found["spec"].get("holderIdentity"),
        "a Lease that nobody holds",
        5,
    )
    assert operator.wait(10) == 0
    assert time.monotonic() - began < 10
    assert run.pods("a")[0]["status"]["phase"] == "Running"


def test_a_replica_that_stands_by_is_ready_and_takes_over_when_the_leader_dies(
    space: Space, make_operator: MakeOperator
) -> None:
    leader = make_operator("first").start().until_leading()
    other = make_operator("second").start().until_ready()
    run = space.flow(DIAMOND)
    run.wait_jobs(1)
    assert (leader.metric("tidegate_leader"), other.metric("tidegate_leader")) == (1.0, 0.0)
    leader.kill()
    other.until_leading()
    run.finished("Succeeded")
    assert_each_ran_once(run, ["a", "b", "c", "d", "goodbye"])


def test_a_leader_that_was_paused_ends_once_another_holds_the_lease(
    space: Space, make_operator: MakeOperator
) -> None:
    paused = make_operator("paused").start().until_leading()
    other = make_operator("other").start().until_ready()
    run = space.flow(DIAMOND)
    run.wait_jobs(1)
    paused.signal(signal.SIGSTOP)
    other.until_leading()
    paused.signal(signal.SIGCONT)
    assert paused.wait(15) == 3
    run.finished("Succeeded")
    assert_each_ran_once(run, ["a", "b", "c", "d", "goodbye"])


@pytest.fixture
def audit(alone: Cluster) -> Audit:
    if alone.audit_log is None:
        pytest.skip("only the local cluster keeps an audit log")
    return Audit.from_now(alone.audit_log, ACCOUNT)


def test_with_nothing_to_do_it_writes_nothing_but_its_lease(
    space: Space, operator: Operator, audit: Audit
) -> None:
    for number in range(3):
        space.flow(DIAMOND.replace("sleep 1", "sleep 0"), f"flow-{number}")
    waiting = space.flow(LONG, "waiting")
    waiting.wait_running("a", seconds=60)
    for number in range(3):
        run = space.run(f"flow-{number}")
        run.finished("Succeeded")
        run.wait_log()
    audit.wait(lambda found: _lease_writes(found) >= 1, "a Lease renewal")
    already = _lease_writes(audit.requests())
    audit.wait(lambda found: _lease_writes(found) >= already + 4, "what was in the air")
    seen = len(audit.requests())
    found = audit.wait(
        lambda found: _lease_writes(found) >= already + 16, "twelve more Lease renewals", 60
    )
    assert {asked.right for asked in found[seen:] if asked.is_write} == {("leases", "update")}


def _lease_writes(found: list[Asked]) -> int:
    return sum(asked.resource == "leases" and asked.is_write for asked in found)


def test_its_probes_tell_whether_it_has_read_everything(
    make_operator: MakeOperator, account: Path, tmp_path: Path
) -> None:
    astray = tmp_path / "nobody-answers.kubeconfig"
    text = account.read_text()
    server = next(line for line in text.splitlines() if "server: " in line)
    astray.write_text(text.replace(server, server.rpartition(":")[0] + ":9"))
    lost = make_operator("lost", kubeconfig=astray).start()
    lost.until(lambda: lost.probe("/healthz")[0] != 0, "an answer of healthz")
    assert lost.probe("/healthz")[0] == 200
    assert lost.probe("/readyz")[0] == 503
    sound = make_operator("sound").start().until_ready()
    assert sound.probe("/healthz") == (200, "ok")


def test_it_refuses_settings_that_make_no_sense_and_names_them(
    make_operator: MakeOperator,
) -> None:
    operator = make_operator(more={"TIDEGATE_JOB_RATE": "fast"}).start()
    assert operator.wait(20) != 0
    assert "TIDEGATE_JOB_RATE" in operator.output()
    assert "Traceback" not in operator.output()
