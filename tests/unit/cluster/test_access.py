from pathlib import Path

import pytest
import yaml

from tidegate.cluster.access import Access
from tidegate.errors import SettingsError


def kubeconfig(path: Path, server: str, credential: str) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": credential}}],
    }
    file = path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return str(file)


async def test_a_kubeconfig_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kubeconfig(tmp_path, "http://cluster.example:8080/", "secret")
    monkeypatch.setenv("KUBECONFIG", file)
    access = await Access.load()
    assert access.server == "http://cluster.example:8080"
    assert access.tls is None
    assert await access.authorization() == {"Authorization": "Bearer secret"}
    info = await access.for_kopf()
    assert (info.server, info.scheme, info.token) == (access.server, "Bearer", "secret")


async def test_credentials_are_read_again_but_not_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, "https://x", "old"))
    access = await Access.load()
    assert access.tls is not None
    kubeconfig(tmp_path, "https://x", "new")
    assert not await access.refresh()
    access._loaded_at -= 60
    assert await access.refresh()
    assert await access.authorization() == {"Authorization": "Bearer new"}


@pytest.mark.parametrize("content", [None, "", "{}", "contexts: 3"])
async def test_no_cluster_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(SettingsError, match="no access to a cluster"):
        await Access.load()


async def test_inside_a_pod_that_got_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(SettingsError, match="token"):
        await Access.load()
