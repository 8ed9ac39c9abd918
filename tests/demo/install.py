"""Installs the operator by its chart on the cluster that is up; again only what has changed."""

from __future__ import annotations

import hashlib
import json

from tests.cluster.report import Reporter
from tests.demo.tools import REPOSITORY, DemoError, Tools, cluster

NAMESPACE = "tidegate-system"
RELEASE = "tidegate"
CHART = REPOSITORY / "charts" / "tidegate"
SELECTOR = f"app.kubernetes.io/name={RELEASE}"
IMAGE = "tidegate/tidegate"
IN_THE_IMAGE = ("Dockerfile", "LICENSE", "README.md", "pyproject.toml", "requirements", "operator")
ANNOTATION = "tidegate.dev/sources"
WAIT = "120s"


def sources_digest() -> str:
    """Return a short hash of all that goes into the image: same hash, same operator."""
    digest = hashlib.sha256()
    for top in (REPOSITORY / name for name in IN_THE_IMAGE):
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                data = file.read_bytes()
                digest.update(f"{file.relative_to(REPOSITORY)} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:12]


def chart_values(digest: str, image: str | None) -> list[str]:
    """Return helm's options for an operator of these sources, or of a ready-made image."""
    values = {f"podAnnotations.{ANNOTATION.replace('.', chr(92) + '.')}": digest}
    if image:
        repository, _, tag = image.rpartition(":")
        if not repository or "/" in tag:
            repository, tag = image, ""
        values |= {"image.repository": repository, "image.tag": tag}
    return [part for item in values.items() for part in ("--set-string", "=".join(item))]


def operator_up(report: Reporter, image: str | None = None, extra: tuple[str, ...] = ()) -> Tools:
    """Bring the cluster up with the operator installed and ready.

    Args:
        report: where progress goes.
        image: an image that the cluster can pull, in place of one built here.
        extra: more options for ``helm upgrade``.
    """
    cluster("up")
    if not image:
        cluster("build-image")
        cluster("load-image")
    tools = Tools.find()
    with report.step("operator installed") as step:
        step.doing("helm upgrade --install, waiting until it is ready")
        _helm_upgrade(tools, chart_values("" if image else sources_digest(), image), extra)
        step.done(f"helm: {NAMESPACE}/{RELEASE}, {_replicas(tools)}")
    return tools


def _helm_upgrade(tools: Tools, values: list[str], extra: tuple[str, ...]) -> None:
    try:
        tools.helm(
            "upgrade", "--install", RELEASE, str(CHART),
            "--namespace", NAMESPACE, "--create-namespace",
            "--wait", "--timeout", WAIT, *values, *extra,
            step="installing the operator by its chart",
        )  # fmt: skip
    except DemoError as error:
        error.output += "\n" + _what_its_pods_say(tools)
        error.remedy = (
            f"look at: kubectl -n {NAMESPACE} get pods,events; then make down and start again"
        )
        raise


def _replicas(tools: Tools) -> str:
    text = tools.kubectl("get", "deployment", RELEASE, "-n", NAMESPACE, "-o", "json")
    status = json.loads(text)["status"]
    ready, wanted = status.get("readyReplicas", 0), status.get("replicas", 0)
    return f"{ready} of {wanted} replicas ready"


def _what_its_pods_say(tools: Tools) -> str:
    questions = (
        ("get", "pods", "-n", NAMESPACE, "-o", "wide"),
        ("get", "events", "-n", NAMESPACE, "--field-selector", "type=Warning"),
        ("logs", "-n", NAMESPACE, "-l", SELECTOR, "--tail", "15"),
    )
    answers = []
    for question in questions:
        try:
            answers.append(tools.kubectl(*question))
        except DemoError as error:
            answers.append(error.output)
    return "\n".join(answers)
