"""The CustomResourceDefinition, generated from the models: ``python -m tidegate.api.crd``.

Run at the root of the repository, it writes ``crds/`` and the chart's template; a test compares
both with what the models say.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from tidegate import constants as c
from tidegate.api import rules
from tidegate.api.schema import Schema, problems, structural, without_defaults
from tidegate.api.spec import WorkflowSpec
from tidegate.api.status import WorkflowStatus

CRD_PATH: Final = Path("crds/workflows.tidegate.dev.yaml")
CHART_PATH: Final = Path("charts/tidegate/templates/crd.yaml")

_VALIDATIONS: Final = "x-kubernetes-validations"
_HEADER: Final = "# Generated from operator/tidegate/api by `make crds`; don't edit.\n"
_LABELS: Final = {"app.kubernetes.io/name": "tidegate"}
_COLUMNS: Final = (
    ("Phase", "string", ".status.phase", 0, "Where the Workflow stands"),
    ("Progress", "string", ".status.progress", 0, "Nodes that ended well, of all nodes"),
    ("Wave", "integer", ".status.wave", 0, "The first wave that has not ended"),
    ("Waiting", "string", ".status.waitingFor", 0, "What waits for a person"),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Since when it exists"),
    ("Run", "integer", ".status.run", 1, "Number of the present run"),
    ("Reason", "string", ".status.reason", 1, "Why, in one word"),
    ("Message", "string", ".status.message", 1, "What is going on or how it ended"),
)


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition of Workflows; raises ValueError if the schema can't be one."""
    schema = _root_schema()
    spec, status = (schema["properties"][part] for part in ("spec", "status"))
    if found := [*problems(spec, "spec"), *problems(status, "status", bounds=False)]:
        raise ValueError("\n".join(found))
    names = {
        "kind": c.KIND,
        "listKind": f"{c.KIND}List",
        "plural": c.PLURAL,
        "singular": c.KIND.lower(),
        "shortNames": [c.SHORT_NAME],
        "categories": ["tidegate"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{c.PLURAL}.{c.GROUP}", "labels": dict(_LABELS)},
        "spec": {
            "group": c.GROUP,
            "names": names,
            "scope": "Namespaced",
            "versions": [_version(schema)],
        },
    }


def _version(schema: Schema) -> dict[str, Any]:
    return {
        "name": c.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.phase"}],
        "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
        "schema": {"openAPIV3Schema": schema},
    }


def _column(name: str, kind: str, path: str, priority: int, description: str) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return column | ({"priority": priority} if priority else {})


def _root_schema() -> Schema:
    return {
        "type": "object",
        "description": "Nodes that run as Jobs, wave after wave, in the order of their"
        " dependencies, with retries, fallbacks and handlers.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{c.API_VERSION}"},
            "kind": {"type": "string", "description": c.KIND},
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 253}},
            },
            "spec": _spec_schema(),
            "status": _status_schema(),
        },
        _VALIDATIONS: rules.ROOT,
    }


def _spec_schema() -> Schema:
    schema = structural(WorkflowSpec)
    schema["description"] = "What is to run, in which order, and what happens when something fails."
    schema[_VALIDATIONS] = rules.SPEC
    fields = schema["properties"]
    nodes, standbys = fields["nodes"]["items"], fields["standbys"]["items"]
    nodes[_VALIDATIONS], standbys[_VALIDATIONS] = rules.NODE, rules.TASK
    for owner in (nodes, standbys, fields["defaults"]):
        retry = owner["properties"]["retry"]["properties"]
        retry["backoff"][_VALIDATIONS] = rules.BACKOFF
        retry["exitCodes"][_VALIDATIONS] = rules.EXIT_CODES
    return schema


def _status_schema() -> Schema:
    """Atomic, as it has one writer: else managedFields would hold every field of every node."""
    schema = without_defaults(structural(WorkflowStatus))
    schema["description"] = "What the operator knows and has decided; only it writes here."
    schema["x-kubernetes-map-type"] = "atomic"
    schema["default"] = {"observedGeneration": -1}
    return schema


class _Dumper(yaml.SafeDumper):
    """YAML without aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Shared parts are written out each time."""
        return True


def to_yaml(value: dict[str, Any]) -> str:
    """``value`` as YAML for people: in its own order, in lines of bearable length."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return text


def crd_yaml() -> str:
    """The CRD as ``crds/`` holds it."""
    return _HEADER + to_yaml(crd())


def chart_template() -> str:
    """The CRD as a template of the chart, as Helm never upgrades what lies in ``crds/``."""
    body = to_yaml(crd()).replace("{{", '{{ "{{" }}')
    head = f"metadata:\n  name: {c.PLURAL}.{c.GROUP}\n  labels:\n"
    before, found, after = body.partition(head)
    if not found:
        raise ValueError("the CRD doesn't begin as the chart's template expects")
    keep = (
        "  {{- if .Values.crds.keep }}\n"
        "  annotations:\n"
        "    helm.sh/resource-policy: keep\n"
        "  {{- end }}\n"
    )
    name = head.removesuffix("  labels:\n")
    return (
        _HEADER + "{{- if .Values.crds.install }}\n" + before + name + keep
        + "  labels:\n" + after + "{{- end }}\n"
    )  # fmt: skip


def main(root: Path = Path()) -> None:
    """Writes both files below ``root``."""
    for path, text in ((CRD_PATH, crd_yaml()), (CHART_PATH, chart_template())):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
