"""Which rights the login lacks, as the GRANT statements that would give them. Nothing is changed to find out."""

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, TableClause
from sqlalchemy.exc import DBAPIError

from batchd.errors import DatabaseError
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect, Mask
from batchd.store.grants import LEDGER_RIGHTS, grant_on, unmask_on
from batchd.store.migrate import schema_of

_NO_ROW = sa.text("1 = 0")


def check_rights(
    connection: Connection, dialect: LedgerDialect, table: TableClause, asked: Mapping[str, Sequence[str]]
) -> None:
    """Whether a verb is allowed on columns of a task. Raises DatabaseError with the GRANTs that are missing."""
    lacking = {verb: list(_refused(connection, dialect, verb, _columns(table, names))) for verb, names in asked.items()}
    grants = [(verb, _columns(table, names)) for verb, names in lacking.items() if names]
    named = [f"{verb} on {', '.join(columns.c.keys())}" for verb, columns in grants]
    masks = hiding(dialect.masks(connection, table.name, table.schema, asked.get("SELECT", ())))
    if masks:
        hidden = ", ".join(mask.column for mask in masks)
        named.append(f"UNMASK on {hidden}, of which it is shown masks in place of the values")
    if named:
        statements = [*_statements(connection, dialect, grants), *_unmasking(connection, dialect, table, masks)]
        raise DatabaseError(
            f"the login lacks rights on table {table.name!r}: {' and '.join(named)}",
            next_command=f"have a DBA run: {' '.join(statements)}",
        )


def hiding(masks: Sequence[Mask]) -> list[Mask]:
    """Those behind which the login does not see."""
    return [mask for mask in masks if not mask.lifted]


def missing_on_ledger(connection: Connection, dialect: LedgerDialect) -> list[str]:
    """The GRANTs on the ledger that the login lacks; none where it may do all that a running batchd does."""
    schema = schema_of(connection)
    lacking = [
        (verb, sa.table(table.name, schema=schema))
        for table in tables.metadata.tables.values()
        for verb in LEDGER_RIGHTS.get(table.name, ())
        if not _may(connection, dialect, verb, _columns(sa.table(table.name, schema=schema), _writable(table)))
    ]
    return _statements(connection, dialect, lacking)


def _statements(connection: Connection, dialect: LedgerDialect, grants: Sequence[tuple[str, TableClause]]) -> list[str]:
    if not grants:
        return []
    login = _login(connection)
    # Where a database is a schema, a DBA may be in another one.
    place = sa.inspect(connection).default_schema_name if dialect.default_schema is None else None
    return [
        grant_on(
            dialect.name, login, verb, _columns(sa.table(table.name, schema=table.schema or place), table.c.keys())
        )
        for verb, table in grants
    ]


def _unmasking(
    connection: Connection, dialect: LedgerDialect, table: TableClause, masks: Sequence[Mask]
) -> Sequence[str]:
    return unmask_on(dialect.name, _login(connection), table, masks) if masks else ()


def _login(connection: Connection) -> str:
    return str(connection.scalar(sa.select(sa.func.current_user())))


def _refused(connection: Connection, dialect: LedgerDialect, verb: str, table: TableClause) -> Iterator[str]:
    # One question where nothing is missing.
    if len(table.c) and not _may(connection, dialect, verb, table):
        yield from (
            name for name in list(table.c.keys()) if not _may(connection, dialect, verb, _columns(table, [name]))
        )


def _may(connection: Connection, dialect: LedgerDialect, verb: str, table: TableClause) -> bool:
    """False where the login has no right to do so; other refusals say nothing about rights."""
    try:
        with dialect.trying(connection):
            _ask(connection, dialect, verb, table)
    except DBAPIError as error:
        refusal = dialect.refusal(error)
        return refusal is None or not refusal.lacks_right
    return True


def _ask(connection: Connection, dialect: LedgerDialect, verb: str, table: TableClause) -> None:
    """A statement that touches no row."""
    names = table.c.keys()
    nothing = sa.select(*table.c).where(_NO_ROW)
    if verb == "SELECT":
        connection.execute(nothing).all()
    elif verb == "INSERT":
        # Of values, and not of the table's own rows: who may add them need not be allowed to read them.
        unread = sa.select(*(sa.null().label(name) for name in names)).where(_NO_ROW)
        dialect.check_write(connection, sa.insert(table).from_select(names, unread))
    elif verb == "UPDATE":
        dialect.check_write(connection, sa.update(table).values(dict.fromkeys(names, sa.null())).where(_NO_ROW))
    else:
        dialect.check_write(connection, sa.delete(table).where(_NO_ROW))


def _columns(table: TableClause, names: Sequence[str]) -> TableClause:
    return sa.table(table.name, *(sa.column(name) for name in names), schema=table.schema)


def _writable(table: sa.Table) -> list[str]:
    # An id that the database gives, nobody else may write.
    return [column.name for column in table.c if column.server_default is None]
