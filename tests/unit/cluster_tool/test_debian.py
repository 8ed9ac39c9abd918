"""Programs out of Debian packages, without the network: apt-get and dpkg-deb are played."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import debian
from tests.cluster.debian import PROMETHEUS
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.report import Reporter, Step


class Apt:
    """Plays apt-get and dpkg-deb."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], _log: Path, *, cwd: Path | None = None, **_: Any) -> None:
        self.asked.append(
            next(word for word in argv if word in {"download", "update", "--extract"})
        )
        if "download" in argv:
            if self.failures:
                self.failures -= 1
                raise ClusterError("apt-get ended with exit code 100")
            assert cwd is not None
            (cwd / "prometheus_1_amd64.deb").touch()
        if "--extract" in argv:
            programs = Path(argv[-1]) / "usr" / "bin"
            programs.mkdir(parents=True)
            for name in PROMETHEUS.programs:
                (programs / name).write_text("#!")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture
def step() -> Step:
    with Reporter().step("prometheus") as step:
        return step


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Apt]:
    """A machine with these programs, whose user is root or isn't."""

    def make(*programs: str, failures: int = 0, root: bool = True) -> Apt:
        apt = Apt(failures)
        there = {Path(program).name: program for program in programs}
        monkeypatch.setattr(debian, "which", there.get)
        monkeypatch.setattr(debian, "run_logged", apt.run)
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        return apt

    return make


APT = ("/usr/bin/apt-get", "/usr/bin/dpkg-deb")


def test_a_package_is_unpacked_once(machine: Callable[..., Apt], paths: Paths, step: Step) -> None:
    apt = machine(*APT)
    folder = debian.ensure(PROMETHEUS, paths, step, only="promtool")
    assert {path.name for path in folder.iterdir()} == {"prometheus", "promtool"}
    assert debian.ensure(PROMETHEUS, paths, step) == folder
    assert apt.asked == ["download", "--extract"]
    assert {path.name for path in paths.binaries.iterdir()} == {
        "debian-prometheus",
        "debian-prometheus.lock",
    }


def test_what_the_machine_has_is_taken(
    machine: Callable[..., Apt], paths: Paths, step: Step
) -> None:
    apt = machine(*APT, "/opt/bin/promtool")
    assert debian.ensure(PROMETHEUS, paths, step, only="promtool") == Path("/opt/bin")
    assert debian.ensure(PROMETHEUS, paths, step, only="prometheus") != Path("/opt/bin")
    assert apt.asked == ["download", "--extract"]


def test_without_package_lists_they_are_fetched_first(
    machine: Callable[..., Apt], paths: Paths, step: Step
) -> None:
    apt = machine(*APT, failures=1)
    debian.ensure(PROMETHEUS, paths, step)
    assert apt.asked == ["download", "update", "download", "--extract"]


def test_whoever_is_not_root_is_not_asked_to_fetch_lists(
    machine: Callable[..., Apt], paths: Paths, step: Step
) -> None:
    apt = machine(*APT, failures=1, root=False)
    with pytest.raises(ClusterError):
        debian.ensure(PROMETHEUS, paths, step)
    assert apt.asked == ["download"]


def test_on_other_systems_it_is_said_what_is_missing(
    machine: Callable[..., Apt], paths: Paths, step: Step
) -> None:
    machine()
    with pytest.raises(ClusterError, match="missing on this machine: prometheus, promtool"):
        debian.ensure(PROMETHEUS, paths, step)
