"""Applies an example and shows its run as it happens."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TextIO

import yaml

from tests.demo import story
from tests.demo.tools import REPOSITORY, DemoError, Tools

FINAL = ("Succeeded", "Failed", "Cancelled")
PATIENCE = 300.0


def apply(tools: Tools, example: Path) -> str:
    """Apply the example anew, whatever an earlier demo left, and return its name."""
    name = str(yaml.safe_load(example.read_text())["metadata"]["name"])
    tools.kubectl("delete", "twf", name, "--ignore-not-found", "--wait", "--timeout=60s")
    tools.kubectl("apply", "-f", str(example), step=f"applying {example.relative_to(REPOSITORY)}")
    return name


def follow(tools: Tools, name: str, out: TextIO) -> dict[str, Any]:
    """Show the run until it has ended and return its last status."""
    screen = Screen(out)
    status: dict[str, Any] = {}
    for status in statuses(tools, name):
        screen.show(status)
        if status.get("phase") in FINAL:
            return status
    raise DemoError(
        f"the run of {name} (no end within {PATIENCE:.0f} s, phase {status.get('phase')})",
        status.get("message") or "",
        f"kubectl describe twf {name}; kubectl -n tidegate-system logs deployment/tidegate",
    )


def statuses(tools: Tools, name: str) -> Iterator[dict[str, Any]]:
    """Yield each status that the Workflow gets, as ``kubectl get --watch`` prints it."""
    command = [tools.kubectl_path, "get", "twf", name, "--watch", "-o", "json"]
    with subprocess.Popen(
        command, env=tools.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            for document in documents(process.stdout):
                yield document.get("status") or {}
        finally:
            alarm.cancel()
            process.kill()


def documents(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that kubectl prints one after another, indented."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if line.rstrip("\n") == "}":
            yield json.loads("".join(lines))
            lines = []


class Screen:
    """Keeps a line for each node alive at a terminal; elsewhere prints each once, when settled."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._printed: list[str] = []

    def show(self, status: dict[str, Any]) -> None:
        """Bring the screen up to this status."""
        if self._live:
            self._repaint(list(story.lines(status).values()))
            return
        for text in story.settled(status).values():
            if text not in self._printed:
                self._printed.append(text)
                print(text, file=self._out, flush=True)

    def _repaint(self, lines: list[str]) -> None:
        up = f"\x1b[{len(self._printed)}A" if self._printed else ""
        width = shutil.get_terminal_size().columns  # a line that wraps would be counted wrongly
        body = "".join(f"\x1b[2K{text[: width - 1]}\n" for text in lines)
        print(up + body, end="", file=self._out, flush=True)
        self._printed = lines
