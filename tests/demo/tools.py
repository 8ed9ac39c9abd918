"""The programs that the demo runs: the cluster command, kubectl and helm, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
LINES_SHOWN = 20


class DemoError(Exception):
    """A step that failed: its name, its last words, and what usually helps."""

    def __init__(self, step: str, output: str = "", remedy: str = "") -> None:
        super().__init__(step)
        self.step = step
        self.output = output
        self.remedy = remedy

    def explain(self) -> str:
        """Return all of it for a person."""
        tail = [f"  | {line}" for line in self.output.strip().splitlines()[-LINES_SHOWN:]]
        help_ = [f"  what helps: {self.remedy}"] if self.remedy else []
        return "\n".join([f"{self.step} failed", *tail, *help_])


def cluster(*arguments: str) -> None:
    """Run the cluster command with its progress shown; it explains its own failures."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", *arguments], cwd=REPOSITORY, check=False
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def ask_cluster(*arguments: str) -> str:
    """Return what the cluster command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", *arguments],
        cwd=REPOSITORY,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout.strip()


def ask_cluster_json(*arguments: str) -> dict[str, Any]:
    """Return what the cluster command prints as JSON."""
    return dict(json.loads(ask_cluster(*arguments)))


@dataclass(frozen=True)
class Tools:
    """kubectl and helm for the cluster that is up."""

    kubeconfig: str
    kubectl_path: str
    helm_path: str

    @classmethod
    def find(cls) -> Tools:
        """Ask the cluster command for all three."""
        kubectl, helm = ask_cluster("tools", "kubectl", "helm").splitlines()
        return cls(ask_cluster("kubeconfig"), kubectl, helm)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which both programs see this cluster only."""
        return {**os.environ, "KUBECONFIG": self.kubeconfig}

    def kubectl(self, *arguments: str, step: str = "") -> str:
        """Run kubectl and return what it prints."""
        return self._run(self.kubectl_path, arguments, step or f"kubectl {arguments[0]}")

    def helm(self, *arguments: str, step: str = "") -> str:
        """Run helm and return what it prints."""
        return self._run(self.helm_path, arguments, step or f"helm {arguments[0]}")

    def _run(self, program: str, arguments: tuple[str, ...], step: str) -> str:
        done = subprocess.run(
            [program, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DemoError(step, done.stdout + done.stderr)
        return done.stdout
