"""Progress of long work on a terminal, on stderr. Elsewhere batchd is silent and its log speaks."""

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
        self._steps: dict[str, TaskID] = {}
        self._whole: TaskID | None = None

    def __enter__(self) -> Self:
        if self._shown:
            self._bars.start()
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
        if what not in self._steps:
            self._steps[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._steps[what], completed=done, total=total)
        if total is not None and done >= total:
            self._bars.remove_task(self._steps.pop(what))

    def whole(self, text: str, done: int, total: int) -> None:
        """Shows how far everything together is; steps that were left unfinished are taken away."""
        if not self._shown:
            return
        for what in list(self._steps):
            self._bars.remove_task(self._steps.pop(what))
        if self._whole is None:
            self._whole = self._bars.add_task(text, total=total)
        self._bars.update(self._whole, description=text, completed=done, total=total)
