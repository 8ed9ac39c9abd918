"""The dashboard: what the panels' module makes, as Grafana imports it."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from tests.observe import dashboard
from tests.observe.panels import PANELS
from tests.unit.chart.conftest import Render
from tests.unit.docs.tables import labels_by_metric

BOARD: dict[str, Any] = json.loads(dashboard.FILE.read_text())
SHOWN = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in SHOWN for target in panel["targets"]]
UNITS = {"none", "s", "bytes", "ops", "reqps"}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


def metrics_in(expression: str) -> set[str]:
    return {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for name in re.findall(r"\b(?:tidegate|process)_\w+", expression)
    }


def test_the_file_is_what_the_panels_make() -> None:
    assert dashboard.FILE.read_text() == dashboard.text(), "run: python -m tests.observe.dashboard"


def test_ids_are_unique_and_titles_too_within_a_row() -> None:
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    row: set[str] = set()
    for panel in BOARD["panels"]:
        row = set() if panel["type"] == "row" else row
        assert panel["title"] not in row
        row.add(panel["title"])


def test_panels_lie_side_by_side() -> None:
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(place["x"] + place["w"] <= 24 for place in places)


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(
    panel: dict[str, Any],
) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert target["expr"]
        assert target["legendFormat"]


def test_the_variables_are_the_source_and_the_operator() -> None:
    source, job = BOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert job["query"]["query"] == "label_values(tidegate_build_info, job)"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD["panels"])))
    assert used == {"datasource", "job", "__rate_interval"}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_a_query_asks_for_what_there_is(target: dict[str, Any]) -> None:
    known = labels_by_metric()
    asked = metrics_in(target["expr"])
    assert asked
    assert asked <= known.keys() | PROCESS
    labels = {"job", "le", "instance"}.union(*(known.get(name, ()) for name in asked))
    told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    grouped = {
        label
        for labels in re.findall(r" by \(([^)]*)\)", target["expr"])
        for label in labels.split(", ")
    }
    assert told <= labels
    assert grouped <= labels
    assert target["expr"].count("{") == target["expr"].count('job=~"$job"')
    if grouped:
        assert told == grouped - {"le"}


def test_the_dashboard_shows_every_metric() -> None:
    shown = set().union(*(metrics_in(target["expr"]) for target in TARGETS))
    assert set(labels_by_metric()) - shown == set()


def test_its_size_suits_a_config_map() -> None:
    assert len(dashboard.text()) < 200_000
    assert len(PANELS) == len(SHOWN)


def test_the_chart_gives_it_to_the_sidecar(render: Render) -> None:
    values = {
        "enabled": True,
        "label": "dashboards",
        "labelValue": "ops",
        "annotations": {"f": "x"},
    }
    (found,) = [one for one in render(metrics={"dashboard": values}) if one["kind"] == "ConfigMap"]
    assert found["metadata"]["labels"]["dashboards"] == "ops"
    assert found["metadata"]["annotations"] == {"f": "x"}
    assert json.loads(found["data"]["tidegate.json"]) == BOARD
