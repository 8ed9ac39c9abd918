"""Each example says what it shows, how to run it and how it ends, and is valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.api.specs import faults, validated
from tests.unit.docs.pages import EXAMPLES, ROOT, name_of
from tidegate.api.identity import AttemptId
from tidegate.build.job import job_manifest
from tidegate.engine.model import Start

GPU = ROOT / "examples" / "gpu-training.yaml"
NAMED = {
    "hello",
    "diamond",
    "retry",
    "fallback",
    "error-handler",
    "cleanup",
    "resume",
    "restricted-namespace",
    "gpu-training",
    "approval",
    "two-person-rule",
    "nightly-report",
    "database-migration",
    "outputs",
    "conditional",
    "parameters",
}
PATIENCE = 15
"""Seconds that an example may sleep: it runs in tests, on slow machines."""


def documents(example: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(example.read_text()))


def workflow(example: Path) -> dict[str, Any]:
    (found,) = [one for one in documents(example) if one["kind"] == "Workflow"]
    return found


def test_all_examples_are_there() -> None:
    assert {path.stem for path in EXAMPLES} == NAMED


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_the_first_lines_tell_what_it_shows_how_to_run_it_and_how_it_ends(example: Path) -> None:
    shows, runs, outcome = example.read_text().splitlines()[:3]
    assert re.fullmatch(r"# [A-Z].+\.", shows)
    assert runs.startswith("# Run it:  kubectl apply ")
    assert f"-f examples/{example.name}" in runs
    assert re.match(r"# outcome: (Succeeded|Failed|Cancelled|none)\b", outcome)


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_is_valid(example: Path) -> None:
    found = workflow(example)
    assert found["apiVersion"] == "tidegate.dev/v1alpha1"
    assert faults(found["spec"], found["metadata"]["name"]) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_is_called_as_its_file(example: Path) -> None:
    assert workflow(example)["metadata"]["name"] == example.stem


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e != GPU], ids=name_of)
def test_an_example_runs_on_busybox_and_is_short(example: Path) -> None:
    text = example.read_text()
    images = re.findall(r"image: (\S+)", text.replace("$(params.version)", "1.36"))
    assert set(images) == {"busybox:1.36"}
    assert sum(map(int, re.findall(r"sleep (\d+)", text))) <= PATIENCE


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_an_example_that_asks_says_how_to_answer(example: Path) -> None:
    asked = {node["name"] for node in workflow(example)["spec"]["nodes"] if "checkpoint" in node}
    commands = re.findall(r"^# Answer: +(.+)$", example.read_text(), re.MULTILINE)
    votes = [re.search(r"checkpoint\.tidegate\.dev/([a-z0-9-]+)", one) for one in commands]
    assert {vote and vote[1] for vote in votes} == asked


def test_the_training_run_asks_for_its_gpu_and_its_data() -> None:
    claim, _ = documents(GPU)
    train = job_manifest(
        validated(workflow(GPU)["spec"], "gpu-training"), Start(AttemptId(1, "train-small", 1))
    )["spec"]["template"]["spec"]
    (main,) = train["containers"]
    assert main["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert {mount["mountPath"] for mount in main["volumeMounts"]} == {
        "/data",
        "/dev/shm",  # noqa: S108 - where the example mounts shared memory
    }
    assert train["tolerations"][0]["key"] == "nvidia.com/gpu"
    volumes = {volume["name"]: volume for volume in train["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_restricted_example_meets_what_pod_security_demands_of_each_pod() -> None:
    example = ROOT / "examples" / "restricted-namespace.yaml"
    found = validated(workflow(example)["spec"], example.stem)
    for name in found.tasks:
        pod = job_manifest(found, Start(AttemptId(1, name, 1)))["spec"]["template"]["spec"]
        (main,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert main["securityContext"]["allowPrivilegeEscalation"] is False
        assert main["securityContext"]["capabilities"] == {"drop": ["ALL"]}
