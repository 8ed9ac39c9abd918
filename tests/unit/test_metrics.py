from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from tidegate import metrics
from tidegate.metrics import Namespaces

DECLARED = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
LABELS = {
    "namespace", "result", "reason", "decision", "kind", "lane", "verb", "resource", "code",
    "version",
}  # fmt: skip


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_every_metric_bears_the_prefix_and_says_what_it_is() -> None:
    for one in DECLARED:
        assert one._name.startswith("tidegate_")
        assert one._documentation.endswith(".")
        assert one._documentation[0].isupper()


def test_no_label_grows_without_bound() -> None:
    assert {label for one in DECLARED for label in one._labelnames} <= LABELS


def test_durations_and_sizes_are_in_base_units() -> None:
    histograms = [one._name for one in DECLARED if one._type == "histogram"]
    assert all(name.endswith(("_seconds", "_bytes")) for name in histograms)


@pytest.mark.parametrize("one", [m for m in DECLARED if m._type == "histogram"], ids=str)
def test_buckets_are_few_and_rise(one: MetricWrapperBase) -> None:
    buckets = one._kwargs["buckets"]
    assert list(buckets) == sorted(set(buckets))
    assert 8 <= len(buckets) <= 15


def known(label: str) -> Iterator[str]:
    yield from {
        "decision": ("approved", "rejected", "timeout_approved", "timeout_rejected"),
        "kind": ("forbidden", "foreign", "too_large", "conflict", "unavailable", "tail"),
    }[label]


def test_counters_that_alerts_watch_exist_before_anything_happens() -> None:
    for decision in known("decision"):
        assert value("tidegate_checkpoint_decisions_total", decision=decision) is not None
    for kind in known("kind"):
        assert value("tidegate_log_write_errors_total", kind=kind) is not None
    for kind in ("again", "refused", "user", "bug"):
        assert value("tidegate_reconcile_errors_total", kind=kind) is not None


def test_a_namespace_has_its_counters_as_soon_as_a_run_began_there() -> None:
    assert value("tidegate_workflows_started_total", namespace="fresh") is None
    metrics.record("workflow_started", 1.0, (), "fresh")
    assert value("tidegate_workflows_started_total", namespace="fresh") == 1.0
    for result in ("Succeeded", "Failed", "Cancelled"):
        name = "tidegate_workflows_finished_total"
        assert value(name, namespace="fresh", result=result) == 0.0


def test_a_namespace_has_the_results_of_runs_that_are_on_before_any_of_them_ends() -> None:
    metrics.expect_runs("inherited")
    assert value("tidegate_workflows_started_total", namespace="inherited") is None
    for result in ("Succeeded", "Failed", "Cancelled"):
        name = "tidegate_workflows_finished_total"
        assert value(name, namespace="inherited", result=result) == 0.0


def test_namespaces_beyond_a_bound_are_one() -> None:
    namespaces = Namespaces(2)
    assert [namespaces.label(name) for name in "abcab"] == ["a", "b", "(other)", "a", "b"]


def test_a_decision_counts_with_its_wait() -> None:
    def counted() -> tuple[float, float]:
        decisions = value("tidegate_checkpoint_decisions_total", decision="approved")
        return decisions or 0.0, value("tidegate_checkpoint_wait_seconds_sum") or 0.0

    decisions, seconds = counted()
    metrics.record("checkpoint_decided", 30.0, ("approved",), "shop")
    assert counted() == (decisions + 1.0, seconds + 30.0)
