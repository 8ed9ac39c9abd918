import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.processes import Identity


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.alive
    assert not dataclasses.replace(own, started=own.started - 1).alive
    assert not dataclasses.replace(own, boot="an earlier one").alive


def test_pid_files_survive_a_round_trip_and_damage(tmp_path: Path) -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    path = tmp_path / "pids" / "part.json"
    own.save(path)
    assert Identity.load(path) == own
    for damage in ("", "{", "[]", '{"pid": 1}'):
        path.write_text(damage)
        assert Identity.load(path) is None


def test_what_is_started_is_nobodys_child_and_writes_its_own_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "part.log"
    script = "import os; print(os.getsid(0) == os.getpid(), os.getcwd(), flush=True)"
    started = processes.start_detached([sys.executable, "-c", script], log)
    assert processes.wait_until(lambda: log.read_text() == "True /\n", 10)
    assert processes.wait_until(lambda: not started.alive, 10)
    os.waitpid(started.pid, 0)


def test_a_process_that_ignores_being_asked_is_ended_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    started = processes.start_detached([sys.executable, "-c", script], log)
    assert processes.wait_until(lambda: "deaf" in log.read_text(), 10)
    processes.stop([started], patience=0.2)
    assert not started.alive
    os.waitpid(started.pid, 0)


def test_processes_without_a_pid_file_are_found_by_program_and_folder(tmp_path: Path) -> None:
    program = tmp_path / "kubelet"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        # between fork and exec a child on a busy machine isn't the program yet
        wanted = frozenset({"kubelet"}), (str(tmp_path),)
        assert processes.wait_until(lambda: bool(processes.find(*wanted)), 10, pause=0.01)
        found = processes.find(*wanted)
        assert [each.pid for each in found] == [child.pid]
        assert found[0].program == "kubelet"
        assert processes.find(frozenset({"etcd"}), (str(tmp_path),)) == []
        assert processes.find(frozenset({"kubelet"}), (f"{tmp_path}/elsewhere",)) == []
        processes.kill(found)
        assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("outcomes", "expected"), [([False, True], True), ([False] * 99, False)])
def test_waiting_ends_with_the_condition_or_the_time(
    outcomes: list[bool], *, expected: bool
) -> None:
    left = iter(outcomes)
    assert processes.wait_until(lambda: next(left), 0.05, pause=0.01) is expected
