"""The whole process over HTTP: how it starts, tells how it is, and ends."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.fault.server import ApiServer

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Operator:
    """A process of the operator."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "current-context": "one",
                    "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                    "users": [{"name": "u", "user": {"token": "x"}}],
                }
            )
        )
        self.log = folder / "log"
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT / "operator"),
            "TIDEGATE_POD_NAME": "tidegate-0",
            "TIDEGATE_POD_NAMESPACE": "ops",
            "TIDEGATE_METRICS_PORT": "0",
            "TIDEGATE_PROBE_PORT": "0",
            "TIDEGATE_LOG_FORMAT": "json",
            "TIDEGATE_LEASE_DURATION": "7",
            "TIDEGATE_LEASE_RENEW_DEADLINE": "5",
            "TIDEGATE_LEASE_RETRY_PERIOD": "0.2",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidegate"], env=environment, stderr=log, stdout=log
            )

    def port(self, what: str) -> int:
        found = re.search(rf"{what} on port (\d+)", self.log.read_text())
        return int(found[1]) if found else 0

    def get(self, what: str, path: str) -> tuple[int, str]:
        try:
            url = f"http://127.0.0.1:{self.port(what)}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def says(self, words: str) -> bool:
        return words in self.log.read_text()

    def ends(self) -> int:
        return self.process.wait(PATIENCE)


def wait_until(condition: Callable[[], object], operator: Operator) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, operator.log.read_text()
        assert operator.process.poll() is None, operator.log.read_text()
        time.sleep(0.02)  # there is nothing to wait on but the process's own output


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    server.start()
    yield server
    server.stop()


@contextmanager
def started(server: ApiServer, folder: Path) -> Iterator[Operator]:
    operator = Operator(server, folder)
    try:
        yield operator
    finally:
        operator.process.kill()
        operator.process.wait()


@pytest.fixture
def operator(server: ApiServer, tmp_path: Path) -> Iterator[Operator]:
    with started(server, tmp_path) as operator:
        yield operator


@pytest.fixture
def leading(operator: Operator) -> Operator:
    wait_until(lambda: operator.says("working on 0 Workflows"), operator)
    return operator


def test_it_starts_leads_and_ends(server: ApiServer, leading: Operator) -> None:
    assert leading.get("probes", "/healthz") == (200, "ok")
    assert leading.get("probes", "/readyz") == (200, "ok")
    assert "tidegate_leader 1.0" in leading.get("metrics", "/metrics")[1]
    assert server.holder == "tidegate-0"
    began = time.monotonic()
    leading.process.send_signal(signal.SIGTERM)
    assert leading.ends() == 0
    assert time.monotonic() - began < 10
    assert server.holder == ""


WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def test_nothing_is_listed_twice_and_nothing_written(server: ApiServer, leading: Operator) -> None:
    wait_until(lambda: server.holder, leading)
    paths = [path for _, path in server.requests if "watch=" not in path]
    assert sum("/jobs?" in path for path in paths) == 1
    assert sum("/pods?" in path for path in paths) == 1
    sent = [path for method, path in server.requests if method != "GET"]
    assert [path for path in sent if "leases" not in path] == [WHO_AM_I]


def test_a_lease_that_another_took_ends_it(server: ApiServer, leading: Operator) -> None:
    server.take_lease()
    assert leading.ends() == 3
    assert leading.says("another replica holds the Lease")


def test_a_silent_server_ends_a_leader_before_others_take_over(
    server: ApiServer, leading: Operator
) -> None:
    server.hangs = True
    began = time.monotonic()
    assert leading.ends() == 3
    assert time.monotonic() - began < 7


def test_it_ends_with_kopf(server: ApiServer, leading: Operator) -> None:
    wait_until(lambda: any("watch=true" in path for _, path in server.requests), leading)
    server.drop_crd()
    assert leading.ends() == 4
    assert server.holder == ""


def test_it_waits_for_the_crd(server: ApiServer, tmp_path: Path) -> None:
    server.has_crd = False
    with started(server, tmp_path) as operator:
        wait_until(lambda: operator.says("waiting for Tidegate's CRDs"), operator)
        assert operator.get("probes", "/healthz") == (200, "ok")
        assert operator.get("probes", "/readyz")[0] == 503
        server.has_crd = True
        wait_until(lambda: any("watch=true" in path for _, path in server.requests), operator)
        wait_until(lambda: operator.get("probes", "/readyz") == (200, "ok"), operator)


def test_a_standby_is_ready(server: ApiServer, tmp_path: Path) -> None:
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 600}
    server.lease = {"metadata": {"resourceVersion": "1"}, "spec": spec}
    with started(server, tmp_path) as operator:
        wait_until(lambda: operator.get("probes", "/readyz") == (200, "ok"), operator)
        assert "tidegate_leader 0.0" in operator.get("metrics", "/metrics")[1]
        assert not operator.says("working on")
        server.lease = None
        wait_until(lambda: operator.says("working on 0 Workflows"), operator)
        operator.process.send_signal(signal.SIGTERM)
        assert operator.ends() == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"TIDEGATE_JOB_BURST": "many"}, "TIDEGATE_JOB_BURST"),
        ({"KUBECONFIG": "no-such-file"}, "no access to a cluster"),
    ],
)
def test_wrong_settings_end_in_a_sentence(variables: dict[str, str], words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), **variables}
    ended = subprocess.run(
        [sys.executable, "-m", "tidegate"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
