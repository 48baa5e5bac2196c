"""Workers of a drill: processes that each have a slot of their own, and take one job after the other."""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.drills.slot import Slot

Job = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished job: what it returned, or the error it ended with, and how long it took."""

    arguments: tuple[Any, ...]
    found: Any
    error: str
    seconds: float


class Crew:
    """So many workers, each with a ``database`` of its own of this kind.

    Their functions get a slot first, then the job's arguments.
    """

    def __init__(self, workers: int, database: str) -> None:
        self.database = database
        # Spawned, not forked: each worker forks its own children, from a process without threads.
        context = multiprocessing.get_context("spawn")
        self._connections: list[Connection] = []
        self._workers = []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs, database))
            worker.start()
            theirs.close()
            self._connections.append(ours)
            self._workers.append(worker)

    def do(self, function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]]) -> Iterator[Done]:
        """Does all jobs; yields each as it is finished, in any order. The function is a module's own."""
        waiting = iter(jobs)
        busy = {connection for connection in self._connections if _hand_over(connection, function, waiting)}
        while busy:
            for ready in wait(list(busy)):
                connection = next(one for one in busy if one is ready)
                yield connection.recv()
                if not _hand_over(connection, function, waiting):
                    busy.discard(connection)

    def close(self) -> None:
        """Ends the workers and their vendors."""
        for connection in self._connections:
            connection.send(None)
        for worker in self._workers:
            worker.join()


def _hand_over(connection: Connection, function: Callable[..., Any], waiting: Iterator[tuple[Any, ...]]) -> bool:
    for arguments in waiting:
        connection.send((function, arguments))
        return True
    return False


def _work(connection: Connection, database: str) -> None:
    with tempfile.TemporaryDirectory(prefix="batchd-drill-") as folder, Slot(Path(folder), database) as slot:
        while (job := connection.recv()) is not None:
            connection.send(_done(slot, *job))


def _done(slot: Slot, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Done:
    begun = time.monotonic()
    try:
        found, error = function(slot, *arguments), ""
    except Exception as problem:  # noqa: BLE001 - the drill goes on, and tells it
        found, error = None, f"{type(problem).__name__}: {problem}"
    return Done(arguments, found, error, time.monotonic() - begun)
