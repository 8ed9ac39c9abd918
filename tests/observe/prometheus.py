"""A real Prometheus beside the tests: it scrapes, evaluates the alerts and is asked."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from tests.cluster.paths import REPOSITORY

ALERTS = REPOSITORY / "charts" / "tidegate" / "observe" / "alerts.yaml"
JOB = "tidegate"
PAUSE = 0.1
SOON = 30.0
OK = 200


def tool(name: str) -> str:
    """Return where ``promtool`` or ``prometheus`` is: as ``$PROMTOOL`` says, or fetched."""
    named = os.environ.get(name.upper())
    if named:
        return named
    command = [sys.executable, "-m", "tests.cluster", "tools", name]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip().splitlines()[-1]


@dataclass(frozen=True)
class Sample:
    """One answer to a query."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """Scrapes once a second, with the alerts of the chart; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._targets = folder / "targets.json"
        self._log = folder / "prometheus.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.scrape([])
        config = self._folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                [
                    tool("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            self.until(self._is_ready, "Prometheus to be ready")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; fine if it has ended already."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(SOON)

    def scrape(self, addresses: Iterable[str]) -> None:
        """From now on scrape these, and no others."""
        fresh = self._targets.with_suffix(".new")
        fresh.write_text(json.dumps([{"targets": list(addresses)}]))
        fresh.replace(self._targets.with_suffix(".json"))

    def query(self, expression: str) -> list[Sample]:
        """What an expression gives now; values that are no number are left out."""
        answer = self._ask("query", {"query": expression})
        found = answer["result"] if answer["resultType"] == "vector" else []
        samples = [Sample(one["metric"], float(one["value"][1])) for one in found]
        return [one for one in samples if not math.isnan(one.value)]

    def value(self, expression: str) -> float | None:
        """The value of an expression that gives one at most."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0].value if found else None

    def rules(self) -> list[dict[str, Any]]:
        """The alerts, each with its health."""
        groups = self._ask("rules", {})["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def until(self, condition: Callable[[], object], what: str, seconds: float = SOON) -> None:
        """Ask again and again until something holds."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not condition():
            assert self._process is None or self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for: {what}"
            pause.wait(PAUSE)

    def scraped_anew(self, scrapes: int = 2) -> None:
        """Return once every target was scraped so often since now."""
        for _ in range(scrapes):
            up = f"up{{job='{JOB}'}}"
            # Of anything but a plain selector timestamp() tells the time of the question.
            late = f"count({up}) - count(timestamp({up}) > {time.time()})"
            self.until(partial(self._is, late, 0.0), "a scrape of every target")

    def _is(self, expression: str, value: float) -> bool:
        return self.value(expression) == value

    def _is_ready(self) -> bool:
        told = re.search(r'msg="Listening on" address=(\S+)', self._log.read_text())
        if told is None:
            return False
        self.url = f"http://{told[1]}"
        return urllib3.request("GET", f"{self.url}/-/ready", timeout=5, retries=False).status == OK

    def _ask(self, what: str, fields: dict[str, str]) -> dict[str, Any]:
        url = f"{self.url}/api/v1/{what}"
        answer = urllib3.request("GET", url, fields=fields, timeout=10, retries=False).json()
        assert answer["status"] == "success", (fields, answer)
        found: dict[str, Any] = answer["data"]
        return found

    def _config(self) -> dict[str, Any]:
        job = {
            "job_name": JOB,
            "honor_labels": True,
            "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
        }
        return {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": [str(ALERTS)],
            "scrape_configs": [job],
        }
