"""jobs/<case>/workflow.yaml → jobs.yaml: the Jobs of its attempts.

``starts.yaml`` lists the attempts; without it they are the first ones of all nodes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.build.samples import start_of, workflow_of
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.build.job import job_manifest
from tidegate.engine.model import Start

CASES = sorted(path.parent for path in Path(__file__).parent.glob("jobs/*/workflow.yaml"))


class Dumper(yaml.SafeDumper):
    """Long texts as blocks, as people would write them."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _represent_text)


def starts(case: Path, workflow: ValidatedWorkflow) -> list[Start]:
    path = case / "starts.yaml"
    if not path.exists():
        return [start_of(name) for name in workflow.tasks]
    return [_start(entry) for entry in yaml.safe_load(path.read_text())]


def _start(entry: dict[str, Any]) -> Start:
    pairs = {field: tuple((entry.get(field) or {}).items()) for field in ("env", "values")}
    return start_of(**{**entry, **pairs})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_jobs(case: Path, golden: Callable[[Path, str], None]) -> None:
    raw = yaml.safe_load((case / "workflow.yaml").read_text())
    metadata = raw["metadata"]
    workflow = workflow_of(raw["spec"], namespace=metadata["namespace"], name=metadata["name"])
    jobs = [job_manifest(workflow, start) for start in starts(case, workflow)]
    text = yaml.dump_all(jobs, Dumper=Dumper, sort_keys=False, width=100, allow_unicode=True)
    golden(case / "jobs.yaml", text)
