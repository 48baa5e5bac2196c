"""``batchd demo``: a table of résumés, filled by way of the sandbox, and left there to go on playing with."""

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from batchd import log
from batchd.app.workplace import open_workplace, opened_database, read_config
from batchd.cli import demo_show, exit_codes
from batchd.cli.demo_folder import DemoFolder
from batchd.cli.out import print_json
from batchd.config import Config
from batchd.errors import UsageError
from batchd.pipeline import SENDING, WORKING, run_pass
from batchd.ports import Orders, Scope, Workplace
from batchd.store.migrate import upgrade
from batchd.store.opening import Database
from batchd.store.reading import Facts, ask, batch_facts, finding_facts, task_facts

_LONGEST_PAUSE = 0.5
_PATIENCE = 120.0


def run_demo(folder: Path, *, reset: bool, as_json: bool) -> int:
    """Makes a demo in ``folder``, runs it and shows it; returns the exit code.

    Args:
        folder: holds all of it; files there that a demo did not make are left alone.
        reset: make it anew even where the reader has changed it.
        as_json: one document on stdout; the words go to stderr, and nothing is asked.

    Raises:
        UsageError: the reader has changed the demo in the folder, or the folder holds something else.
        BatchdError: what the stages raise.
    """
    demo = DemoFolder(folder.absolute())
    console = demo_show.demo_console(as_json=as_json)
    demo.check_ours()
    if not reset and not _may_rebuild(demo, console, may_ask=not as_json):
        console.print(f"Nothing was changed in {_from_here(demo.path)}")
        return exit_codes.DONE
    _build(demo)
    console.print(f"The demo is in {_from_here(demo.path)}: its config, its database, the sandbox's state\n")
    config = read_config(demo.config, {}, Path.cwd())
    log.configure(config.log.level, config.log.format)
    with _upgraded(config) as database:
        demo_show.show_before(console, demo.rows())
        _fill(config, database, console)
        demo.seal()
        return _tell(demo, config, database, console, as_json=as_json)


def _build(demo: DemoFolder) -> None:
    try:
        demo.build()
    except OSError as error:
        raise UsageError(
            f"the demo cannot be made in {demo.path}: {error.strerror}",
            next_command=f"{_program()} demo --folder DIR, a folder that you may write to",
        ) from error


def _may_rebuild(demo: DemoFolder, console: Console, *, may_ask: bool) -> bool:
    touched = demo.touched()
    if not touched:
        return True
    what = f"the demo in {_from_here(demo.path)} has changed since it ran: {'; '.join(touched)}"
    if not (may_ask and sys.stdin.isatty() and console.is_terminal):
        command = f"{_program()} demo --reset (makes all of it anew)"
        raise UsageError(f"{what}; nothing was changed", next_command=command)
    console.print(what)
    answer = console.input("Make all of it anew? [y/N] ", markup=False)
    return answer.strip().lower() in {"y", "yes"}


@contextlib.contextmanager
def _upgraded(config: Config) -> Iterator[Database]:
    with opened_database(config) as database:
        upgrade(database.engine, database.dialect, database.url)
        yield database


def _fill(config: Config, database: Database, console: Console) -> None:
    """Sends all rows, follows the batches, applies their results."""
    task = next(iter(config.tasks.values()))
    console.print(f"Sending batches of {task.batch_size} rows to the sandbox, a vendor on this machine\n")
    with open_workplace(config) as place, demo_show.following(console) as show:
        run_pass(SENDING, place, Scope(), Orders(eager=True, first=True))
        show(_batches(database))
        deadline = time.monotonic() + _PATIENCE
        while (wait := _next_due(place)) is not None and time.monotonic() < deadline:
            time.sleep(min(max(wait, 0.0), _LONGEST_PAUSE))
            run_pass(WORKING, place, Scope(), Orders())
            show(_batches(database))


def _next_due(place: Workplace) -> float | None:
    return place.store.read(lambda ledger: ledger.batches.next_due(Scope()))


def _batches(database: Database) -> list[Facts]:
    return ask(database, batch_facts)[::-1]


def _tell(demo: DemoFolder, config: Config, database: Database, console: Console, *, as_json: bool) -> int:
    """Shows what came of it; exit code 3 where rows are left for a person."""
    rows, batches = demo.rows(), _batches(database)
    tasks, findings = ask(database, task_facts), ask(database, finding_facts)
    done = sum(row["LastProcessed"] is not None for row in rows)
    commands = _next_commands(demo)
    if as_json:
        document = {"folder": str(demo.path), "config": str(demo.config), "rows": len(rows), "done": done}
        document |= {"tasks": tasks, "batches": batches, "findings": findings, "next_commands": commands}
        print_json(document)
    else:
        demo_show.show_after(console, rows)
        demo_show.show_status(console, batches, tasks)
        demo_show.show_money(console, tasks, next(iter(config.tasks.values())).model)
        console.print("\nGo on playing, for example with:")
        for command in commands:
            console.print(f"  {command}", soft_wrap=True)
    return exit_codes.DONE if done == len(rows) else exit_codes.ROWS_LEFT


def _next_commands(demo: DemoFolder) -> list[str]:
    """Three that work as they are written, from the folder that the reader is in."""
    config = f"--config {shlex.quote(_from_here(demo.config))}"
    return [f"{_program()} {words} {config}" for words in ("status", "show 1", "check-config")]


def _program() -> str:
    """How the reader calls batchd: by the script of the checkout around this environment, else by name."""
    script = Path(sys.argv[0]).absolute().parents[2:3]
    beside = script[0] / "run_batch.sh" if script else None
    if beside is None or not beside.is_file():
        return "batchd"
    shown = _from_here(beside)
    return shlex.quote(shown if "/" in shown else f"./{shown}")


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
