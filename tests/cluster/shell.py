"""Running other programs: their output in a log, their failure in words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError

LONG = 1800.0


def run_logged(
    argv: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    remedy: str = "",
) -> None:
    """Run a command to its end with its output in ``log``; raise ClusterError if it fails.

    ``on_line`` is called with each line of output as it comes, for progress.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(argv)}\n")
        sink.flush()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            text=True,
            errors="replace",
        )
        if process.stdout is None:  # PIPE was asked for; this tells the type checker
            raise ClusterError(f"{argv[0]} gave no output to read")
        with process:
            for line in process.stdout:
                sink.write(line)
                sink.flush()
                if on_line is not None:
                    on_line(line.rstrip())
    if process.returncode != 0:
        message = f"{Path(argv[0]).name} ended with exit code {process.returncode}"
        raise ClusterError(message, log=log, remedy=remedy)


def output(
    argv: Sequence[str], *, timeout: float = 60.0, env: Mapping[str, str] | None = None
) -> str:
    """Return what a short command prints; raise ClusterError with its words if it fails."""
    try:
        result = subprocess.run(
            argv,
            check=True,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{argv[0]} gave no answer within {timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip()
        raise ClusterError(f"`{' '.join(argv)}` failed: {said}") from error
    return result.stdout


def succeeds(argv: Sequence[str], *, timeout: float = 20.0) -> bool:
    """Return whether a short command can be run and ends with exit code 0."""
    try:
        result = subprocess.run(argv, check=False, capture_output=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0
