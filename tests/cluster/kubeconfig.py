"""Kubeconfig files of our own making: written for a part or a person, or cut out of a user's."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.errors import ClusterError
from tests.cluster.files import write_atomically

CLUSTER = "tidegate-local"


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def for_certificate(server: str, authority: Path, user: str, certificate: Path, key: Path) -> str:
    """Return a kubeconfig with everything in it, so that it may be copied anywhere."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CLUSTER,
                "cluster": {"server": server, "certificate-authority-data": _inline(authority)},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _inline(certificate),
                    "client-key-data": _inline(key),
                },
            }
        ],
        "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": user}}],
        "current-context": CLUSTER,
    }
    return yaml.safe_dump(document, sort_keys=False)


def cut_out(source: Path, context: str, target: Path) -> None:
    """Write one context of a user's kubeconfig to a file of our own; the source is only read.

    Paths inside it are made absolute, as they count from the folder of the file.
    """
    document = _read(source)
    chosen = _named(document, "contexts", context, source)
    user = _named(document, "users", chosen["context"].get("user", ""), source)
    cluster = _named(document, "clusters", chosen["context"].get("cluster", ""), source)
    result = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [_absolute(cluster, "cluster", source.parent)],
        "users": [_absolute(user, "user", source.parent)],
        "contexts": [chosen],
        "current-context": context,
    }
    write_atomically(target, yaml.safe_dump(result, sort_keys=False))


def contexts(source: Path) -> list[str]:
    """Return the names of the contexts in a kubeconfig."""
    return [str(entry.get("name")) for entry in _read(source).get("contexts") or []]


def _read(source: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(source.read_text())
    except OSError as error:
        raise ClusterError(f"the kubeconfig {source} can't be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ClusterError(f"the kubeconfig {source} is no YAML") from error
    if not isinstance(document, dict):
        raise ClusterError(f"the kubeconfig {source} is empty")
    return document


def _named(document: Mapping[str, Any], kind: str, name: str, source: Path) -> dict[str, Any]:
    for entry in document.get(kind) or []:
        if entry.get("name") == name:
            return dict(entry)
    known = ", ".join(str(entry.get("name")) for entry in document.get(kind) or []) or "none"
    raise ClusterError(f"{source} has no {kind.removesuffix('s')} {name!r}; it has: {known}")


def _absolute(entry: Mapping[str, Any], key: str, folder: Path) -> dict[str, Any]:
    inner = dict(entry.get(key) or {})
    for name in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if name in inner:
            inner[name] = str((folder / inner[name]).resolve())
    return {**entry, key: inner}
