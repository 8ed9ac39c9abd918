"""The alerts: sound, tested, explained, and the same in the chart as in their file."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.conftest import CHART, REPOSITORY, HelmError, Manifest, Render
from tests.unit.docs.pages import anchors
from tests.unit.docs.tables import labels_by_metric

ALERTS = CHART / "observe" / "alerts.yaml"
TESTS = REPOSITORY / "tests" / "unit" / "chart" / "alerts.test.yaml"
GROUPS: list[Manifest] = yaml.safe_load(ALERTS.read_text())["groups"]
RULES: list[Manifest] = [rule for group in GROUPS for rule in group["rules"]]
NAMES = [rule["alert"] for rule in RULES]
ENABLED = {"enabled": True}
FIRING = 'ALERTS{alertname="TidegateNoLeader", alertstate="firing"}'
GONE = FIRING.replace("{", '{namespace="tidegate-system", severity="critical", ')

Promtool = Callable[..., str]


def prometheus_rule(objects: list[Manifest]) -> list[Manifest]:
    (found,) = [one for one in objects if one["kind"] == "PrometheusRule"]
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def test_promtool_finds_the_rules_sound(promtool: Promtool) -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(ALERTS))


def test_alerts_fire_when_they_should_and_else_keep_quiet(promtool: Promtool) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(TESTS))


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_tested_firing_and_quiet(name: str) -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    cases = [
        case for test in tests for case in test["alert_rule_test"] if case["alertname"] == name
    ]
    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_every_alert_says_what_it_means_and_what_to_do(rule: Manifest) -> None:
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(REPOSITORY / page)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_alerts_ask_for_metrics_that_exist(rule: Manifest) -> None:
    known = set(labels_by_metric())
    asked = set(re.findall(r"\btidegate_\w+", rule["expr"]))
    assert asked
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} <= known


def test_rules_and_monitors_are_off_unless_they_are_asked_for(render: Render) -> None:
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
    assert not kinds & {found["kind"] for found in render()}


def test_the_chart_has_the_alerts_of_the_file(render: Render) -> None:
    assert prometheus_rule(render(metrics={"prometheusRule": ENABLED})) == RULES


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_a_release_that_is_gone_is_missed_while_another_lives(
    render: Render, promtool: Promtool, tmp_path: Path, monitor: str
) -> None:
    rules = prometheus_rule(render(metrics={"prometheusRule": ENABLED, monitor: ENABLED}))
    asked = {one["alert"] for one, known in zip(rules, RULES, strict=True) if one != known}
    assert asked == {"TidegateNoLeader"}, "all others are those of the file"
    groups = {"groups": [{"name": "tidegate", "rules": rules}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
    case = {
        "input_series": [
            {"series": 'tidegate_leader{namespace="other"}', "values": "1x60"},
            {"series": 'tidegate_leader{namespace="tidegate-system"}', "values": "1x10 stale"},
        ],
        "promql_expr_test": [
            {"expr": FIRING, "eval_time": "10m", "exp_samples": []},
            {"expr": FIRING, "eval_time": "50m", "exp_samples": [{"labels": GONE, "value": 1}]},
        ],
    }
    test = {"rule_files": ["rules.yaml"], "tests": [{"interval": "1m", **case}]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yaml"))


def test_alerts_can_be_left_out_and_their_links_put_behind_an_address(render: Render) -> None:
    values = {
        **ENABLED,
        "disabled": ["TidegateStatusSize"],
        "runbooks": "https://git.test/tidegate/",
    }
    rules = prometheus_rule(render(metrics={"prometheusRule": values}))
    assert [rule["alert"] for rule in rules] == [n for n in NAMES if n != "TidegateStatusSize"]
    link = rules[0]["annotations"]["runbook_url"]
    assert link == "https://git.test/tidegate/docs/observe.md#tidegatenoleader"


def test_an_unknown_alert_to_leave_out_is_refused_by_name(render: Render) -> None:
    with pytest.raises(HelmError, match="there is no alert TidegateFoo"):
        render(metrics={"prometheusRule": {**ENABLED, "disabled": ["TidegateFoo"]}})


def monitor_of(objects: list[Manifest], kind: str) -> Manifest:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


def selected(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    wanted: dict[str, str] = selector["matchLabels"]
    return wanted.items() <= labels.items()


def test_the_service_monitor_selects_the_metrics_service_alone(render: Render) -> None:
    values = {"serviceMonitor": {**ENABLED, "labels": {"release": "prometheus"}}}
    objects = render(metrics=values, webhook=ENABLED)
    found = monitor_of(objects, "ServiceMonitor")
    assert found["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = found["spec"]["endpoints"]
    assert endpoint == {"port": "metrics", "honorLabels": True, "interval": "30s"}
    services = [
        one
        for one in objects
        if one["kind"] == "Service"
        and selected(one["metadata"]["labels"], found["spec"]["selector"])
    ]
    assert [port["name"] for one in services for port in one["spec"]["ports"]] == ["metrics"]


def test_the_pod_monitor_selects_the_operators_pods(render: Render) -> None:
    values = {"interval": "15s", "scrapeTimeout": "5s", "metricRelabelings": [{"action": "drop"}]}
    objects = render(metrics={"podMonitor": {**ENABLED, **values}})
    found = monitor_of(objects, "PodMonitor")
    (endpoint,) = found["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "metrics", "honorLabels": True, **values}
    template = monitor_of(objects, "Deployment")["spec"]["template"]
    assert selected(template["metadata"]["labels"], found["spec"]["selector"])
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
    assert endpoint["port"] in ports


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"serviceMonitor": ENABLED, "podMonitor": ENABLED}, "twice"),
        ({"serviceMonitor": ENABLED, "service": {"enabled": False}}, "needs metrics.service"),
        ({"serviceMonitor": {"interval": "often"}}, "interval"),
        ({"podMonitor": {"intervall": "30s"}}, "intervall"),
        ({"prometheusRule": {"labels": {"a": 1}}}, "labels"),
        ({"dashboard": {"label": "no label"}}, "label"),
    ],
)
def test_monitoring_that_cannot_work_is_refused(
    render: Render, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(HelmError, match=words):
        render(metrics=values)


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs promtool and returns what it prints."""
    from tests.observe.prometheus import tool

    program = tool("promtool")

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
