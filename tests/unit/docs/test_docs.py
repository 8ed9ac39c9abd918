"""The pages say what the code does: fields, reasons, events, settings, snippets and links."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from tests.unit.api.specs import faults
from tests.unit.docs import tables
from tests.unit.docs.pages import (
    DOCS,
    EXAMPLES,
    PAGES,
    README,
    ROOT,
    anchors,
    blocks,
    links,
    name_of,
    rows,
    sections,
)
from tidegate.api import checkpoint_spec, log_spec, spec, status
from tidegate.api.crd import crd
from tidegate.engine import reasons
from tidegate.engine.model import NoteKind
from tidegate.settings import Settings

REFERENCE = DOCS / "reference.md"
FAILURES = DOCS / "failures.md"
OPERATIONS = DOCS / "operations.md"
OBSERVE = DOCS / "observe.md"
NODES = "Nodes and standbys"
SOURCES = sorted((ROOT / "operator").glob("**/*.py"))
YAML = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]

SPEC_SECTIONS: list[tuple[str, tuple[type[BaseModel], ...]]] = [
    ("Workflow spec", (spec.WorkflowSpec,)),
    ("Params and outputs", (spec.Param, spec.OutputSpec)),
    (NODES, (spec.NodeSpec,)),
    ("Retry", (spec.Retry, spec.Backoff, spec.ExitCodes)),
    ("Log", (log_spec.LogSpec,)),
    ("Defaults", (spec.Defaults,)),
    ("Checkpoints", (checkpoint_spec.Checkpoint,)),
    ("Approvers", (checkpoint_spec.Approvers,)),
    ("Inputs", (checkpoint_spec.CheckpointInput,)),
]
STATUS_SECTIONS: list[tuple[str, tuple[type[BaseModel], ...]]] = [
    ("Workflow status", (status.WorkflowStatus,)),
    ("Node", (status.NodeStatus,)),
    ("Job", (status.JobRef,)),
    ("Failure", (status.Failure,)),
    ("Vote", (status.Vote,)),
    ("Wave", (status.WaveStatus,)),
    ("Ending and outcome", (status.Ending, status.Outcome)),
    ("Former runs, requests and log", (status.RunSummary, status.LogRef, status.Requests)),
    ("Condition", (status.Condition,)),
]


def fields(models: Iterable[type[BaseModel]]) -> set[str]:
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


# --- the reference -------------------------------------------------------------------------------


@pytest.mark.parametrize(("heading", "models"), SPEC_SECTIONS + STATUS_SECTIONS)
def test_the_reference_has_every_field_and_no_other(
    heading: str, models: tuple[type[BaseModel], ...]
) -> None:
    assert set(rows(sections(REFERENCE)[heading])) == fields(models)


def test_every_model_has_its_section() -> None:
    shown = {model for _, models in SPEC_SECTIONS + STATUS_SECTIONS for model in models}
    bases = {spec.TaskSpec, spec.StandbySpec}
    declared = {
        model
        for module in (checkpoint_spec, log_spec, spec, status)
        for _, model in inspect.getmembers(module, inspect.isclass)
        if issubclass(model, BaseModel) and model.__module__ == module.__name__
    }
    assert declared - bases == shown


def test_standbys_lack_what_the_table_of_nodes_alone_says() -> None:
    both, only_nodes = sections(REFERENCE)[NODES].split("Only nodes:")
    assert set(rows(both)) == fields([spec.StandbySpec])
    assert set(rows(only_nodes)) == fields([spec.NodeSpec]) - fields([spec.StandbySpec])


def _schema(*path: str) -> dict[str, Any]:
    part: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for step in ("spec", *path):
        part = part["properties"][step]
        part = part.get("items", part)
    return part


@pytest.mark.parametrize(
    ("heading", "path"),
    [
        ("Workflow spec", ()),
        (NODES, ("nodes",)),
        ("Checkpoints", ("nodes", "checkpoint")),
        ("Retry", ("nodes", "retry")),
        ("Retry", ("nodes", "retry", "backoff")),
    ],
)
def test_the_reference_tells_the_defaults_of_the_crd(heading: str, path: tuple[str, ...]) -> None:
    told = rows(sections(REFERENCE)[heading])
    for name, field in _schema(*path)["properties"].items():
        default = field.get("default")
        if isinstance(default, bool):
            default = str(default).lower()
        if isinstance(default, float):
            default = f"{default:g}"
        if default not in (None, {}):
            assert told[name].lstrip().startswith(f"`{default}` |"), name


def test_the_reference_names_every_column_and_value() -> None:
    text = REFERENCE.read_text()
    enums = (spec.Execution, spec.FailurePolicy, spec.Trigger, spec.RerunPolicy)
    for enum in (*enums, spec.JobRetention, spec.Jitter, checkpoint_spec.OnTimeout):
        assert {str(value) for value in enum if f"`{value}`" not in text} == set()


# --- reasons, events, settings, metrics ----------------------------------------------------------


def used(enum: type[reasons.Reason | reasons.RunReason]) -> set[str]:
    """The values that the code really uses."""
    code = "\n".join(path.read_text() for path in SOURCES)
    return {str(value) for value in enum if f"{enum.__name__}.{value.name}" in code}


@pytest.mark.parametrize("enum", [reasons.Reason, reasons.RunReason])
def test_every_reason_is_explained(enum: type[reasons.Reason | reasons.RunReason]) -> None:
    text = FAILURES.read_text()
    assert {reason for reason in used(enum) if f"`{reason}`" not in text} == set()


def test_every_event_is_listed() -> None:
    assert set(rows(sections(OBSERVE)["Events"])) == {str(kind) for kind in NoteKind}


def test_every_setting_is_listed_with_its_default() -> None:
    told = rows(sections(OPERATIONS)["Settings"])
    assert set(told) == {f"TIDEGATE_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = field.default
        if default in ((), "") or name == "pod_namespace":
            continue
        shown = ",".join(default) if isinstance(default, tuple) else f"{default}"
        shown = f"{default:g}" if isinstance(default, float) else shown
        shown = shown.lower() if isinstance(default, bool) else shown
        assert f"`{shown}` |" in told[f"TIDEGATE_{name.upper()}"], name


def test_the_table_of_metrics_is_up_to_date() -> None:
    assert tables.written() == tables.metrics_table(), "run: python -m tests.unit.docs.tables"


def test_writing_the_table_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}old\n{tables.END}after\n")
    tables.write(page)
    table = tables.metrics_table()
    assert page.read_text() == f"before\n{tables.BEGIN}{table}{tables.END}after\n"


# --- snippets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", YAML, ids=str)
def test_a_yaml_block_is_a_valid_workflow_or_its_spec(block: Any) -> None:
    if block.text.startswith("# values.yaml"):
        assert isinstance(yaml.safe_load(block.text), dict)
        return
    document = yaml.safe_load(block.text)
    if "kind" in document:
        assert (document["apiVersion"], document["kind"]) == ("tidegate.dev/v1alpha1", "Workflow")
    else:
        assert set(document) == {"spec"}
    assert faults(document["spec"]) == []


def test_the_readme_begins_with_a_workflow_of_ten_lines() -> None:
    first = next(blocks(README))
    assert first.language == "yaml"
    assert len(first.text.splitlines()) == 10


def test_values_in_the_pages_are_known_to_the_chart() -> None:
    known = yaml.safe_load((ROOT / "charts" / "tidegate" / "values.yaml").read_text())
    for block in YAML:
        if block.text.startswith("# values.yaml"):
            assert _unknown(yaml.safe_load(block.text), known) == []


def _unknown(values: dict[str, Any], known: dict[str, Any]) -> list[str]:
    below = [
        f"{key}.{found}"
        for key, value in values.items()
        if isinstance(value, dict) and known.get(key)
        for found in _unknown(value, known[key])
    ]
    return [key for key in values if key not in known] + below


# --- links and words -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_decision_is_in_the_index() -> None:
    records = {path.name for path in (DOCS / "decisions").glob("0*.md")}
    assert set(links(DOCS / "decisions" / "README.md")) == records


BARE = re.compile(r"kubectl\b[^`\n]*?[\s,](workflows?)(?![\w.-])(/|\s|$|[`'\"),;])")
"""kubectl with Argo's name for the kind: ours is twf, or workflows.tidegate.dev."""


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES, *SOURCES], ids=name_of)
def test_nothing_says_kubectl_with_a_bare_workflow(path: Path) -> None:
    assert [found[0] for found in BARE.finditer(path.read_text())] == []


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("kubectl get workflow", True),
        ("kubectl -n x get workflows hello", True),
        ("kubectl wait --for=condition=Finished workflow/hello", True),
        ("`kubectl describe jobs,workflow x`", True),
        ("kubectl get twf", False),
        ("kubectl get workflows.tidegate.dev", False),
        ("kubectl get jobs -l tidegate.dev/workflow=hello", False),
        ("kubectl delete crd workflows.tidegate.dev", False),
    ],
)
def test_what_a_bare_workflow_is(line: str, bare: bool) -> None:
    assert bool(BARE.search(line)) is bare
