"""Applies an example and shows its run as it happens."""

from __future__ import annotations

import json
import shlex
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
LOG_PATIENCE = 20.0
MARK = "tidegate.dev/log"


def apply(tools: Tools, example: Path) -> str:
    """Apply the example anew, whatever an earlier demo left, and return its name."""
    name = str(yaml.safe_load(example.read_text())["metadata"]["name"])
    tools.kubectl("delete", "twf", name, "--ignore-not-found", "--wait", "--timeout=60s")
    tools.kubectl("apply", "-f", str(example), step=f"applying {example.relative_to(REPOSITORY)}")
    return name


def follow(tools: Tools, name: str, out: TextIO) -> dict[str, Any]:
    """Show the run until it has ended, answer what it asks, and return its last status."""
    screen = Screen(out)
    status: dict[str, Any] = {}
    answered: set[str] = set()
    for status in statuses(tools, name):
        screen.show(status)
        if status.get("phase") in FINAL:
            return status
        for node, code in story.questions(status).items():
            if code not in answered:
                answered.add(code)
                screen.say(node, f"               $ {approve(tools, name, node, code)}")
    raise DemoError(
        f"the run of {name} (no end within {PATIENCE:.0f} s, phase {status.get('phase')})",
        status.get("message") or "",
        f"kubectl describe twf {name}; kubectl -n tidegate-system logs deployment/tidegate",
    )


def approve(tools: Tools, name: str, node: str, code: str) -> str:
    """Approve an open checkpoint as a person would, and return the command that did."""
    me = json.loads(tools.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    vote = f"checkpoint.tidegate.dev/{node}=approved@{code} by {me}: demo"
    command = ("annotate", "--overwrite", "twf", name, vote)
    tools.kubectl(*command, step=f"approving {node}")
    return shlex.join(("kubectl", *command))


def statuses(tools: Tools, name: str) -> Iterator[dict[str, Any]]:
    """Yield each status that the Workflow gets, as ``kubectl get --watch`` prints it."""
    for document in watched(tools, PATIENCE, "twf", name):
        yield document.get("status") or {}


def log(tools: Tools, name: str) -> str:
    """Return the log of the run that has ended; empty if it isn't written in time."""
    selector = f"metadata.name={name}-log"
    for document in watched(tools, LOG_PATIENCE, "configmaps", "--field-selector", selector):
        mark = json.loads(document["metadata"].get("annotations", {}).get(MARK, "{}"))
        if mark.get("over") and mark.get("status"):
            return str(document["data"]["log.md"])
    return ""


def watched(tools: Tools, seconds: float, *what: str) -> Iterator[dict[str, Any]]:
    """Yield objects as ``kubectl get --watch`` prints them, for so long."""
    command = [tools.kubectl_path, "get", *what, "--watch", "-o", "json"]
    with subprocess.Popen(
        command, env=tools.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        alarm = threading.Timer(seconds, process.kill)
        alarm.start()
        try:
            yield from documents(process.stdout)
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
        self._status: dict[str, Any] = {}
        self._said: dict[str, list[str]] = {}

    def show(self, status: dict[str, Any]) -> None:
        """Bring the screen up to this status."""
        self._status = status
        if self._live:
            self._repaint([text for node in story.lines(status) for text in self._lines_of(node)])
            return
        for text in story.settled(status).values():
            self._print_once(text)

    def say(self, node: str, text: str) -> None:
        """Put a line below the node's present one; both stay."""
        self._said.setdefault(node, []).extend((story.lines(self._status)[node], text))
        if self._live:
            self.show(self._status)
            return
        for line in self._said[node]:
            self._print_once(line)

    def _lines_of(self, node: str) -> list[str]:
        said, now = self._said.get(node, []), story.lines(self._status)[node]
        return said if now in said else [*said, now]

    def _print_once(self, text: str) -> None:
        if text not in self._printed:
            self._printed.append(text)
            print(text, file=self._out, flush=True)

    def _repaint(self, lines: list[str]) -> None:
        up = f"\x1b[{len(self._printed)}A" if self._printed else ""
        width = shutil.get_terminal_size().columns  # a line that wraps would be counted wrongly
        body = "".join(f"\x1b[2K{text[: width - 1]}\n" for text in lines)
        print(up + body, end="", file=self._out, flush=True)
        self._printed = lines
