"""Images that every local cluster has: the sandbox's and busybox, made from busybox-static."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster import archives
from tests.cluster.archives import Entry, Image
from tests.cluster.errors import ClusterError
from tests.cluster.local.layout import Layout
from tests.cluster.local.parts import ctr
from tests.cluster.paths import Paths
from tests.cluster.prerequisites import which
from tests.cluster.shell import output

PAUSE = "localhost/pause:1"
BUSYBOX = "docker.io/library/busybox:1.36"
RECIPE = 1
"""Raised when the images below change, so that cached archives are made anew."""

USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def ensure_loaded(layout: Layout, paths: Paths) -> None:
    """Make the two images and load them, unless containerd has them."""
    there = loaded(layout)
    if PAUSE not in there:
        load(layout, _pause(paths))
    if BUSYBOX not in there:
        load(layout, _busybox(paths))


def loaded(layout: Layout) -> list[str]:
    """Return the full names of the images that pods can use."""
    names = output(ctr(layout, "images", "list", "--quiet")).split()
    return sorted(name for name in names if "sha256:" not in name)


def load(layout: Layout, archive: Path) -> None:
    """Load the images of an archive into the node."""
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
