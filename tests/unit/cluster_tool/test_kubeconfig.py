from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import kubeconfig
from tests.cluster.errors import ClusterError

USERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "production",
    "clusters": [
        {"name": "prod", "cluster": {"server": "https://198.51.100.1"}},
        {
            "name": "mine",
            "cluster": {"server": "https://192.0.2.1", "certificate-authority": "ca.crt"},
        },
    ],
    "users": [
        {"name": "root", "user": {"token": "secret"}},
        {"name": "me", "user": {"client-key": "/abs/me.key", "client-certificate": "sub/me.crt"}},
    ],
    "contexts": [
        {"name": "production", "context": {"cluster": "prod", "user": "root"}},
        {"name": "test", "context": {"cluster": "mine", "user": "me", "namespace": "team"}},
        {"name": "broken", "context": {"cluster": "gone", "user": "me"}},
    ],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "config"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(USERS))
    return path


def test_one_context_is_cut_out_and_the_source_stays(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    target = tmp_path / "copy"
    kubeconfig.cut_out(source, "test", target)
    found = yaml.safe_load(target.read_text())
    assert source.read_bytes() == before
    assert found["current-context"] == "test"
    assert [entry["name"] for entry in found["contexts"]] == ["test"]
    assert found["clusters"][0]["cluster"] == {
        "server": "https://192.0.2.1",
        "certificate-authority": str(source.parent / "ca.crt"),
    }
    assert found["users"][0]["user"] == {
        "client-key": "/abs/me.key",
        "client-certificate": str(source.parent / "sub/me.crt"),
    }
    assert "secret" not in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("context", "words"),
    [("nope", "no context 'nope'; it has: production, test, broken"), ("broken", "no cluster")],
)
def test_what_is_missing_is_named(source: Path, context: str, words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        kubeconfig.cut_out(source, context, source.parent / "copy")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "can't be read"), ("", "is empty"), ("{", "is no YAML")]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ClusterError, match=words):
        kubeconfig.contexts(path)
