"""A real Prometheus beside the tests: it scrapes, evaluates rules and is asked."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cluster.paths import REPOSITORY


def tool(name: str) -> str:
    """Return where ``promtool`` or ``prometheus`` is: as ``$PROMTOOL`` says, or fetched."""
    named = os.environ.get(name.upper())
    if named:
        return named
    command = [sys.executable, "-m", "tests.cluster", "tools", name]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[-1]
