"""The house rules that no other tool keeps."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE = 500
MAX_FUNCTION = 60
PUBLIC = {"pypi.org", "files.pythonhosted.org", "proxy.golang.org", "sum.golang.org"}
COMMON = {"", "app", "build", "home", "opt", "src", "tmp"}
"""Folders that a text may well name, whatever machine it was written on."""
BARE = re.compile(r"kubectl\b[^`\n]*?[\s,](workflows?)(?![\w.-])")


def committed() -> list[Path]:
    """Everything under version control; all of the tree where git or its history is missing."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Path and content of every committed text."""
    for path in committed():
        try:
            yield str(path.relative_to(ROOT)), path.read_text()
        except UnicodeDecodeError:
            continue


def test_the_source_root_is_no_package() -> None:
    """It would shadow the standard library's ``operator``."""
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_layers_are_kept() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "operator"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def strings(tree: ast.AST) -> Iterator[str]:
    """What a module may say to people, f-strings with ``…`` for what is put in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize(
    "path", sorted((ROOT / "operator").rglob("*.py")), ids=lambda p: p.name.removesuffix(".py")
)
def test_no_message_says_kubectl_with_a_bare_workflow(path: Path) -> None:
    said = [text for text in strings(ast.parse(path.read_text())) if BARE.search(text)]
    assert said == []


# --- nothing of this machine


def hosts_of_registries() -> set[str]:
    """Hosts that this machine was told to fetch packages from, unless everybody knows them."""
    told = [value for key, value in os.environ.items() if re.search("INDEX|PROXY|REGISTRY", key)]
    config = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    urls = re.findall(r"https?://[^\s'\",|]+", " ".join([*told, config]))
    hosts = {urlsplit(url).hostname or "" for url in urls}
    return {host for host in hosts if "." in host or "-" in host} - PUBLIC


def test_no_committed_text_names_a_registry_of_this_machine() -> None:
    hosts = hosts_of_registries()
    found = [(path, host) for path, text in texts() for host in hosts if host in text]
    assert found == []


def test_no_committed_text_names_a_path_or_the_name_of_this_machine() -> None:
    own = [rf"{re.escape(str(ROOT))}\b"]
    if ROOT.parent.name not in COMMON:
        own.append(rf"(?<![\w.-]){re.escape(str(ROOT.parent))}/")
    if len(socket.gethostname()) > len("localhost"):
        own.append(re.escape(socket.gethostname()))
    names = re.compile("|".join(own))
    found = [(path, words[0]) for path, text in texts() if (words := names.search(text))]
    assert found == []


def test_locks_name_no_index() -> None:
    locks = [text for path, text in texts() if path.startswith("requirements/")]
    assert locks
    named = re.compile(r"^--(extra-)?index-url|^--find-links", re.MULTILINE)
    assert [text for text in locks if named.search(text)] == []


# --- sizes


SOURCES = sorted(
    path
    for folder in ("operator", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, without its decorators and its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_files_are_short() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in SOURCES}
    assert {path: lines for path, lines in long.items() if lines > MAX_FILE} == {}


def test_functions_are_short() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": length(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION} == {}
