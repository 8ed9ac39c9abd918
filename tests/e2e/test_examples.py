"""Every example ends as its first lines claim (`# outcome: …`), or else well.

What they ask is answered as their first lines say (`# Answer: …`), by those very commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import SPACES
from tests.demo.tools import REPOSITORY
from tests.kit.client import Object
from tests.kit.cluster import ACCOUNT, Cluster
from tests.kit.run import Run
from tests.kit.space import Space
from tests.kit.voting import opened, type_in
from tidegate.api.identity import AttemptId
from tidegate.api.workflow import validate
from tidegate.build.job import job_manifest
from tidegate.engine.model import Start
from tidegate.facts.workflow import workflow_fact

pytestmark = pytest.mark.e2e

NEEDS_A_GPU = "gpu-training"
MIGRATION = "database-migration"
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))
RUNNABLE = [path for path in EXAMPLES if path.stem != NEEDS_A_GPU]
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def outcome_of(example: Path) -> str:
    told = re.search(r"^# outcome: (\w+)", example.read_text(), re.MULTILINE)
    return told[1] if told else "Succeeded"


def answer(run: Run, example: Path) -> None:
    """Type in what the example says, once it is asked."""
    for command in re.findall(r"^# Answer: +(.+)$", example.read_text(), re.MULTILINE):
        node = re.search(r"checkpoint\.tidegate\.dev/([a-z0-9-]+)", command)
        assert node is not None, command
        opened(run, node[1], 240)
        type_in(run.cluster, run.namespace, command)


def the_workflow(example: Path) -> Object:
    documents = yaml.safe_load_all(example.read_text())
    (found,) = [document for document in documents if document["kind"] == "Workflow"]
    return dict(found)


@pytest.fixture(scope="module")
def applied(deployed: Cluster, request: pytest.FixtureRequest) -> Iterator[dict[Path, Space]]:
    """All examples under way at once, each in a namespace of its own."""
    chosen = {
        item.callspec.params["example"]: item  # type: ignore[attr-defined]
        for item in request.session.items
        if item.path == request.path and "example" in getattr(item, "fixturenames", ())
    }
    spaces: dict[Path, Space] = {}
    for example, item in chosen.items():
        labels = RESTRICTED if example.stem.startswith("restricted") else {}
        space = spaces[example] = Space.make(deployed, f"example-{example.stem}", labels)
        item.stash.setdefault(SPACES, []).append(space)
        space.kubectl("apply", "-f", str(example))
    yield spaces
    for space in spaces.values():
        space.discard()


@pytest.mark.parametrize("example", RUNNABLE, ids=lambda path: path.stem)
def test_an_example_ends_as_its_first_lines_claim(
    applied: dict[Path, Space], example: Path
) -> None:
    run = applied[example].run(the_workflow(example)["metadata"]["name"])
    answer(run, example)
    status = run.finished(outcome_of(example), 240)
    told = run.wait_log(f"# {run.name} · run 1 · {outcome_of(example)}")
    assert all(name in told["log.md"] for name in status["nodes"])


@pytest.mark.parametrize("example", [path for path in RUNNABLE if path.stem == MIGRATION])
def test_the_migration_that_breaks_is_rolled_back(
    applied: dict[Path, Space], example: Path
) -> None:
    run = applied[example].run(MIGRATION)
    run.finished("Failed", 240)
    assert run.log("roll-back") == "restored orders-before-0042.dump\n"
    assert [vote["by"] for vote in run.node("approve")["votes"]] == ["alice", "bob"]


def test_the_example_that_needs_a_gpu_is_admitted_and_so_are_the_jobs_it_makes(
    space: Space,
) -> None:
    (example,) = [path for path in EXAMPLES if path.stem == NEEDS_A_GPU]
    space.kubectl("apply", "--dry-run=server", "-f", str(example))
    suspended = the_workflow(example)
    suspended["spec"]["suspend"] = True
    space.apply(suspended)
    run: Run = space.run(suspended["metadata"]["name"])
    run.wait_phase("Pending", "Suspended")
    workflow = validate(workflow_fact(run.object))
    operator = space.client.impersonating(ACCOUNT, ("system:serviceaccounts",))
    for name in workflow.tasks:
        job = job_manifest(workflow, Start(AttemptId(1, name, 1), ()))
        path = f"/apis/batch/v1/namespaces/{space.name}/jobs"
        operator.send("POST", f"{path}?fieldValidation=Strict&dryRun=All", job)
