"""``python -m tests.demo [up]``: see the docstring of the package."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.report import Reporter
from tests.demo import show, story
from tests.demo.install import operator_up
from tests.demo.tools import REPOSITORY, DemoError, Tools

EXAMPLE = REPOSITORY / "examples" / "nightly-report.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    report = Reporter()
    report.say(f"tidegate {'demo' if options.what == 'run' else options.what}")
    try:
        tools = operator_up(report, options.image)
        return 0 if options.what == "up" else _demo(tools, report, options.example.resolve())
    except (DemoError, ClusterError) as error:
        Reporter(sys.stderr).say(error.explain())
    except KeyboardInterrupt:
        Reporter(sys.stderr).say("\ninterrupted; make down tidies up")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["run", "up"], default="run", help="up: no example"
    )
    parser.add_argument("--example", type=Path, default=EXAMPLE)
    parser.add_argument("--image", help="an image that the cluster can pull; none is built then")
    return parser


def _demo(tools: Tools, report: Reporter, example: Path) -> int:
    report.say(f"  → applying {example.relative_to(REPOSITORY)}")
    name = show.apply(tools, example)
    status = show.follow(tools, name, sys.stdout)
    report.say(f"{story.closing(status)}. Its log:")
    report.say("")
    report.say(story.indented(show.log(tools, name)))
    report.say("")
    report.say(tools.kubectl("get", "twf").rstrip())
    report.say("")
    report.say(f"  Look around:  export KUBECONFIG={tools.kubeconfig}{_path_for(tools)}")
    report.say(f"                kubectl get twf -w          kubectl describe twf {name}")
    report.say(f"                kubectl get jobs,pods -l tidegate.dev/workflow={name}")
    report.say(f"                kubectl logs -l tidegate.dev/workflow={name} --prefix")
    report.say(f"                kubectl get cm {name}-log -o jsonpath='{{.data.log\\.md}}'")
    report.say("  Tidy up:      make down")
    return 0 if status.get("phase") == "Succeeded" else 1


def _path_for(tools: Tools) -> str:
    """Return how to reach kubectl by its name, where it can't be yet."""
    return "" if shutil.which("kubectl") else f" PATH=$PATH:{Path(tools.kubectl_path).parent}"


if __name__ == "__main__":
    raise SystemExit(main())
