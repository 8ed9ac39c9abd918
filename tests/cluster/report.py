"""Progress for people: one line a step, alive at a terminal and plain everywhere else."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

TITLE_WIDTH = 26
REPAINT_EVERY = 0.5
PLAIN_EVERY = 30.0
WORTH_A_TIME = 1.0
MINUTE = 60


def spell(seconds: float) -> str:
    """Return a duration the way a person says it: ``7 min 02 s``, ``12 s``."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    return f"{whole // MINUTE} min {whole % MINUTE:02d} s"


class Step:
    """One line of the report while it is being worked on."""

    def __init__(self, title: str, clock: Callable[[], float]) -> None:
        self.title = title
        self.activity = ""
        self.result = ""
        self._clock = clock
        self._began = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return self._clock() - self._began

    def doing(self, what: str) -> None:
        """Say what is being done right now."""
        self.activity = what

    def done(self, result: str) -> None:
        """Say what came of it; shown when the step ends."""
        self.result = result

    def line(self, mark: str, text: str, *, timed: bool) -> str:
        """Return the step as one line of text."""
        spent = f" ({spell(self.elapsed)})" if timed else ""
        return f"  {mark} {self.title:<{TITLE_WIDTH}}{text}{spent}".rstrip()


class Reporter:
    """Prints steps; repaints the running one where the stream is a terminal."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._clock = clock
        self._live = self._stream.isatty()

    def say(self, text: str) -> None:
        """Print a line of its own."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Report on what happens inside the ``with`` block; ✓ at its end, ✗ on an exception."""
        step = Step(title, self._clock)
        ended = threading.Event()
        painter = threading.Thread(target=self._paint, args=(step, ended), daemon=True)
        painter.start()
        mark, text = "✗", "failed"
        try:
            yield step
            mark, text = "✓", step.result
        finally:
            ended.set()
            painter.join()
            self._erase()
            self.say(step.line(mark, text, timed=step.elapsed >= WORTH_A_TIME))

    def _paint(self, step: Step, ended: threading.Event) -> None:
        while not ended.wait(REPAINT_EVERY if self._live else PLAIN_EVERY):
            line = step.line("…", step.activity, timed=True)
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\x1b[2K{line[:width]}", end="", file=self._stream, flush=True)
            else:
                self.say(line)

    def _erase(self) -> None:
        if self._live:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)
