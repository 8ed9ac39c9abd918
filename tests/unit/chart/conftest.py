"""Renders the chart with a real helm."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "charts" / "tidegate"
OLDEST_KUBERNETES = "1.33.0"

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


class HelmError(Exception):
    """Helm's own words when it renders nothing."""


@pytest.fixture(scope="session")
def helm() -> Callable[..., str]:
    """Runs helm, from ``$HELM`` or compiled from its Go module, and returns what it prints."""
    program = (
        os.environ.get("HELM")
        or subprocess.run(
            [sys.executable, "-m", "tests.cluster", "tools", "helm"],
            cwd=REPOSITORY,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        .stdout.strip()
        .splitlines()[-1]
    )

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelmError(done.stdout + done.stderr)
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Renders the chart with ``values`` and returns the objects."""

    def run(release: str = "tidegate", **values: object) -> list[Manifest]:
        file = tmp_path_factory.mktemp("values") / "values.json"
        file.write_text(json.dumps(values))
        text = helm(
            "template", release, str(CHART), "--namespace", "tidegate-system",
            "--kube-version", OLDEST_KUBERNETES, "--values", str(file),
        )  # fmt: skip
        return [document for document in yaml.safe_load_all(text) if document]

    return run
