"""Processes that outlive the shell, and pid files that can't be fooled by a reused pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.files import read_json, write_atomically

PROC = Path("/proc")
POLL = 0.05
STATE_FIELD = 0
START_FIELD = 19


def boot_id() -> str:
    """Return the kernel's name for the time since the last boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on (the name may hold spaces)."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _command_line(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


@dataclass(frozen=True)
class Identity:
    """One process, told apart from a later one with the same pid."""

    pid: int
    started: int
    """Clock ticks from boot to its start, as /proc/PID/stat has it."""
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a live process; None for one that is gone or a zombie."""
        fields = _stat(pid)
        if fields is None or fields[STATE_FIELD] in {"Z", "X"}:
            return None
        return cls(pid, int(fields[START_FIELD]), boot_id())

    @classmethod
    def load(cls, path: Path) -> Identity | None:
        """Return what a pid file names, or None if it is missing or damaged."""
        found = read_json(path)
        try:
            return cls(**found) if found is not None else None
        except TypeError:
            return None

    def save(self, path: Path) -> None:
        """Write the pid file."""
        write_atomically(path, json.dumps(asdict(self)) + "\n", mode=0o644)

    @property
    def program(self) -> str:
        """The name of the program it runs; empty if it is gone."""
        words = _command_line(self.pid)
        return Path(words[0]).name if words else ""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if this very process still runs."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def start_detached(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Identity:
    """Start a program in a session of its own, with its output appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd="/",
            start_new_session=True,
        )
    fields = _stat(process.pid)
    process.returncode = 0  # it is not ours to wait for: init reaps it
    return Identity(process.pid, int(fields[START_FIELD]) if fields else 0, boot_id())


def wait_until(condition: Callable[[], bool], seconds: float, *, pause: float = POLL) -> bool:
    """Return whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def stop(identities: Iterable[Identity], patience: float = 10.0) -> None:
    """End processes: ask all of them, wait, then insist."""
    found = [identity for identity in identities if identity.alive]
    for identity in found:
        identity.signal(signal.SIGTERM)
    if not wait_until(lambda: not any(identity.alive for identity in found), patience):
        kill(found)


def kill(identities: Iterable[Identity], patience: float = 10.0) -> None:
    """End processes at once, where nothing they could still write is wanted."""
    found = list(identities)
    for identity in found:
        identity.signal(signal.SIGKILL)
    wait_until(lambda: not any(identity.alive for identity in found), patience)


def find(programs: frozenset[str], mentions: Sequence[str]) -> list[Identity]:
    """Return the processes of these program names whose command line mentions one of the texts.

    For what a pid file was never written for: a shell killed between two instructions,
    and children such as containerd's shims.
    """
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        words = _command_line(int(entry.name))
        mentioned = any(text in word for word in words for text in mentions)
        if mentioned and Path(words[0]).name in programs:
            identity = Identity.of(int(entry.name))
            if identity is not None:
                found.append(identity)
    return found
