import io

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.report import Reporter, spell


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (422, "7 min 02 s")]
)
def test_durations_are_spelled_for_people(seconds: float, text: str) -> None:
    assert spell(seconds) == text


def test_a_step_ends_in_one_plain_line_with_its_time() -> None:
    out, clock = io.StringIO(), Clock()
    with Reporter(out, clock).step("node ready") as step:
        step.doing("starting kubelet")
        step.done("1 node")
        clock.now += 9
    assert out.getvalue() == "  ✓ node ready                1 node (9 s)\n"


def test_quick_steps_need_no_time() -> None:
    out = io.StringIO()
    with Reporter(out, Clock()).step("prerequisites") as step:
        step.done("all there")
    assert out.getvalue() == "  ✓ prerequisites             all there\n"


def test_a_failing_step_is_marked_and_its_error_goes_on() -> None:
    out = io.StringIO()

    def fail() -> None:
        with Reporter(out, Clock()).step("control plane"):
            raise ClusterError("etcd ended right after its start")

    with pytest.raises(ClusterError, match="etcd"):
        fail()
    assert out.getvalue() == "  ✗ control plane             failed\n"


def test_long_steps_say_what_they_do_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cluster.report.PLAIN_EVERY", 0.01)
    out = io.StringIO()
    reporter = Reporter(out, Clock())
    with reporter.step("Kubernetes 1.35.4") as step:
        step.doing("compiling kubelet (4 of 7)")
        while "compiling" not in out.getvalue():
            pass
    assert "  … Kubernetes 1.35.4         compiling kubelet (4 of 7) (0 s)\n" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_one_line_that_is_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cluster.report.REPAINT_EVERY", 0.01)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    with Reporter(out, Clock()).step("helm") as step:
        step.doing("compiling")
        while "compiling" not in out.getvalue():
            pass
        step.done("ready")
    assert "\r\x1b[2K  … helm" in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[2K  ✓ helm                      ready\n")
