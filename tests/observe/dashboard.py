"""The Grafana dashboard of the chart: ``python -m tests.observe.dashboard`` writes it."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.paths import REPOSITORY
from tests.observe.panels import ROWS, Panel

FILE = REPOSITORY / "charts" / "tidegate" / "observe" / "dashboard.json"
WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


def dashboard() -> Json:
    """All of it, as Grafana imports it."""
    panels: list[Json] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_row(title, len(panels) + 1, top))
        top += 1
        per_line, height = (len(row), 4) if row[0].kind == "stat" else (min(len(row), 4), 8)
        width = WIDTH // per_line
        for index, panel in enumerate(row):
            line, column = divmod(index, per_line)
            place = {"x": column * width, "y": top + line * height, "w": width, "h": height}
            panels.append(_panel(panel, len(panels) + 1, place))
        top += -(-len(row) // per_line) * height
    return {
        "uid": "tidegate",
        "title": "Tidegate",
        "description": "Workflows, their pace, and the operator that runs them.",
        "tags": ["tidegate", "kubernetes"],
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource(), _job()]},
        "annotations": {"list": []},
        "panels": panels,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
    }


def _job() -> Json:
    query = "label_values(tidegate_build_info, job)"
    return {
        "name": "job",
        "label": "Operator",
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": "job"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
    }


def _row(title: str, number: int, top: int) -> Json:
    place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
    return {
        "id": number,
        "type": "row",
        "title": title,
        "gridPos": place,
        "collapsed": False,
        "panels": [],
    }


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _look(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "range": panel.kind != "stat",
                "instant": panel.kind == "stat",
            }
            for index, (legend, expression) in enumerate(panel.expressions.items())
        ],
    }


def _look(panel: Panel) -> Json:
    if panel.kind == "stat":
        steps: list[Json] = [{"color": "green", "value": None}]
        steps += [{"color": color, "value": value} for value, color in panel.thresholds.items()]
        return {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    custom = {"lineWidth": 1, "fillOpacity": 30 if panel.stacked else 10, "stacking": stacking}
    return {"unit": panel.unit, "min": 0, "custom": custom}


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        by_name = "version" in panel.title.lower()
        return {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "name" if by_name else "value",
        }
    return {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


if __name__ == "__main__":
    FILE.write_text(text())
