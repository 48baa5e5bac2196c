"""Searches all output of the whole run for a planted key and a planted résumé; a find fails the test that made it.

Heard is what this process and every process that it starts say: stdout, stderr and logs, whether pytest captured it, a
test read it from a pipe, or it went to a file; and every table and view of a SQLite ledger but the one for content.
Drills listen with the same ears (``tests/drills/let_out.py``), on every database.
"""

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import structlog.testing

from tests.planted import NEEDLES

# Commands that show content of rows to whoever asks them to; their stdout is not searched.
SHOWN_ON_PURPOSE = {"check-config": "shows the prompt that a row makes, to whoever writes the task"}
_LOGS = ("*.log", "*.out", "*.err")
# Ledgers of tests about size; what they hold is made by SQL.
_LARGEST_LEDGER = 20_000_000
_ALLOWED_TABLES = ("batchd_content",)
_OVERLAP = max(len(needle.encode()) for needle in NEEDLES.values()) - 1
_KEY = "batchd_leaks"


class Leaks:
    """The ears of one process, and what they heard since they were asked last."""

    def __init__(self) -> None:
        self._finds: dict[str, None] = {}
        self._lock = threading.Lock()
        self._files: dict[Path, int] = {}
        self._ledgers: set[Path] = set()

    def hear(self, said: str | bytes | None, where: str) -> None:
        """Searches what was said."""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said or ""
        for what, needle in NEEDLES.items():
            if needle in text:
                with self._lock:
                    self._finds[f"{what} in {where}"] = None

    def hear_command(
        self, command: str | Sequence[object], stdout: str | bytes | None, stderr: str | bytes | None
    ) -> None:
        """Searches what a command said, but for what it shows on purpose."""
        for name, said in (("stdout", stdout), ("stderr", stderr)):
            if name in _heard_pipes(command):
                self.hear(said, _where(name, command))

    def hear_file(self, path: Path) -> None:
        """Searches what a file has more than when it was searched last."""
        with suppress(OSError), path.open("rb") as file:
            # What was half there is read again, but nothing that was heard already.
            file.seek(max(self._files.get(path, 0) - _OVERLAP, 0))
            self.hear(file.read(), f"the file {path.name} in {path.parent}")
            self._files[path] = file.tell()

    def hear_folder(self, folder: Path) -> None:
        """Searches the logs that were written somewhere in a folder, and ledgers that were not searched yet."""
        for pattern in _LOGS:
            for path in folder.rglob(pattern):
                self.hear_file(path)
        for path in set(folder.rglob("*.db")) - self._ledgers:
            self.hear_ledger(path)
            self._ledgers.add(path)

    def hear_ledger(self, path: Path) -> None:
        """Searches what anybody may read who may not read content of rows: views and status tables."""
        # A test may have left anything under that name.
        with suppress(sqlite3.Error, OSError):
            if path.stat().st_size > _LARGEST_LEDGER:
                return
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                named = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name LIKE 'batchd_%'"
                for (name,) in database.execute(named).fetchall():
                    if name not in _ALLOWED_TABLES:
                        for row in database.execute(f"SELECT * FROM {name}"):
                            self.hear(repr(row), f"{name} of {path.name}")

    def finds(self) -> list[str]:
        """What was heard since it was asked last."""
        with self._lock:
            found, self._finds = list(self._finds), {}
        return found

    def remember(self, *outputs: object) -> None:
        """Files that a process writes to are searched with the test that started it, and at the end."""
        for output in outputs:
            name = getattr(output, "name", None)
            if isinstance(name, str):
                self._files.setdefault(Path(name), 0)

    def hear_files(self) -> None:
        """Searches all files that processes were started to write to."""
        for path in list(self._files):
            self.hear_file(path)


# Of this process; who reads what is served tells them what it read.
EARS = Leaks()


class HeardStream:
    """A process's pipe; what is read from it is heard."""

    def __init__(self, stream: Any, hear: Callable[[Any], None]) -> None:
        self._stream = stream
        self._hear = hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, *size: int) -> Any:
        return self._heard(self._stream.read(*size))

    def readline(self, *size: int) -> Any:
        return self._heard(self._stream.readline(*size))

    def readlines(self, *size: int) -> Any:
        return [self._heard(line) for line in self._stream.readlines(*size)]

    def __iter__(self) -> Iterator[Any]:
        return map(self._heard, self._stream)

    def __next__(self) -> Any:
        return self._heard(next(self._stream))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _heard(self, said: Any) -> Any:
        self._hear(said)
        return said


class LeakHunt:
    """The pytest plugin."""

    def __init__(self, leaks: Leaks) -> None:
        self._leaks = leaks
        self._finds: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """Files are searched behind the fixtures' ends, for these end the processes that write them."""
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        yield
        if folder is not None:
            self._leaks.hear_folder(folder)
        self._leaks.hear_files()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, Any]:
        """What pytest has captured of a test is complete with its teardown; the find is told as an error of it."""
        report = yield
        if call.when != "teardown":
            return report
        for name, said in report.sections:
            self._leaks.hear(said, name.lower())
        if finds := self._leaks.finds():
            report.outcome = "failed"
            report.longrepr = _told(finds)
        return report

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Last, what outlived its test: servers that many tests share."""
        base = getattr(session.config, "_tmp_path_factory", None)
        if base is not None and base._basetemp is not None and not _only_leads(session.config):
            self._leaks.hear_folder(base._basetemp)
        self._leaks.hear_files()
        self._finds += self._leaks.finds()
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_KEY] = self._finds
        elif self._finds:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """One of several processes has ended."""
        self._finds += getattr(node, "workeroutput", {}).get(_KEY, [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Names what no test could be blamed for."""
        if self._finds:
            terminalreporter.section("leaks", red=True)
            terminalreporter.write_line(_told(self._finds))


def install(config: pytest.Config) -> None:
    """Puts the ears on; with the end of the run they come off."""
    config.pluginmanager.register(LeakHunt(EARS), "leaks")
    if not _only_leads(config):
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        _hear_processes(EARS, patch)
        _hear_captures(EARS, patch)


def _only_leads(config: pytest.Config) -> bool:
    """Whether the tests run in other processes, which tell this one; their reports are no output of a test."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _hear_processes(leaks: Leaks, patch: pytest.MonkeyPatch) -> None:
    started, communicated = subprocess.Popen.__init__, subprocess.Popen.communicate

    def start(self: Any, *arguments: Any, **options: Any) -> None:
        started(self, *arguments, **options)
        leaks.remember(options.get("stdout"), options.get("stderr"))
        for name in _heard_pipes(self.args):
            if (stream := getattr(self, name)) is not None:
                setattr(self, name, HeardStream(stream, partial(leaks.hear, where=_where(name, self.args))))

    def communicate(self: Any, *arguments: Any, **options: Any) -> Any:
        said = communicated(self, *arguments, **options)
        leaks.hear_command(self.args, *said)
        return said

    patch.setattr(subprocess.Popen, "__init__", start)
    patch.setattr(subprocess.Popen, "communicate", communicate)


def _hear_captures(leaks: Leaks, patch: pytest.MonkeyPatch) -> None:
    read, logged = pytest.CaptureFixture.readouterr, structlog.testing.LogCapture.__call__

    def readouterr(self: Any) -> Any:
        said = read(self)
        leaks.hear(said.out, "captured stdout")
        leaks.hear(said.err, "captured stderr")
        return said

    def log(self: Any, logger: Any, method: str, values: Any) -> Any:
        leaks.hear(repr(values), "a log event")
        return logged(self, logger, method, values)

    patch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
    patch.setattr(structlog.testing.LogCapture, "__call__", log)


def _heard_pipes(command: str | Sequence[object]) -> tuple[str, ...]:
    words = command.split() if isinstance(command, str) else [str(word) for word in command]
    return ("stderr",) if SHOWN_ON_PURPOSE.keys() & set(words) else ("stdout", "stderr")


def _where(name: str, command: str | Sequence[object]) -> str:
    words = command if isinstance(command, str) else " ".join(str(word) for word in command)
    return f"{name} of: {words[:200]}"


def _told(finds: Sequence[str]) -> str:
    return "\n".join(f"LEAK: {find}" for find in finds)
