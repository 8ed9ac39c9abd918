"""The generated files are what the models say, and the CRD offers what the design wants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.api import crd, rules
from tidegate.api.status import WorkflowStatus

ROOT = Path(__file__).parents[3]
VERSION = crd.crd()["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]["properties"]
NODE = SPEC["nodes"]["items"]["properties"]


@pytest.mark.parametrize(
    ("path", "text"), [(crd.CRD_PATH, crd.crd_yaml()), (crd.CHART_PATH, crd.chart_template())]
)
def test_the_committed_files_are_up_to_date(path: Path, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run: make crds"


def test_generating_writes_both_files(tmp_path: Path) -> None:
    crd.main(tmp_path)
    assert (tmp_path / crd.CRD_PATH).read_text(encoding="utf-8") == crd.crd_yaml()
    assert (tmp_path / crd.CHART_PATH).read_text(encoding="utf-8") == crd.chart_template()


def test_the_chart_holds_the_same_behind_its_switches() -> None:
    lines = [line for line in crd.chart_template().splitlines() if "{{" not in line]
    in_chart = yaml.safe_load("\n".join(lines))
    assert in_chart["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert in_chart == yaml.safe_load(crd.crd_yaml()) == crd.crd()


def test_names() -> None:
    names = crd.crd()["spec"]["names"]
    assert (names["plural"], names["shortNames"], names["categories"]) == (
        "workflows",
        ["twf"],
        ["tidegate"],
    )


def test_the_status_looks_never_finished_at_first() -> None:
    status = SCHEMA["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert "default" not in str(status["properties"])
    assert set(status["properties"]) == {f.alias for f in WorkflowStatus.model_fields.values()}


def test_columns() -> None:
    columns = VERSION["additionalPrinterColumns"]
    assert [c["name"] for c in columns if not c.get("priority")] == [
        "Phase", "Progress", "Wave", "Waiting", "Age",
    ]  # fmt: skip
    assert [c["name"] for c in columns if c.get("priority")] == ["Run", "Reason", "Message"]
    assert VERSION["selectableFields"] == [{"jsonPath": ".status.phase"}]


def test_inheritable_fields_have_no_default_and_others_do() -> None:
    for field in SPEC["defaults"]["properties"]:
        assert "default" not in SPEC["defaults"]["properties"][field]
        assert "default" not in NODE[field]
    defaults = {name: field["default"] for name, field in SPEC.items() if "default" in field}
    assert defaults == {
        "execution": "Waves",
        "failurePolicy": "FinishWave",
        "parallelism": 10,
        "suspend": False,
        "rerunPolicy": "Manual",
        "jobRetention": "Always",
        "log": {},
    }
    log = SPEC["log"]["properties"]
    assert (log["tailLines"]["default"], log["retain"]["default"]) == (20, False)
    assert NODE["trigger"]["default"] == "DependenciesSucceeded"
    assert NODE["allowFailure"]["default"] is False
    retry = NODE["retry"]["properties"]
    assert (retry["limit"]["default"], retry["timeouts"]["default"]) == (3, True)
    backoff = retry["backoff"]
    assert backoff["default"] == {}
    assert {name: field["default"] for name, field in backoff["properties"].items()} == {
        "base": "1s",
        "factor": 2.0,
        "cap": "32s",
        "jitter": "Full",
    }


def test_lists_are_merged_by_name() -> None:
    for field in (SPEC["nodes"], SPEC["standbys"], NODE["env"]):
        assert field["x-kubernetes-list-map-keys"] == ["name"]
    assert NODE["dependsOn"]["x-kubernetes-list-type"] == "set"


def test_standbys_have_what_nodes_have_less_what_orders_them() -> None:
    standby = SPEC["standbys"]["items"]["properties"]
    assert NODE.keys() - standby.keys() == {
        "dependsOn", "trigger", "when", "fallback", "allowFailure", "checkpoint",
    }  # fmt: skip
    assert standby.keys() <= NODE.keys()


def test_fields_not_built_yet_are_absent() -> None:
    absent = {"forEach"}
    assert not absent & (SPEC.keys() | NODE.keys())


def test_what_may_change_during_a_run_is_exactly_what_the_design_says() -> None:
    locked = {
        rule["fieldPath"].removeprefix(".spec.") for rule in rules.ROOT if "fieldPath" in rule
    }
    assert SPEC.keys() - locked == {
        "parallelism", "timeout", "suspend", "ttlSecondsAfterFinished", "rerunPolicy",
        "jobRetention", "log",
    }  # fmt: skip


def all_rules(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from schema.get("x-kubernetes-validations", ())
    children = [schema.get("items"), schema.get("additionalProperties")]
    for child in (*schema.get("properties", {}).values(), *children):
        if isinstance(child, dict):
            yield from all_rules(child)


def test_every_rule_has_words_of_its_own() -> None:
    found = list(all_rules(SCHEMA))
    assert len(found) > 20
    for rule in found:
        assert 20 < len(rule["message"]) < 130
        assert "\n" not in rule["message"]


def test_helm_reads_nothing_into_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crd, "to_yaml", lambda _: (
        "metadata:\n  name: workflows.tidegate.dev\n  labels:\n    a: 'x {{ y }}'\n"
    ))  # fmt: skip
    assert "{{ y" not in crd.chart_template().replace('{{ "{{" }}', "")


def test_a_chart_that_can_not_be_wrapped_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crd, "to_yaml", lambda _: "kind: Other\n")
    with pytest.raises(ValueError, match="as the chart's template expects"):
        crd.chart_template()
