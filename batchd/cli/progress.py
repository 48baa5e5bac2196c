"""Progress of long work on a terminal, on stderr. Elsewhere batchd is silent and its log speaks."""

import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)


class TerminalProgress:
    """Bars for the steps that stages report, and one that says how far everything together is.

    The terminal is left alone until there is one to show: a person may be asked something first.

    Args:
        shown: False keeps everything silent.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        # By thread too: several tasks may be at the same step at once.
        self._steps: dict[tuple[str, int], TaskID] = {}
        self._lock = threading.Lock()
        self._whole: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._bars.stop()

    def step(self, what: str, done: int, total: int | None) -> None:
        """Shows ``done`` of ``total`` units of ``what``; a bar that is full is taken away."""
        if not self._shown:
            return
        step = (what, threading.get_ident())
        with self._lock:
            self._bars.start()
            if step not in self._steps:
                self._steps[step] = self._bars.add_task(what, total=total)
            self._bars.update(self._steps[step], completed=done, total=total)
            if total is not None and done >= total:
                self._bars.remove_task(self._steps.pop(step))

    def whole(self, text: str, done: int, total: int) -> None:
        """Shows how far everything together is; steps that were left unfinished are taken away."""
        if not self._shown:
            return
        with self._lock:
            self._bars.start()
            for step in list(self._steps):
                self._bars.remove_task(self._steps.pop(step))
            if self._whole is None:
                self._whole = self._bars.add_task(text, total=total)
            self._bars.update(self._whole, description=text, completed=done, total=total)
