"""The chart's template of the policies, generated: ``python -m tidegate.policies.chart``.

Run at the root of the repository; a test compares the file with what the policies say.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from tidegate.policies.catalog import POLICIES, binding_manifest, policy_manifest

CHART_PATH: Final = Path("charts/tidegate/templates/policies.yaml")

_HEAD: Final = """\
# Generated from operator/tidegate/policies by `make crds`; don't edit.
# The operator compares what stands in the cluster with them: names and specs are fixed.
{{- if .Values.policies.install }}
"""
_LABELS: Final = '  labels:\n    {{- include "tidegate.labels" . | nindent 4 }}\n'


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def chart_template() -> str:
    """All policies and their bindings as a template of the chart."""
    return _HEAD + "".join(map(_document, POLICIES)) + "{{- end }}\n"


def _document(policy: Any) -> str:
    both = (policy_manifest(policy, []), binding_manifest(policy))
    return "".join("---\n" + _templated(manifest) for manifest in both)


def _templated(manifest: dict[str, Any]) -> str:
    text: str = yaml.dump(
        manifest, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True
    )
    if "{{" in text:
        raise ValueError(f"{manifest['metadata']['name']} holds what Helm takes for its own")
    text = text.replace("spec:\n", _LABELS + "spec:\n", 1)
    empty = "- name: operators\n    expression: '[]'\n"
    listed = "- name: operators\n    expression: '{{ include \"tidegate.operators\" . }}'\n"
    return text.replace(empty, listed)


def main(root: Path = Path()) -> None:
    """Writes the file below ``root``."""
    (root / CHART_PATH).write_text(chart_template(), encoding="utf-8")


if __name__ == "__main__":
    main()
