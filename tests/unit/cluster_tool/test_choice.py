import json
from pathlib import Path

import pytest

from tests.cluster import cli, providers
from tests.cluster.engine import Engine
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.providers import Wish
from tests.cluster.report import Reporter
from tests.cluster.state import Current


@pytest.mark.parametrize(
    ("said", "env", "expected"),
    [
        (("auto", "", ""), {}, Wish("auto", "", "")),
        (("auto", "", ""), {"KUBECONFIG": "/prod"}, Wish("auto", "", "")),
        (("auto", "/c", "x"), {}, Wish("user", "/c", "x")),
        (("auto", "", "x"), {}, Wish("user", "~/.kube/config", "x")),
        (("auto", "", "x"), {"KUBECONFIG": "/k"}, Wish("user", "/k", "x")),
        (
            ("auto", "", ""),
            {"TIDEGATE_KUBECONFIG": "/t", "TIDEGATE_CONTEXT": "y"},
            Wish("user", "/t", "y"),
        ),
        (("auto", "/c", ""), {"TIDEGATE_KUBECONFIG": "/t"}, Wish("user", "/c", "")),
        (("local", "", ""), {"TIDEGATE_KUBECONFIG": "/t"}, Wish("local", "/t", "")),
    ],
)
def test_only_what_is_named_is_the_users_cluster(
    said: tuple[str, str, str], env: dict[str, str], expected: Wish
) -> None:
    assert Wish.of(*said, env) == expected


class Ways:
    """Stand-ins for kind and the local cluster that write down what is asked of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.kind_fails = False
        self.engine: Engine | None = None
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text("")
        monkeypatch.setattr(providers, "KindCluster", lambda *_: Way("kind", self))
        monkeypatch.setattr(providers, "LocalCluster", lambda *_: Way("local", self))
        monkeypatch.setattr(providers, "UserCluster", lambda *_: Way("user", self))
        monkeypatch.setattr("tests.cluster.engine.find", lambda: self.engine)


class Way:
    def __init__(self, name: str, ways: Ways) -> None:
        self.name = name
        self.ways = ways

    def up(self) -> Current:
        self.ways.calls.append(f"{self.name} up")
        if self.name == "kind" and self.ways.kind_fails:
            raise ClusterError("the node image can't be pulled")
        return Current(self.name, str(self.ways.kubeconfig))

    def down(self) -> None:
        self.ways.calls.append(f"{self.name} down")


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(tmp_path, monkeypatch)


def up(paths: Paths, provider: str = "auto") -> str:
    return providers.bring_up(Wish(provider), paths, Reporter()).provider


def down(paths: Paths, provider: str = "auto") -> None:
    providers.take_down(Wish(provider), paths, Reporter())


def test_without_an_engine_it_is_plain_processes(paths: Paths, ways: Ways) -> None:
    assert up(paths) == "local"


def test_with_an_engine_it_is_kind(paths: Paths, ways: Ways) -> None:
    ways.engine = Engine("docker")
    assert up(paths) == "kind"


def test_an_engine_without_a_node_image_is_none(
    paths: Paths, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.cluster.local.machine.check", lambda: None)
    ways.engine, ways.kind_fails = Engine("docker"), True
    assert up(paths) == "local"
    assert ways.calls == ["kind up", "local up"]


def test_where_plain_processes_cannot_be_kinds_failure_is_told(
    paths: Paths, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_root() -> None:
        raise ClusterError("needs root")

    monkeypatch.setattr("tests.cluster.local.machine.check", no_root)
    ways.engine, ways.kind_fails = Engine("docker"), True
    with pytest.raises(ClusterError, match="node image"):
        up(paths)


def test_kind_by_name_needs_an_engine(paths: Paths, ways: Ways) -> None:
    with pytest.raises(ClusterError, match="no container engine answers"):
        up(paths, "kind")


def test_the_cluster_of_the_last_up_is_taken_again(paths: Paths, ways: Ways) -> None:
    assert up(paths, "local") == "local"
    ways.engine = Engine("docker")
    assert up(paths) == "local"
    down(paths)
    assert up(paths) == "kind"
    assert ways.calls == ["local up", "local up", "local down", "kind up"]


def test_down_of_another_way_keeps_what_is_remembered(paths: Paths, ways: Ways) -> None:
    ways.engine = Engine("docker")
    up(paths, "kind")
    down(paths, "local")
    assert Current.load(paths) is not None
    assert ways.calls == ["kind up", "local down"]


@pytest.fixture
def in_cache(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TIDEGATE_CACHE", str(paths.cache))
    return paths


@pytest.mark.parametrize("command", ["kubeconfig", "env", "load-image x"])
def test_without_a_cluster_commands_say_so_and_fail(
    in_cache: Paths, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert cli.main(command.split()) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no cluster yet" in said.err


def test_status_without_a_cluster_is_well_formed(
    in_cache: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["provider"] == "none"
    assert cli.main(["status"]) == 1
    assert "no cluster" in capsys.readouterr().out


def test_paths_are_printed_alone(
    in_cache: Paths, ways: Ways, capsys: pytest.CaptureFixture[str]
) -> None:
    up(in_cache)
    assert cli.main(["kubeconfig"]) == 0
    assert capsys.readouterr().out == f"{ways.kubeconfig}\n"
    assert cli.main(["env"]) == 0
    assert capsys.readouterr().out == f"export KUBECONFIG={ways.kubeconfig}\n"


def test_an_unknown_tool_is_told_with_the_known_ones(
    in_cache: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tools", "terraform"]) == 1
    assert "there are: helm, kubectl, kind" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TIDEGATE_CACHE": "/t"}, "/t"),
        ({"TIDEGATE_CACHE": "/t", "XDG_CACHE_HOME": "/x"}, "/t"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/tidegate"),
    ],
)
def test_the_cache_folder_is_the_named_one(env: dict[str, str], expected: str) -> None:
    assert Paths.from_environment(env).cache == Path(expected)
