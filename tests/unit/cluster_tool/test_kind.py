import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster.kind import CONFIG, NAME, Commands
from tests.cluster.paths import Paths
from tests.cluster.toolchain import KIND

COMMANDS = Commands("/bin/kind", Path("/cache/kind/kubeconfig"))
BINARY = KIND.destination(Paths.from_environment()) / "kind"
needs_kind = pytest.mark.skipif(
    not BINARY.exists(), reason="kind is not compiled: python -m tests.cluster tools kind"
)


def test_no_command_touches_the_users_kubeconfig() -> None:
    for command in (COMMANDS.create(), COMMANDS.export(), COMMANDS.delete()):
        place = command.index("--kubeconfig")
        assert command[place + 1] == "/cache/kind/kubeconfig"


def test_every_command_names_our_cluster() -> None:
    archive = Path("/a.tar")
    for command in (
        COMMANDS.create(),
        COMMANDS.export(),
        COMMANDS.delete(),
        COMMANDS.load_archive(archive),
        COMMANDS.load_image("a:1"),
    ):
        assert command[command.index("--name") + 1] == NAME
    assert yaml.safe_load(CONFIG.read_text())["name"] == NAME


def kind(*words: str) -> str:
    # An engine that answers nothing: kind reads its arguments and the config, and gets no further.
    env = {"PATH": "/nowhere", "DOCKER_HOST": "unix:///nowhere", "HOME": "/nowhere"}
    result = subprocess.run(
        [BINARY, *words], check=False, capture_output=True, text=True, env=env, timeout=60
    )
    return result.stderr + result.stdout


@needs_kind
def test_the_real_kind_reads_the_config_and_only_lacks_an_engine() -> None:
    said = kind(*COMMANDS.create()[1:])
    assert "config" not in said
    assert "docker" in said


@needs_kind
def test_the_real_kind_would_notice_a_mistake_in_it(tmp_path: Path) -> None:
    wrong = shutil.copy(CONFIG, tmp_path / "kind.yaml")
    Path(wrong).write_text(CONFIG.read_text().replace("role:", "rolle:"))
    words = [str(wrong) if word == str(CONFIG) else word for word in COMMANDS.create()[1:]]
    assert "field rolle not found" in kind(*words)


@needs_kind
@pytest.mark.parametrize(
    "command",
    [
        COMMANDS.export(),
        COMMANDS.delete(),
        COMMANDS.clusters(),
        COMMANDS.load_archive(CONFIG),
        COMMANDS.load_image("a:1"),
    ],
    ids=lambda command: "-".join(command[1:3]),
)
def test_the_real_kind_knows_every_word_we_say(command: list[str]) -> None:
    said = kind(*command[1:])
    assert "unknown" not in said
    assert "Usage" not in said
