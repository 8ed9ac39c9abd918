"""Retries and fallbacks, as users write them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.kit.history import assert_no_node_twice_at_once
from tests.kit.run import Run, instant

pytestmark = pytest.mark.e2e


@pytest.mark.runs("""
nodes:
- name: a
  retry: {limit: 3, backoff: {base: 2s, factor: 2, cap: 1m, jitter: None}}
  script: test "$TIDEGATE_ATTEMPT" = 3
""")
def test_a_failed_attempt_is_repeated_after_a_wait_that_doubles(run: Run) -> None:
    told = run.wait_event("NodeRetrying", "retry 1 of 3 in 2 s after exit code 1", 90)
    assert told["type"] == "Normal"
    status = run.finished("Succeeded")
    node = status["nodes"]["a"]
    assert node["attempt"] == 3
    ended = [instant(failure["finishedAt"]) for failure in node["failures"]]
    made = [instant(job["metadata"]["creationTimestamp"]) for job in run.jobs("a")]
    assert made[1] - ended[0] >= timedelta(seconds=2)
    assert made[2] - ended[1] >= timedelta(seconds=4)
    assert_no_node_twice_at_once(run)


@pytest.mark.runs("""
nodes:
- {name: a, retry: {limit: 2, backoff: {base: 500ms, jitter: Full}}, script: exit 7}
""")
def test_when_its_retries_are_used_up_a_node_fails_with_its_history(run: Run) -> None:
    status = run.finished("Failed")
    node = status["nodes"]["a"]
    assert [failure["attempt"] for failure in node["failures"]] == [1, 2, 3]
    assert {failure["exitCode"] for failure in node["failures"]} == {7}
    assert "a: exit code 7 after 3 attempts" in status["message"]


@pytest.mark.runs("""
failurePolicy: Continue
defaults: {retry: {limit: 1, backoff: {base: 500ms}}}
nodes:
- {name: hopeless, retry: {limit: 5, exitCodes: {fail: [42]}}, script: exit 42}
- {name: other, retry: {limit: 5, exitCodes: {retry: [75]}}, script: exit 3}
- {name: listed, script: exit 75,
   retry: {limit: 1, backoff: {base: 500ms}, exitCodes: {retry: [75]}}}
- {name: inherited, script: exit 1}
- {name: switched-off, retry: {limit: 0}, script: exit 1}
- {name: late, retry: {limit: 5, backoff: {base: 30s, jitter: None}, maxDuration: 5s},
   script: exit 1}
- {name: slow, timeout: 2s, retry: {limit: 5, timeouts: false}, script: sleep 3600}
""")
def test_exit_codes_timeouts_and_max_duration_decide_what_is_worth_a_retry(run: Run) -> None:
    nodes = run.finished("Failed")["nodes"]
    assert {name: node["attempt"] for name, node in nodes.items()} == {
        "hopeless": 1,
        "other": 1,
        "listed": 2,
        "inherited": 2,
        "switched-off": 1,
        "late": 1,
        "slow": 1,
    }
    assert nodes["slow"]["reason"] == "Timeout"
    told = {
        "hopeless": "exit code 42 (not retried: exitCodes.fail has 42)",
        "other": "exit code 3 (not retried: exitCodes.retry lacks 3)",
        "late": "exit code 1 (not retried: maxDuration 5s would be over)",
        "slow": "(not retried: timeouts is false)",
    }
    assert all(words in nodes[name]["message"] for name, words in told.items())


@pytest.mark.runs("""
nodes:
- {name: a, script: tail /dev/zero, resources: {limits: {memory: 16Mi}}}
""")
def test_an_attempt_that_needs_too_much_memory_says_so(run: Run) -> None:
    status = run.finished("Failed")
    assert status["nodes"]["a"]["reason"] == "OOMKilled"
    assert "exit code 137 (OOMKilled)" in status["message"]


@pytest.mark.runs("""
nodes:
- name: rates
  env: [{name: SOURCE, value: main}, {name: DAY, value: today}]
  retry: {limit: 1, backoff: {base: 500ms}}
  fallback: cached
  script: exit 9
- {name: report, dependsOn: [rates], script: echo done}
standbys:
- name: cached
  env: [{name: DAY, value: yesterday}]
  script: |
    echo "$TIDEGATE_PRIMARY_NODE $TIDEGATE_NODE $SOURCE $DAY $TIDEGATE_ATTEMPT"
    echo "$TIDEGATE_PRIMARY_ERROR"
""")
def test_a_fallback_runs_in_place_of_its_node_and_knows_what_happened(run: Run) -> None:
    status = run.finished("Succeeded")
    node = status["nodes"]["rates"]
    assert (node["phase"], node["servedBy"], node["attempt"]) == ("Succeeded", "cached", 3)
    assert "cached" not in status["nodes"]
    run.wait_event("FallbackStarted", "cached runs in its place")
    job = run.jobs("rates")[-1]
    assert job["metadata"]["labels"]["tidegate.dev/standby"] == "cached"
    first, error = run.log("rates").strip().splitlines()
    assert first == "rates rates main yesterday 3"
    told = json.loads(error)
    assert (told["reason"], told["exitCode"], told["attempts"]) == ("ExitCode", 9, 2)


@pytest.mark.runs("""
nodes: [{name: a, fallback: spare, script: exit 2}]
standbys: [{name: spare, script: exit 5}]
""")
def test_when_the_fallback_fails_too_both_failures_are_told(run: Run) -> None:
    status = run.finished("Failed")
    failures = status["nodes"]["a"]["failures"]
    assert [(f.get("standby", ""), f["exitCode"]) for f in failures] == [("", 2), ("spare", 5)]
    assert "a: exit code 2; fallback spare: exit code 5" in status["message"]
