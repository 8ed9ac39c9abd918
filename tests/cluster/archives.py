"""Image archives written without a container engine, in the format of ``docker save``."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.files import write_atomically
from tests.cluster.paths import Paths

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """What an image starts when nothing else is said."""

    name: str
    command: tuple[str, ...]
    architecture: str
    env: tuple[str, ...] = field(default=(f"PATH={SEARCH_PATH}",))


@dataclass(frozen=True)
class Entry:
    """One file, folder or link of a layer; owned by root, dated 1970, so always the same."""

    path: str
    content: bytes | None = None
    link: str = ""
    mode: int = 0o755

    def add_to(self, archive: tarfile.TarFile) -> None:
        """Write the entry into a tar."""
        info = tarfile.TarInfo(self.path)
        info.mode = self.mode
        if self.link:
            info.type, info.linkname = tarfile.SYMTYPE, self.link
        elif self.content is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(self.content)
        archive.addfile(info, io.BytesIO(self.content or b""))


def layer(entries: Sequence[Entry]) -> bytes:
    """Return a layer as an uncompressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            entry.add_to(archive)
    return buffer.getvalue()


def write(target: Path, image: Image, content: bytes) -> None:
    """Write an archive with one image of one layer."""
    digest = hashlib.sha256(content).hexdigest()
    config = json.dumps(
        {
            "architecture": image.architecture,
            "os": "linux",
            "config": {"Cmd": list(image.command), "Env": list(image.env)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created_by": "tidegate tests/cluster"}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [
        {"Config": config_name, "RepoTags": [image.name], "Layers": [f"{digest}/layer.tar"]}
    ]
    outer = [
        Entry(config_name, config, mode=0o644),
        Entry(f"{digest}/layer.tar", content, mode=0o644),
        Entry("manifest.json", json.dumps(manifest).encode(), mode=0o644),
    ]
    write_atomically(target, layer(outer), 0o644)


def archive_file(paths: Paths, name: str) -> Path:
    """Return where the archive of an image of this name is kept."""
    return paths.images / f"{re.sub('[^A-Za-z0-9.-]', '_', name)}.tar"


def names_in(archive: Path) -> list[str]:
    """Return the image names that an archive of ``docker save`` brings."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("manifest.json")
            listing = json.load(member) if member is not None else []
    except (OSError, KeyError, ValueError, tarfile.TarError, gzip.BadGzipFile) as error:
        message = f"{archive} is no image archive as `docker save` writes it"
        raise ClusterError(message) from error
    return [name for entry in listing for name in entry.get("RepoTags") or []]
