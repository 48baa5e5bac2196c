"""What the login may do: everything that is needed, and nothing beyond."""

from collections.abc import Iterator, Sequence
from functools import partial

from batchd.app.remarks import Remark, problem
from batchd.app.resolve import task_problems
from batchd.app.rights import rights_of
from batchd.config import Config
from batchd.errors import DatabaseError
from batchd.store.excess_rights import Excess, excess_on_ledger, excess_on_task
from batchd.store.missing_rights import missing_on_ledger
from batchd.store.opening import Database
from batchd.store.reading import ask

_NOT_SQLITE = "does not apply: whoever may open a SQLite file may change everything in it"


def look_at_ledger_rights(database: Database) -> Iterator[Remark]:
    """Rights on batchd's own tables."""
    subject = "grants"
    if database.dialect.name == "sqlite":
        yield Remark("ok", subject, _NOT_SQLITE)
        return
    missing = ask(database, lambda connection: missing_on_ledger(connection, database.dialect))
    if missing:
        sentence = "too few: the login lacks rights on batchd's own tables"
        yield Remark("problem", subject, sentence, f"have a DBA run: {' '.join(missing)}", DatabaseError.exit_code)
    excess = ask(database, partial(excess_on_ledger, dialect=database.dialect))
    remedy = f"have a DBA give it the role of sql/{database.dialect.name}/roles_runtime.sql, and revoke the rest"
    yield from _too_many(subject, excess, remedy)
    if not missing and not excess:
        yield Remark("ok", subject, "what batchd needs on its own tables, and no more")


def look_at_task(config: Config, database: Database, name: str) -> Iterator[Remark]:
    """Whether the task fits its table, and the rights there."""
    subject = f"task {name}"
    trouble = task_problems(config, database, name)
    yield from (problem(subject, error) for error in trouble)
    if database.dialect.name == "sqlite":
        if not trouble:
            yield Remark("ok", subject, "fits its table")
        return
    rights = rights_of(config, name)
    tables = [rights.table] if rights.target is None else [rights.table, rights.target]
    excess = ask(database, lambda connection: excess_on_task(connection, database.dialect, tables))
    yield from _too_many(subject, excess, f"batchd db grants {name} (prints what it needs; have a DBA revoke the rest)")
    if not trouble and not excess:
        yield Remark("ok", subject, "fits its table; what the login may do there is what the task needs, and no more")
    elif not trouble:
        yield Remark("ok", subject, "fits its table, and the login may do what the task needs")


def _too_many(subject: str, excess: Sequence[Excess], remedy: str) -> Iterator[Remark]:
    for one in excess:
        where = f" on {one.where}" if one.where else ""
        yield Remark("warning", subject, f"too many: the login {one.what}{where}, which batchd never needs", remedy)
