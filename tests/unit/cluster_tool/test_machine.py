from pathlib import Path

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.local import machine, rules, sweep

NAT = r"""
-P PREROUTING ACCEPT
-N CNI-84871ecb925a8785fad35436
-N CNI-DN-84871ecb925a8785fad35
-N CNI-HOSTPORT-DNAT
-N DOCKER
-N KUBE-MARK-MASQ
-N KUBE-SERVICES
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.88.0.3/32 -m comment --comment "name: \"tidegate\" id: \"70\"" -j CNI-84871ecb925a8785fad35436
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"tidegate\" id: \"70\"" -j CNI-DN-84871ecb925a8785fad35
-A KUBE-SERVICES -d 10.89.0.1/32 -j KUBE-MARK-MASQ
""".strip().splitlines()  # noqa: E501
ANOTHER_NETWORK = [
    "-N CNI-aaaa",
    r'-A POSTROUTING -s 10.4.0.3/32 -m comment --comment "name: \"podman\" id: \"5\"" -j CNI-aaaa',
]


def test_chains_of_kube_proxy_and_our_network_are_removed_and_docker_stays() -> None:
    script = rules.removal("nat", NAT)
    assert script.startswith("*nat\n-D PREROUTING -m comment")
    assert script.endswith("COMMIT\n")
    assert "-D POSTROUTING -s 10.88.0.3/32" in script
    assert "-X CNI-HOSTPORT-DNAT\n" in script
    assert "-X CNI-DN-84871ecb925a8785fad35\n" in script
    assert "DOCKER" not in script
    assert "-D KUBE-SERVICES" not in script


def test_another_network_keeps_its_chains_and_the_port_mappers() -> None:
    own = rules.own_chains([*NAT, *ANOTHER_NETWORK])
    assert "CNI-aaaa" not in own
    assert "CNI-HOSTPORT-DNAT" not in own
    assert "CNI-84871ecb925a8785fad35436" in own


def test_a_table_without_our_chains_is_left_alone() -> None:
    assert rules.removal("nat", ["-P INPUT ACCEPT", "-N DOCKER"]) == ""


def test_mounts_are_unmounted_from_the_inside_out() -> None:
    table = "\n".join(
        f"1 0 0:1 / {point} rw - tmpfs tmpfs rw"
        for point in (
            "/c/cluster/kubelet",
            "/c/cluster/kubelet/pods/a\\040b",
            "/c/clusters/x",
            "/c",
        )
    )
    assert sweep.mounts_below(Path("/c/cluster"), table) == [
        "/c/cluster/kubelet/pods/a b",
        "/c/cluster/kubelet",
    ]


@pytest.fixture
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "forward").write_text("0\n")
    monkeypatch.setattr(machine, "FORWARDING", tmp_path / "forward")
    monkeypatch.setattr(machine, "FIXED_FOLDERS", (str(tmp_path / "cni"), str(tmp_path / "log")))
    monkeypatch.setattr(machine, "OWNER", tmp_path / "owner")
    return tmp_path


def test_the_machine_is_put_back_as_it_was_noted_first(own_machine: Path) -> None:
    before = own_machine / "before.json"
    machine.remember(before)
    (own_machine / "forward").write_text("1")
    (own_machine / "cni" / "results").mkdir(parents=True)
    machine.remember(before)
    machine.put_back(before)
    assert (own_machine / "forward").read_text() == "0"
    assert not (own_machine / "cni").exists()
    assert not before.exists()


def test_folders_that_others_came_to_use_stay(own_machine: Path) -> None:
    before = own_machine / "before.json"
    machine.remember(before)
    (own_machine / "log").mkdir()
    (own_machine / "log" / "theirs").write_text("")
    machine.put_back(before)
    assert (own_machine / "log" / "theirs").exists()


def test_a_cluster_of_another_cache_folder_is_named_not_fought(
    own_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_machine / "owner").write_text("/elsewhere/cluster\n")
    monkeypatch.setattr("tests.cluster.processes.find", lambda _programs, words: list(words))
    with pytest.raises(ClusterError, match="/elsewhere/cluster") as caught:
        machine.refuse_rivals(own_machine / "cluster")
    assert "TIDEGATE_CACHE=/elsewhere" in caught.value.remedy


@pytest.mark.parametrize(
    ("platform", "user", "words"), [("darwin", 0, "Linux only"), ("linux", 1000, "needs root")]
)
def test_where_it_cannot_run_it_says_so(
    monkeypatch: pytest.MonkeyPatch, platform: str, user: int, words: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(ClusterError, match=words):
        machine.check()
