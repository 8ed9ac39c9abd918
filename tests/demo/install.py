"""Installs the operator by its chart on the cluster that is up; again only what has changed."""

from __future__ import annotations

import json

from tests.cluster.imagebuild import fingerprint
from tests.cluster.report import Reporter
from tests.demo.tools import REPOSITORY, DemoError, Tools, cluster

NAMESPACE = "tidegate-system"
RELEASE = "tidegate"
CHART = REPOSITORY / "charts" / "tidegate"
SELECTOR = f"app.kubernetes.io/name={RELEASE}"
IMAGE = "tidegate:dev"
ANNOTATION = "tidegate.dev/sources"
ESCAPED = ANNOTATION.replace(".", r"\.")
WAIT = "120s"


def name_and_tag(image: str) -> tuple[str, str]:
    """Return both halves of an image's name; the tag is empty where there is none."""
    name, colon, tag = image.rpartition(":")
    return (image, "") if not colon or "/" in tag else (name, tag)


def chart_values(digest: str, image: str) -> list[str]:
    """Return helm's options for this image; another digest makes the operator's pods new."""
    repository, tag = name_and_tag(image)
    values = {
        f"podAnnotations.{ESCAPED}": digest,
        "image.repository": repository,
        "image.tag": tag,
    }
    return [part for item in values.items() for part in ("--set-string", "=".join(item))]


def operator_up(report: Reporter, image: str | None = None, extra: tuple[str, ...] = ()) -> Tools:
    """Bring the cluster up with the operator installed and ready.

    Args:
        report: where progress goes.
        image: an image that the cluster can pull, in place of one built here.
        extra: more options for ``helm upgrade``.
    """
    cluster("up")
    tools = Tools.find()
    digest = "" if image else fingerprint(REPOSITORY, {})[:12]
    if not image:
        cluster("build-image", "--tag", IMAGE)
        cluster("load-image", IMAGE)
    with report.step("operator installed") as step:
        step.doing("helm upgrade --install, waiting until it is ready")
        _helm_upgrade(tools, chart_values(digest, image or IMAGE), extra)
        step.done(f"helm: {NAMESPACE}/{RELEASE}, {_replicas(tools)}")
    return tools


def _helm_upgrade(tools: Tools, values: list[str], extra: tuple[str, ...]) -> None:
    try:
        tools.helm(
            "upgrade", "--install", RELEASE, str(CHART),
            "--namespace", NAMESPACE, "--create-namespace", "--take-ownership",
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
