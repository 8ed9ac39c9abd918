"""Images that every local cluster has: the sandbox's and busybox, made from busybox-static."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cluster import archives, engine
from tests.cluster.archives import Entry, Image, archive_file
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_atomically
from tests.cluster.local.layout import Layout
from tests.cluster.local.parts import ctr
from tests.cluster.paths import Paths
from tests.cluster.prerequisites import which
from tests.cluster.report import Reporter
from tests.cluster.shell import output

PAUSE = "localhost/pause:1"
BUSYBOX = "docker.io/library/busybox:1.36"
STAMPS = "loaded-archives.json"
RECIPE = 1
"""Raised when the images below change, so that cached archives are made anew."""

USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def ensure_basics(layout: Layout, paths: Paths) -> None:
    """Make the two images and load them, unless containerd has them."""
    there = loaded(layout)
    if PAUSE not in there:
        _import(layout, _pause(paths))
    if BUSYBOX not in there:
        _import(layout, _busybox(paths))


def loaded(layout: Layout) -> list[str]:
    """Return the full names of the images that pods can use."""
    names = output(ctr(layout, "images", "list", "--quiet")).split()
    return sorted(name for name in names if "sha256:" not in name)


def load_wanted(layout: Layout, paths: Paths, report: Reporter, what: str) -> None:
    """Load an archive, an image that ``build-image`` made, or one that an engine has.

    An archive that was loaded before and hasn't changed since is not loaded again.
    """
    with report.step(f"image {Path(what).name}") as step:
        if full_name(what) in {PAUSE, BUSYBOX}:
            step.done("every local cluster has it")
            return
        archive = Path(what) if Path(what).is_file() else _archive_of(what, paths)
        names = [full_name(name) for name in archives.names_in(archive)]
        known = read_json(layout.root / STAMPS) or {}
        mark = [archive.stat().st_mtime_ns, archive.stat().st_size]
        if known.get(str(archive)) == mark and set(names) <= set(loaded(layout)):
            step.done("loaded already")
            return
        step.doing(f"loading {archive}")
        _import(layout, archive)
        stamps = {**known, str(archive): mark}
        write_atomically(layout.root / STAMPS, json.dumps(stamps), 0o644)
        step.done(f"loaded as {', '.join(names)}")


def full_name(name: str) -> str:
    """Return an image's name as the node knows it: ``busybox`` has a registry and a tag, too."""
    first, slash, _ = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    path = name if is_host else f"docker.io/{name if slash else f'library/{name}'}"
    return path if ":" in path.rpartition("/")[2] else f"{path}:latest"


def _archive_of(name: str, paths: Paths) -> Path:
    archive = archive_file(paths, name)
    answering = engine.find()
    if answering is not None and answering.has(name):
        output(answering.save(name, archive), timeout=600)
    if not archive.exists():
        raise ClusterError(
            f"{name} is neither an archive nor an image made here",
            remedy=f"`build-image --tag {name}` makes the operator's; others need an archive "
            "as `docker save` writes it",
        )
    return archive


def _import(layout: Layout, archive: Path) -> None:
    output(ctr(layout, "images", "import", str(archive)), timeout=600)


def _architecture() -> str:
    machine = os.uname().machine
    try:
        return archives.ARCHITECTURES[machine]
    except KeyError:
        raise ClusterError(f"no images are made for processors of kind {machine}") from None


def _busybox_program() -> bytes:
    program = which("busybox")
    if program is None:
        raise ClusterError("busybox is missing", remedy="apt-get install busybox-static")
    return Path(program).read_bytes()


def _pause(paths: Paths) -> Path:
    target = paths.images / f"pause-{RECIPE}.tar"
    if not target.exists():
        entries = [
            Entry("bin"),
            Entry("bin/busybox", _busybox_program()),
            Entry("bin/sleep", link="busybox"),
        ]
        image = Image(PAUSE, ("/bin/sleep", "infinity"), _architecture())
        archives.write(target, image, archives.layer(entries))
    return target


def _busybox(paths: Paths) -> Path:
    target = paths.images / f"busybox-{RECIPE}.tar"
    if not target.exists():
        image = Image(BUSYBOX, ("sh",), _architecture())
        archives.write(target, image, archives.layer(_busybox_files()))
    return target


def _busybox_files() -> list[Entry]:
    """Return what the well-known image has: every applet, a user, folders to write to."""
    applets = output([which("busybox") or "busybox", "--list"]).split()
    folders = ["bin", "etc", "home", "root", "usr", "usr/bin", "usr/sbin", "var"]
    return [
        *[Entry(folder) for folder in folders],
        Entry("tmp", mode=0o1777),
        Entry("var/tmp", mode=0o1777),
        Entry("bin/busybox", _busybox_program()),
        *[Entry(f"bin/{name}", link="busybox") for name in applets if name != "busybox"],
        Entry("usr/bin/env", link="../../bin/busybox"),
        Entry("etc/passwd", USERS.encode(), mode=0o644),
        Entry("etc/group", GROUPS.encode(), mode=0o644),
    ]
