"""The command line: which cluster, and what to do with it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster import debian, providers, toolchain
from tests.cluster.debian import Unpacked
from tests.cluster.errors import ClusterError
from tests.cluster.files import locked
from tests.cluster.imagebuild import ImageBuilder
from tests.cluster.local.provider import LocalCluster
from tests.cluster.paths import Paths
from tests.cluster.providers import Wish
from tests.cluster.report import Reporter, Step
from tests.cluster.state import Current
from tests.cluster.toolchain import Bundle

TOOLS: dict[str, Bundle | Unpacked] = {
    "helm": toolchain.HELM,
    "kubectl": toolchain.KUBERNETES,
    "kind": toolchain.KIND,
    "promtool": debian.PROMETHEUS,
    "prometheus": debian.PROMETHEUS,
}
NO_CLUSTER = ClusterError("there is no cluster yet", remedy="`make up` makes one")


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the command line."""
    top = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "make, find or repair a cluster"),
        ("down", "end what `up` started"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--provider", choices=("auto", *providers.NAMES), default="auto")
        command.add_argument("--kubeconfig", default="", help="of a cluster of your own")
        command.add_argument("--context", default="", help="in that kubeconfig, always named")
    status = commands.add_parser("status", help="what there is and how it is")
    status.add_argument("--json", action="store_true")
    commands.add_parser("env", help="print a line for your shell's eval")
    commands.add_parser("kubeconfig", help="print the path of the cluster's kubeconfig")
    load = commands.add_parser("load-image", help="bring images to the cluster's node")
    load.add_argument("what", nargs="+", metavar="FILE_OR_NAME")
    build = commands.add_parser("build-image", help="build the operator's image")
    build.add_argument("--tag", default="tidegate:dev")
    tools = commands.add_parser("tools", help="get programs; print where they are")
    tools.add_argument("names", nargs="*", metavar="TOOL", help=", ".join(TOOLS))
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = parser().parse_args(argv)
    commands: dict[str, Callable[[argparse.Namespace, Paths], int]] = {
        "up": _up,
        "down": _down,
        "status": _status,
        "env": _env,
        "kubeconfig": _kubeconfig,
        "load-image": _load_image,
        "build-image": _build_image,
        "tools": _tools,
    }
    try:
        return commands[arguments.command](arguments, Paths.from_environment())
    except ClusterError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _wish(arguments: argparse.Namespace) -> Wish:
    return Wish.of(arguments.provider, arguments.kubeconfig, arguments.context, os.environ)


def _up(arguments: argparse.Namespace, paths: Paths) -> int:
    report = Reporter()
    with locked(paths.lock, lambda: report.say("  … another run changes the cluster; waiting")):
        found = providers.bring_up(_wish(arguments), paths, report)
    report.say(f"  export KUBECONFIG={found.kubeconfig}")
    return 0


def _down(arguments: argparse.Namespace, paths: Paths) -> int:
    report = Reporter()
    with locked(paths.lock, lambda: report.say("  … another run changes the cluster; waiting")):
        providers.take_down(_wish(arguments), paths, report)
    return 0


def _status(arguments: argparse.Namespace, paths: Paths) -> int:
    report = Reporter(sys.stderr)
    status = (providers.current(paths, report) or LocalCluster(paths, report)).status()
    print(status.as_json() if arguments.json else status.as_text())
    return 0 if status.running else 1


def _known(paths: Paths) -> Current:
    known = Current.load(paths)
    if known is None:
        raise NO_CLUSTER
    return known


def _env(_: argparse.Namespace, paths: Paths) -> int:
    print(f"export KUBECONFIG={_known(paths).kubeconfig}")
    return 0


def _kubeconfig(_: argparse.Namespace, paths: Paths) -> int:
    print(_known(paths).kubeconfig)
    return 0


def _load_image(arguments: argparse.Namespace, paths: Paths) -> int:
    provider = providers.current(paths, Reporter())
    if provider is None:
        raise NO_CLUSTER
    for what in arguments.what:
        provider.load(what)
    return 0


def _build_image(arguments: argparse.Namespace, paths: Paths) -> int:
    ImageBuilder(paths, Reporter()).build(arguments.tag)
    return 0


def _tools(arguments: argparse.Namespace, paths: Paths) -> int:
    unknown = [name for name in arguments.names if name not in TOOLS]
    if unknown:
        raise ClusterError(f"no such tool: {', '.join(unknown)}; there are: {', '.join(TOOLS)}")
    report = Reporter(sys.stderr)
    found: list[Path] = []
    for name in arguments.names or TOOLS:
        with report.step(name) as step:
            found.append(_tool(TOOLS[name], paths, step, name) / name)
    print("\n".join(str(path) for path in found))
    return 0


def _tool(source: Bundle | Unpacked, paths: Paths, step: Step, name: str) -> Path:
    if isinstance(source, Unpacked):
        return debian.ensure(source, paths, step, only=name)
    return toolchain.ensure(source, paths, step, only=name)
