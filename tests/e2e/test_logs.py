"""The log of a Workflow, as a user reads it in the morning."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from tests.kit import machine
from tests.kit.client import Query
from tests.kit.cluster import Cluster
from tests.kit.run import Run
from tests.kit.space import Space
from tests.kit.waiting import wait_for, wait_gone

pytestmark = pytest.mark.e2e

REMOVED_WITHIN = 180.0

FAILS = """
params: [{name: date, value: "2026-11-22"}]
nodes:
- name: a
  retry: {limit: 1, backoff: {base: 1s}}
  script: 'echo "attempt $TIDEGATE_ATTEMPT"; echo "no route to host"; exit 7'
- {name: b, dependsOn: [a], script: "true"}
standbys:
- {name: page, script: 'echo "see $TIDEGATE_LOG_CONFIGMAP"'}
onError: [page]
"""


@pytest.mark.runs("{nodes: [{name: a, script: 'echo one; echo two'}]}")
def test_a_run_that_succeeds_is_told(run: Run) -> None:
    run.finished("Succeeded")
    data = run.wait_log("# flow · run 1 · Succeeded", "| a ")
    assert data["1.a.1.txt"] == "one\ntwo\n"
    assert "busybox" in data["images.json"] or "sha256:" in data["images.json"]
    assert run.status["log"] == {"configMap": "flow-log"}
    printed = run.kubectl("get", "cm", "flow-log", "-o", r"jsonpath={.data.log\.md}")
    assert printed == data["log.md"]


@pytest.mark.runs(FAILS)
def test_a_run_that_fails_says_first_what_went_wrong(run: Run) -> None:
    run.finished("Failed")
    data = run.wait_log("# flow · run 1 · Failed", "no route to host", "2026-11-22", "page")
    text = data["log.md"]
    assert text.index("no route to host") < text.index("## Nodes")
    assert data["1.a.1.txt"] == "attempt 1\nno route to host\n"
    assert data["1.a.2.txt"] == "attempt 2\nno route to host\n"
    assert data["1.page.1.txt"] == "see flow-log\n"


@pytest.mark.runs("{nodes: [{name: a, script: 'echo i was here; sleep 3600'}]}")
def test_a_run_that_is_cancelled_is_told_with_what_it_had_printed(run: Run) -> None:
    run.wait_running("a", seconds=90)
    run.annotate("cancel", "now")
    run.finished("Cancelled")
    assert run.wait_log("# flow · run 1 · Cancelled")["1.a.1.txt"] == "i was here\n"


@pytest.mark.runs("{nodes: [{name: a, script: 'true', dependsOn: [b]}, {name: b, script: 'true', "
                  "dependsOn: [a]}]}")  # fmt: skip
def test_an_invalid_spec_is_told_and_forgotten_once_it_is_mended(run: Run) -> None:
    run.wait_phase("Failed", "InvalidSpec")
    run.wait_log("cycle")
    run.patch_spec({"nodes": [{"name": "a", "script": "true"}]})
    run.finished("Succeeded")
    assert "cycle" not in run.wait_log("run 1 · Succeeded")["log.md"]


@pytest.mark.runs("{nodes: [{name: a, script: 'echo $TIDEGATE_RUN; test $TIDEGATE_RUN = 2'}]}")
def test_all_runs_are_told_the_newest_last(run: Run) -> None:
    run.finished("Failed")
    run.annotate("rerun", "failed@1")
    run.finished("Succeeded", run=2)
    data = run.wait_log("run 1 · Failed", "run 2 · Succeeded")
    assert data["log.md"].index("run 1 · Failed") < data["log.md"].index("run 2 · Succeeded")
    assert (data["1.a.1.txt"], data["2.a.1.txt"]) == ("1\n", "2\n")


@pytest.mark.runs("""
log: {tailLines: 3}
nodes:
- {name: a, script: seq 1 100}
- {name: b, script: seq 1 100, tailLines: 0}
- {name: c, script: 'seq 1 5', tailLines: 200}
""")
def test_as_much_is_kept_as_is_asked_for(run: Run) -> None:
    run.finished("Succeeded")
    data = run.wait_log("Succeeded")
    assert data["1.a.1.txt"] == "[tidegate] only the end of it is kept\n98\n99\n100\n"
    assert "1.b.1.txt" not in data
    assert data["1.c.1.txt"] == "1\n2\n3\n4\n5\n"


@pytest.mark.runs("""
nodes:
- name: a
  script: |
    printf '\\033[31mred\\033[0m \\033]8;;http://evil\\007link\\033]8;;\\007 | ``` <img src=x>\\n'
    exit 1
""")
def test_what_programs_print_does_nothing_to_whoever_reads_it(run: Run) -> None:
    run.finished("Failed")
    data = run.wait_log("Failed")
    assert data["1.a.1.txt"] == "red link | ``` <img src=x>\n"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(data.values()))


@pytest.mark.ahead
@pytest.mark.runs("{jobRetention: Never, nodes: [{name: a, script: 'echo gone but not lost'}]}")
def test_tails_outlive_jobs_that_are_removed(run: Run) -> None:
    run.finished("Succeeded")
    run.wait_log("Succeeded")
    run.wait_jobs_are(set(), REMOVED_WITHIN)
    assert run.wait_log("Succeeded")["1.a.1.txt"] == "gone but not lost\n"


@pytest.mark.runs("{log: {retain: true}, nodes: [{name: a, script: 'echo remember me'}]}")
def test_a_log_that_is_retained_outlives_its_workflow(run: Run) -> None:
    name = f"flow-log-{run.object['metadata']['uid'][:5]}"
    run.finished("Succeeded")
    data = run.wait_log("run 1 · Succeeded", name=name)
    assert run.status["log"] == {"configMap": name}
    run.kubectl("delete", "twf", "flow")
    run.wait_gone()
    assert run.cluster.client.get("configmaps", run.namespace, name)["data"] == data


@pytest.mark.runs("{ttlSecondsAfterFinished: 0, log: {retain: true}, "
                  "nodes: [{name: a, script: 'echo remember me'}]}")  # fmt: skip
def test_a_workflow_whose_time_is_over_leaves_its_retained_log(run: Run) -> None:
    run.wait_gone()
    (log,) = (
        found
        for found in run.cluster.client.list(Query("configmaps", run.namespace))
        if found["metadata"]["name"].startswith("flow-log-")
    )
    assert log["data"]["1.a.1.txt"] == "remember me\n"
    assert "run 1 · Succeeded" in log["data"]["log.md"]


@pytest.mark.runs("{nodes: [{name: a, script: 'true'}]}")
def test_a_log_goes_with_its_workflow(run: Run) -> None:
    run.finished("Succeeded")
    run.wait_log("Succeeded")
    run.kubectl("delete", "twf", "flow")
    wait_gone(run.cluster.client, Query("configmaps", run.namespace, "flow-log"), "its log gone")


def test_a_config_map_of_somebody_else_is_left_alone(space: Space) -> None:
    theirs = space.add("configmaps", {"metadata": {"name": "flow-log"}, "data": {"log.md": "mine"}})
    run = space.flow("{nodes: [{name: a, script: 'true'}]}")
    run.finished("Succeeded")
    run.wait_event("LogIncomplete", "flow-log isn't this Workflow's log")
    assert space.client.get("configmaps", space.name, "flow-log") == theirs
    run.kubectl("delete", "cm", "flow-log")
    run.wait_log("run 1 · Succeeded", seconds=90)


def test_a_quota_on_config_maps_costs_the_log_and_nothing_else(space: Space) -> None:
    hard = {"count/configmaps": "1"}  # the root certificates
    space.add("resourcequotas", {"metadata": {"name": "tight"}, "spec": {"hard": hard}})
    run = space.flow("{nodes: [{name: a, script: 'echo hi'}]}")
    run.finished("Succeeded")
    run.wait_event("LogIncomplete", "exceeded quota")
    space.kubectl("delete", "quota", "tight")
    assert run.wait_log("run 1 · Succeeded", seconds=90)["1.a.1.txt"] == "hi\n"


def normal(text: str) -> str:
    """A log without times, durations and names by chance."""
    text = re.sub(r"\d\d:\d\d:\d\d", "T", text)
    text = re.sub(r"\d{4}-\d\d-\d\d", "D", text)
    text = re.sub(r"\d+(\.\d+)? ?(min|ms|s|h)\b", "N", text)
    return re.sub(r" {2,}|-{3,}", " ", text)


CHAIN = """
nodes:
- name: a
  retry: {limit: 2, backoff: {base: 1s, jitter: None}}
  script: 'echo "try $TIDEGATE_ATTEMPT"; test $TIDEGATE_ATTEMPT = 2'
- {name: b, dependsOn: [a], script: sleep 2; echo b}
- {name: c, dependsOn: [b], fallback: s, script: 'echo c; exit 4'}
- {name: d, dependsOn: [c], script: sleep 2; echo d}
standbys:
- {name: s, script: echo s}
"""


def lines_of(data: dict[str, str]) -> Counter[str]:
    return Counter(normal(data["log.md"]).splitlines())


def test_killed_thrice_the_operator_writes_the_log_of_a_calm_run(
    space: Space, deployed: Cluster
) -> None:
    calm = space.flow(CHAIN)
    calm.finished("Succeeded")
    wanted = calm.wait_log("run 1 · Succeeded")
    other = Space.make(deployed, "killed-thrice")
    try:
        run = other.flow(CHAIN)
        for count in (1, 3, 5):
            run.wait_jobs(count, seconds=90)
            machine.kill_operator(deployed, deployed.operator_pods()[0])
        run.finished("Succeeded", 240)
        told = run.wait_log("run 1 · Succeeded", seconds=90)
    finally:
        other.discard()
    deployed.operator_settled(1)
    assert {k: v for k, v in told.items() if k.endswith(".txt")} == {
        k: v for k, v in wanted.items() if k.endswith(".txt")
    }
    there = Counter(
        line.replace(other.name, space.name) for line in normal(told["log.md"]).splitlines()
    )
    assert there == lines_of(wanted)


def test_killed_right_after_the_end_the_next_operator_finishes_the_log(
    space: Space, deployed: Cluster
) -> None:
    run = space.flow("{nodes: [{name: a, script: 'sleep 6; echo end'}]}")
    run.wait_running("a", seconds=90)
    run.finished("Succeeded")
    machine.kill_operator(deployed, deployed.operator_pods()[0])
    assert run.wait_log("run 1 · Succeeded", seconds=90)["1.a.1.txt"] == "end\n"
    deployed.operator_settled(1)


def test_a_log_is_written_at_most_once_in_five_seconds(space: Space, deployed: Cluster) -> None:
    if deployed.audit is None:
        pytest.skip("only the local cluster keeps an audit log")
    nodes = [
        {"name": f"n{i}", "script": "sleep 1", **({"dependsOn": [f"n{i - 1}"]} if i else {})}
        for i in range(7)
    ]
    run = space.flow({"nodes": nodes})
    run.finished("Succeeded", 180)
    run.wait_log("run 1 · Succeeded")

    def writes() -> list[float]:
        assert deployed.audit is not None
        return [
            one.at.timestamp()
            for one in deployed.audit.requests()
            if one.is_write and one.resource == "configmaps" and one.namespace == space.name
        ]

    deployed.audit.wait(lambda _all: len(writes()) >= 3, "three writes of the log")
    assert min(b - a for a, b in pairwise(writes())) >= 4.9


def test_pods_that_somebody_deletes_leave_what_they_had_printed(space: Space) -> None:
    run = space.flow("{nodes: [{name: a, script: 'echo almost; sleep 3600'}]}")
    (pod,) = run.wait_running("a", seconds=90)
    run.kubectl("delete", "pod", pod["metadata"]["name"])
    run.finished("Failed")
    data = run.wait_log("run 1 · Failed")
    assert data["1.a.1.txt"] == "almost\n"
    wait_for(space.client, Query("configmaps", space.name, "flow-log"), bool, "the log")
