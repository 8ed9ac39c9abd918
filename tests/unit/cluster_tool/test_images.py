import json
import tarfile
from pathlib import Path

import pytest

from tests.cluster import archives
from tests.cluster.archives import Entry, Image
from tests.cluster.errors import ClusterError
from tests.cluster.imagebuild import build_arguments, fingerprint
from tests.cluster.local.images import full_name
from tests.cluster.paths import Paths


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("tidegate/tidegate:dev", "docker.io/tidegate/tidegate:dev"),
        ("localhost/pause:1", "localhost/pause:1"),
        ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
    ],
)
def test_names_are_completed_as_the_node_completes_them(name: str, full: str) -> None:
    assert full_name(name) == full


def test_an_archive_has_what_docker_save_has(tmp_path: Path) -> None:
    content = archives.layer(
        [Entry("bin"), Entry("bin/sh", b"#!", mode=0o755), Entry("bin/true", link="sh")]
    )
    target = tmp_path / "a.tar"
    archives.write(target, Image("a:1", ("sh",), "amd64"), content)
    with tarfile.open(target) as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        config = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][0])) as inner:
            assert inner.getmember("bin/true").linkname == "sh"
            assert inner.getmember("bin/sh").mode == 0o755
    assert set(names) == {manifest["Config"], manifest["Layers"][0], "manifest.json"}
    assert config["config"]["Cmd"] == ["sh"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{manifest['Layers'][0].split('/')[0]}"]
    assert archives.names_in(target) == ["a:1"]


def test_the_same_content_is_the_same_archive(tmp_path: Path) -> None:
    for name in ("a", "b"):
        layer = archives.layer([Entry("etc/passwd", b"root", mode=0o644)])
        archives.write(tmp_path / name, Image("a:1", ("sh",), "amd64"), layer)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no tar")
    with pytest.raises(ClusterError, match="no image archive"):
        archives.names_in(tmp_path / "x")


def test_archives_are_kept_under_safe_names(paths: Paths) -> None:
    assert archives.archive_file(paths, "a/b:1.0").name == "a_b_1.0.tar"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name in ("Dockerfile", "pyproject.toml", "requirements/image.txt", "operator/pkg/a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    "name", ["Dockerfile", "README.md", "requirements/image.txt", "operator/pkg/new.py"]
)
def test_what_goes_into_the_image_changes_its_fingerprint(repository: Path, name: str) -> None:
    before = fingerprint(repository, {})
    (repository / name).write_text("changed")
    assert fingerprint(repository, {}) != before


@pytest.mark.parametrize("name", ["docs/a.md", "operator/pkg/__pycache__/a.pyc", "tests/t.py"])
def test_what_stays_out_of_it_does_not(repository: Path, name: str) -> None:
    before = fingerprint(repository, {})
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("changed")
    assert fingerprint(repository, {}) == before


def test_moved_content_and_arguments_count(repository: Path) -> None:
    before = fingerprint(repository, {})
    assert fingerprint(repository, {"BASE_IMAGE": "x"}) != before
    (repository / "operator/pkg/a.py").rename(repository / "operator/pkg/b.py")
    assert fingerprint(repository, {}) != before


def test_only_a_set_index_is_passed_on() -> None:
    assert "PIP_INDEX_URL" not in build_arguments({"PIP_INDEX_URL": ""})
    assert build_arguments({"PIP_INDEX_URL": "https://pypi.example"})["PIP_INDEX_URL"]
