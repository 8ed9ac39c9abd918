import sys
from pathlib import Path

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.shell import output, run_logged, succeeds


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_output_goes_to_the_log_and_to_the_listener(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "logs" / "step.log"
    run_logged(python("print('one'); print('two')"), log, on_line=lines.append)
    assert lines == ["one", "two"]
    assert log.read_text().endswith("one\ntwo\n")


def test_a_failure_shows_the_end_of_the_log_its_place_and_what_helps(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    script = "print(*range(40), sep='\\n'); import sys; sys.exit(7)"
    with pytest.raises(ClusterError) as caught:
        run_logged(python(script), log, remedy="more disk")
    explained = caught.value.explain(lines=2)
    assert "exit code 7" in explained
    assert explained.endswith(f"  | 38\n  | 39\n  the whole log: {log}\n  what helps: more disk")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["no-such-program-anywhere"], "no-such-program-anywhere is not installed"),
        (python("import sys; sys.exit('the disk is full')"), "the disk is full"),
        (python("import time; time.sleep(60)"), "no answer within 0 s"),
    ],
)
def test_short_commands_fail_in_words(argv: list[str], words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        output(argv, timeout=0.3 if "sleep" in argv[-1] else 20)


def test_success_is_a_question_with_two_answers() -> None:
    assert succeeds(python("pass"))
    assert not succeeds(python("raise SystemExit(1)"))
    assert not succeeds(["no-such-program-anywhere"])
