"""Files around the image that must agree with each other."""

import re
import tomllib

from tests.unit.chart.conftest import CHART, REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
REQUIREMENTS = REPOSITORY / "requirements"


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_wheel_is_built_by_what_pyproject_names() -> None:
    assert lines((REQUIREMENTS / "build.in").read_text()) == PROJECT["build-system"]["requires"]


def test_every_locked_requirement_has_hashes_and_no_index_is_named() -> None:
    for file in REQUIREMENTS.glob("*.txt"):
        text = file.read_text()
        assert "index-url" not in text
        assert "://" not in text
        pinned = re.findall(r"^([a-z][\w.-]*)==\S+.*\\$", text, re.MULTILINE)
        assert pinned, file.name
        assert len(re.findall(r"^[a-z]", text, re.MULTILINE)) == len(pinned), file.name


def test_the_image_has_all_that_the_package_depends_on() -> None:
    locked = (REQUIREMENTS / "image.txt").read_text().lower()
    for requirement in PROJECT["project"]["dependencies"]:
        name = re.split(r"[<>=\[ ]", requirement.lower())[0]
        assert f"\n{name}==" in f"\n{locked}", name


def test_all_three_versions_are_one() -> None:
    init = (REPOSITORY / "operator/tidegate/__init__.py").read_text()
    (version,) = re.findall(r'__version__ = "(.+)"', init)
    chart = (CHART / "Chart.yaml").read_text()
    assert re.findall(r"^(?:version|appVersion): (\S+)$", chart, re.MULTILINE) == [version] * 2


def test_everything_the_dockerfile_copies_is_let_in() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    let_in = {
        line.removeprefix("!").rstrip("/")
        for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source.rstrip("/")
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
        for source in sources.split()
    }
    assert copied == let_in
    assert all((REPOSITORY / path).exists() for path in copied - {"README.md"})


def test_make_help_lists_every_target() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert sorted(explained) == sorted(targets.split())
