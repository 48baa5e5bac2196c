"""``batchd db grants``: the rights that a task needs, for a DBA to read and run."""

import stat
from pathlib import Path

from batchd.app.rights import rights_of
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.store.grants import Grants, grants_for, place_of


def grants(call: Call, task: str, *, role: str) -> int:
    """Prints the statements and runs none."""
    config = call.config()
    place = place_of(config.database_url(), config.database.ledger_schema)
    rights = rights_of(config, task)
    found = grants_for(place, rights.table, role, rights.target)
    notes = rights.notes if place.file is None else (_file_rights(place.file),)
    if call.as_json:
        print_json(_document(task, place.database, role, found, notes))
    elif place.file is not None:
        say(notes[0])
    else:
        _say_script(task, role, found, notes)
    return exit_codes.DONE


def _document(task: str, database: str, role: str, found: Grants, notes: tuple[str, ...]) -> dict[str, object]:
    return {
        "task": task,
        "database": database,
        "role": role,
        "ledger": found.ledger,
        "table": found.table,
        "temporary_tables": found.temporary_tables,
        "notes": notes,
    }


def _say_script(task: str, role: str, found: Grants, notes: tuple[str, ...]) -> None:
    say(f"-- What {role} needs for task {task}, and no more. Read it, then run it as an administrator.")
    say("-- batchd's own tables; the same for every task. roles_runtime.sql makes the role and grants these.")
    for statement in found.ledger:
        say(statement)
    say("-- The task's tables: SELECT on what is read or compared, UPDATE or INSERT on what is written.")
    for statement in found.table:
        say(statement)
    if found.temporary_tables:
        say("-- Answers are written by way of a temporary table of the session.")
    for statement in found.temporary_tables:
        say(statement)
    for note in notes:
        say(f"-- Note: {' '.join(note.split())}.")


def _file_rights(file: Path) -> str:
    who = f"SQLite has no rights to grant: whoever may write the file {file} and its folder may change everything in it"
    try:
        mode = stat.filemode(file.stat().st_mode)
    except OSError:
        return f"{who}. It is not there yet."
    return f"{who}. Its permissions are {mode}; give it to the account that batchd runs as: chmod 600 {file}"
