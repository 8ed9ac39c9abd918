"""Which of the three ways is taken: the user's cluster, kind, or plain processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster import engine, state
from tests.cluster.engine import Engine
from tests.cluster.errors import ClusterError
from tests.cluster.kind import KindCluster
from tests.cluster.local import machine
from tests.cluster.local.provider import LocalCluster
from tests.cluster.paths import Paths
from tests.cluster.report import Reporter
from tests.cluster.state import Current
from tests.cluster.status import Status
from tests.cluster.user import UserCluster

NAMES = ("user", "kind", "local")
DEFAULT_KUBECONFIG = "~/.kube/config"


class Provider(Protocol):
    """One way to a cluster."""

    def up(self) -> Current:
        """Make sure that the cluster is there and answers."""

    def down(self) -> None:
        """End what ``up`` made."""

    def status(self) -> Status:
        """Say how it is, without changing anything."""

    def load(self, what: str) -> None:
        """Bring an image, as an archive or by name, to the nodes."""


@dataclass(frozen=True)
class Wish:
    """What the command line and the environment ask for."""

    provider: str = "auto"
    kubeconfig: str = ""
    context: str = ""

    @classmethod
    def of(cls, provider: str, kubeconfig: str, context: str, env: Mapping[str, str]) -> Wish:
        """Return the wish; what the command line names goes before the environment.

        A kubeconfig or a context, once named, means the user's own cluster. KUBECONFIG alone
        means nothing: it is set in many shells, and its current context may be anything.
        """
        kubeconfig = kubeconfig or env.get("TIDEGATE_KUBECONFIG", "")
        context = context or env.get("TIDEGATE_CONTEXT", "")
        named = bool(kubeconfig or context)
        if provider == "auto" and named:
            provider = "user"
        if provider == "user":
            kubeconfig = kubeconfig or env.get("KUBECONFIG", "") or DEFAULT_KUBECONFIG
        return cls(provider, kubeconfig, context)


def named(provider: str, wish: Wish, paths: Paths, report: Reporter) -> Provider:
    """Return the provider of this name."""
    if provider == "user":
        return UserCluster(paths, report, Path(wish.kubeconfig).expanduser(), wish.context)
    if provider == "kind":
        return KindCluster(paths, report, _engine())
    return LocalCluster(paths, report)


def current(paths: Paths, report: Reporter) -> Provider | None:
    """Return the provider of the cluster that ``up`` made last; None if there is none."""
    known = Current.load(paths)
    if known is None:
        return None
    return named(known.provider, Wish(known.provider, known.source, known.context), paths, report)


def bring_up(wish: Wish, paths: Paths, report: Reporter) -> Current:
    """Bring up what is wished for and remember it.

    Left to choose, the cluster of the last ``up`` is taken again, else kind where an engine
    answers and gets its node image, else plain processes.
    """
    if wish.provider != "auto":
        found = named(wish.provider, wish, paths, report).up()
    else:
        known = current(paths, report)
        found = known.up() if known is not None else _choose(paths, report)
    found.save(paths)
    return found


def _choose(paths: Paths, report: Reporter) -> Current:
    answering = engine.find()
    if answering is None:
        return LocalCluster(paths, report).up()
    try:
        return KindCluster(paths, report, answering).up()
    except ClusterError as error:
        try:
            machine.check()
        except ClusterError:
            raise error from None
        report.say(f"  - kind can't be had here ({error}): plain processes instead")
        return LocalCluster(paths, report).up()


def take_down(wish: Wish, paths: Paths, report: Reporter) -> None:
    """End the cluster that is wished for, else the last one; forget it."""
    known = Current.load(paths)
    if wish.provider in {"kind", "local"}:
        provider: Provider | None = named(wish.provider, wish, paths, report)
    else:
        provider = current(paths, report)
    (provider or LocalCluster(paths, report)).down()
    if known is None or wish.provider in {"auto", known.provider}:
        state.forget(paths)


def _engine() -> Engine:
    answering = engine.find()
    if answering is None:
        raise ClusterError(
            "no container engine answers on this machine, and kind needs one",
            remedy="start Docker or Podman, or take --provider local (root, Linux)",
        )
    return answering
