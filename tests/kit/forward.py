"""A pod's port on this machine, whatever the cluster: ``kubectl port-forward``."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Self

from tests.kit.cluster import Cluster
from tests.kit.waiting import SOON, WaitedError

PAUSE = 0.05


class Forward:
    """Forwards until it is closed; a context manager."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, port: int, log: Path) -> None:
        self._log = log
        command = ["port-forward", "--namespace", namespace, f"pod/{pod}", f":{port}"]
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [cluster.tools.kubectl_path, *command, "--address=127.0.0.1"],
                env=cluster.tools.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            self.address = self._wait_for_address()
        except WaitedError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; fine if its pod has gone."""
        self._process.terminate()
        self._process.wait(SOON)

    def _wait_for_address(self) -> str:
        deadline, pause = time.monotonic() + SOON, threading.Event()
        while time.monotonic() < deadline and self._process.poll() is None:
            told = re.search(r"Forwarding from (127\.0\.0\.1:\d+)", self._log.read_text())
            if told:
                return told[1]
            pause.wait(PAUSE)
        raise WaitedError(f"no port was forwarded: {self._log.read_text()}")
