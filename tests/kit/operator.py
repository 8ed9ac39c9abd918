"""The operator as a process from the source tree, under the rights that the chart gives it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
import yaml

from tests.demo.install import NAMESPACE, RELEASE
from tests.demo.tools import REPOSITORY
from tests.kit.client import Object
from tests.kit.cluster import LEASE, Cluster
from tests.kit.waiting import SOON, WaitedError

PAUSE = 0.05
QUICK_LEASE = {
    "TIDEGATE_LEASE_DURATION": "3",
    "TIDEGATE_LEASE_RENEW_DEADLINE": "2",
    "TIDEGATE_LEASE_RETRY_PERIOD": "0.5",
}


def kubeconfig_of(
    cluster: Cluster, folder: Path, account: str = RELEASE, namespace: str = NAMESPACE
) -> Path:
    """Write a kubeconfig with a token of a service account and return its path."""
    request: Object = {"metadata": {"name": account}, "spec": {"expirationSeconds": 7200}}
    answer = cluster.client.create("serviceaccounts", namespace, request, "token")
    document = yaml.safe_load(Path(cluster.tools.kubeconfig).read_text())
    document["users"] = [{"name": "operator", "user": {"token": answer["status"]["token"]}}]
    for context in document["contexts"]:
        context["context"]["user"] = "operator"
    target = folder / f"{namespace}-{account}.kubeconfig"
    target.write_text(yaml.safe_dump(document))
    return target


@dataclass
class Operator:
    """``python -m tidegate``; it can be killed and started again any number of times."""

    kubeconfig: Path
    log: Path
    namespaces: tuple[str, ...] = ()
    name: str = "operator-0"
    lease_namespace: str = NAMESPACE
    more: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _read_from: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Its settings."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY / "operator"),
            "KUBECONFIG": str(self.kubeconfig),
            "TIDEGATE_NAMESPACES": ",".join(self.namespaces),
            "TIDEGATE_POD_NAME": self.name,
            "TIDEGATE_POD_NAMESPACE": self.lease_namespace,
            "TIDEGATE_LEASE_NAME": LEASE,
            "TIDEGATE_LOG_FORMAT": "json",
            "TIDEGATE_PROBE_PORT": "0",
            "TIDEGATE_METRICS_PORT": "0",
            **QUICK_LEASE,
            **self.more,
        }

    def start(self) -> Operator:
        """Start it and don't wait for anything."""
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        self.starts += 1
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tidegate"],
                env=self.environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait(SOON)

    def stop(self) -> None:
        """End it politely, or else at once; fine if it has ended already."""
        if self._process is None or self._process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.wait(12)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """Return what it has logged since its last start."""
        with self.log.open("rb") as source:
            source.seek(self._read_from)
            return source.read().decode(errors="replace")

    def everything(self) -> str:
        """Return what it has logged in all its lives."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # --- asking it ----------------------------------------------------------------------------

    def port(self, what: str) -> int:
        """Return the port of its ``probes`` or ``metrics``, which it chose and logged."""
        told = re.search(rf"{what} on port (\d+)", self.output())
        if told is None:
            raise WaitedError(f"it has told no port of its {what} yet")
        return int(told[1])

    def probe(self, path: str) -> tuple[int, str]:
        """Ask a probe; (0, reason) if nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port('probes')}{path}"
            answer = urllib3.request("GET", url, timeout=5, retries=False)
        except (urllib3.exceptions.HTTPError, WaitedError) as error:
            return 0, str(error)
        return answer.status, answer.data.decode()

    def metric(self, name: str) -> float | None:
        """Return a metric that has no labels; None if it isn't there."""
        url = f"http://127.0.0.1:{self.port('metrics')}/metrics"
        text = urllib3.request("GET", url, timeout=5, retries=False).data.decode()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def until(self, condition: Callable[[], bool], what: str, seconds: float = SOON) -> None:
        """Ask again and again until something holds; it must live all the while."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not condition():
            if not self.is_running:
                raise WaitedError(
                    f"the operator ended while waiting for: {what}\n{self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise WaitedError(f"waited {seconds:.0f} s for: {what}\n{self._last_words()}")
            pause.wait(PAUSE)

    def until_ready(self) -> Operator:
        """Wait until it says that it could lead."""
        self.until(lambda: self.probe("/readyz")[0] == 200, "readyz")
        return self

    def until_leading(self) -> Operator:
        """Wait until it leads."""
        self.until(lambda: "leading as" in self.output(), "its leadership")
        return self

    def problems(self) -> list[str]:
        """Return the log lines that tell of errors in it: unhandled ones, or bugs."""
        lines = self.everything().splitlines()
        return [line for line in lines if _is_problem(line)]

    def _last_words(self) -> str:
        return "\n".join(self.output().splitlines()[-15:])


def _is_problem(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return bool(line.strip())
    return entry.get("level") in ("error", "critical") or "Traceback" in line
