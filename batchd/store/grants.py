"""The rights that batchd needs while it runs, as GRANT statements: exactly those, and none to make tables.

A test holds the ledger's part against ``sql/<database>/roles_runtime.sql``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql
from sqlalchemy.sql.compiler import IdentifierPreparer

from batchd.store import tables
from batchd.store.dialects.base import Mask
from batchd.store.dialects.mssql_names import Names
from batchd.store.opening import dialect_of

_LOOKS = ("SELECT",)
_ADDS = ("SELECT", "INSERT")
_CHANGES = ("SELECT", "INSERT", "UPDATE")
LEDGER_RIGHTS: dict[str, tuple[str, ...]] = {
    # It changes by `db adopt` only, an act of the installer.
    tables.installation.name: _LOOKS,
    tables.task.name: _CHANGES,
    tables.task_version.name: _ADDS,
    tables.batch.name: _CHANGES,
    tables.watch.name: _ADDS,
    tables.quota.name: _CHANGES,
    tables.enqueued.name: _CHANGES,
    # Retention removes requests and their content, where the config wants it.
    tables.request.name: (*_CHANGES, "DELETE"),
    tables.gate.name: (*_CHANGES, "DELETE"),
    tables.content.name: (*_ADDS, "DELETE"),
    tables.retention.name: _CHANGES,
    tables.vendor_files.name: _CHANGES,
    tables.process.name: (*_CHANGES, "DELETE"),
    tables.finding.name: _CHANGES,
    tables.event.name: _ADDS,
    "batchd_v_tasks": _LOOKS,
    "batchd_v_batches": _LOOKS,
    "batchd_v_failures": _LOOKS,
    "batchd_v_spend_daily": _LOOKS,
    "batchd_v_findings": _LOOKS,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a config leads to.

    Attributes:
        database: "sqlite", "postgresql", "mysql" (MariaDB too) or "mssql".
        ledger_schema: where the ledger is; None where that goes without saying.
        session_schema: where a table without a schema is, for databases that must be told.
        file: SQLite's.
    """

    database: str
    ledger_schema: str | None = None
    session_schema: str | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class TaskTable:
    """A table of a task, with the columns that are read and those that are written, by which verb.

    ``masks`` are on columns that are read, as far as somebody has looked.
    """

    name: str
    schema: str | None
    read: tuple[str, ...]
    written: tuple[str, ...]
    verb: Literal["UPDATE", "INSERT"] = "UPDATE"
    masks: tuple[Mask, ...] = ()


@dataclass(frozen=True, slots=True)
class Grants:
    """Statements that end with a semicolon: for batchd's own tables, the task's tables, temporary tables."""

    ledger: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    temporary_tables: tuple[str, ...] = ()


def place_of(url_text: str, ledger_schema: str | None) -> Place:
    """Where a config's URL and ``ledger_schema`` lead to, without connecting. Raises ConfigError."""
    dialect, url = dialect_of(url_text), sa.make_url(url_text)
    if dialect.name == "sqlite":
        return Place(dialect.name, file=Path(str(url.database)))
    # A schema is a database in MySQL, and a GRANT is not read in the session that batchd will have.
    session_schema = url.database if dialect.name == "mysql" else None
    return Place(dialect.name, ledger_schema or dialect.default_schema or session_schema, session_schema)


def grants_for(place: Place, table: TaskTable, role: str, target: TaskTable | None = None) -> Grants:
    """What a role needs for one task; nothing in SQLite, which knows no roles.

    Args:
        place: where ledger and tables are.
        table: the task's table.
        role: a role or a user of the database; in MySQL also "user@host".
        target: the table that the answers go to, where that is another one.
    """
    if place.database not in _SERVERS:
        return Grants()
    tables = [replace(one, schema=one.schema or place.session_schema) for one in (table, target) if one is not None]
    return _SERVERS[place.database](role).grants(place, tables)


def grant_on(database: str, role: str, verb: str, table: sa.TableClause) -> str:
    """One GRANT: on the columns that ``table`` names, or on all of it where it names none."""
    return _SERVERS[database](role).grant(verb, table)


def unmask_on(database: str, role: str, table: sa.TableClause, masks: Sequence[Mask]) -> Sequence[str]:
    """What shows a role the values behind these masks."""
    return _SERVERS[database](role).unmask(table, masks)


class _Server:
    """What the servers have in common: rights on tables, and on columns of them."""

    preparer: IdentifierPreparer

    def __init__(self, role: str) -> None:
        self.role = self.quoted_role(role)

    def grants(self, place: Place, tables: Sequence[TaskTable]) -> Grants:
        on_ledger = [self._grant(verbs, name, place.ledger_schema) for name, verbs in LEDGER_RIGHTS.items()]
        on_tables = [statement for table in tables for statement in self._on_table(table)]
        return Grants(
            ledger=(*self.use_of(place.ledger_schema), *on_ledger),
            # Two tables of one schema need its use once.
            table=tuple(dict.fromkeys(on_tables)),
            temporary_tables=tuple(self.temporary_tables(place)),
        )

    def _on_table(self, table: TaskTable) -> Iterator[str]:
        yield from self.use_of(table.schema)
        for verb, names in (("SELECT", table.read), (table.verb, table.written)):
            if names:
                yield self._grant([self.right_on_columns(verb, names)], table.name, table.schema)
        yield from self.unmask(sa.table(table.name, schema=table.schema), table.masks)
        yield from self.description_of(table)

    def right_on_columns(self, verb: str, names: Sequence[str]) -> str:
        """A right on these columns and no other."""
        return f"{verb} ({self._columns(names)})"

    def grant(self, verb: str, table: sa.TableClause) -> str:
        on_columns = self.right_on_columns(verb, table.c.keys()) if len(table.c) else verb
        return self._grant([on_columns], table.name, table.schema)

    def quoted_role(self, role: str) -> str:
        return self.preparer.quote(role)

    def use_of(self, schema: str | None) -> Sequence[str]:
        """What it takes to name a table of a schema at all."""
        del schema
        return ()

    def unmask(self, table: sa.TableClause, masks: Sequence[Mask]) -> Sequence[str]:
        """What shows the values behind masks, where there are such."""
        del table, masks
        return ()

    def description_of(self, table: TaskTable) -> Sequence[str]:
        """What it takes, beside rights on columns, to learn the columns' types."""
        del table
        return ()

    def temporary_tables(self, place: Place) -> Sequence[str]:
        """What it takes to write answers by way of a temporary table, where batchd does."""
        del place
        return ()

    def _grant(self, verbs: Sequence[str], name: str, schema: str | None) -> str:
        table = self.preparer.format_table(sa.table(name, schema=schema))
        return f"GRANT {', '.join(verbs)} ON {table} TO {self.role};"

    def _columns(self, names: Sequence[str]) -> str:
        return ", ".join(self.preparer.quote(name) for name in names)


class _Postgresql(_Server):
    # SELECT … FOR UPDATE asks for UPDATE on any one column: those that are written will do.
    preparer = postgresql.dialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call]

    def use_of(self, schema: str | None) -> Sequence[str]:
        return [f"GRANT USAGE ON SCHEMA {self.preparer.quote_schema(schema)} TO {self.role};"] if schema else []


class _Mysql(_Server):
    # MySQL's SELECT … FOR UPDATE asks for UPDATE too; MariaDB's for SELECT alone.
    preparer = mysql.dialect(paramstyle="named").identifier_preparer

    def quoted_role(self, role: str) -> str:
        name, at, host = role.rpartition("@")
        quote = self.preparer.quote_identifier
        return f"{quote(name)}@{quote(host)}" if at else self.preparer.quote(role)

    def description_of(self, table: TaskTable) -> Sequence[str]:
        # SHOW CREATE TABLE refuses whoever has rights on columns only. This one right shows nothing but that.
        return [self._grant(["SHOW VIEW"], table.name, table.schema)]

    def temporary_tables(self, place: Place) -> Sequence[str]:
        if place.session_schema is None:
            return [f"GRANT CREATE TEMPORARY TABLES ON * TO {self.role};"]
        # In a right on a whole database, _ and % stand for any letters.
        plain = place.session_schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        return [f"GRANT CREATE TEMPORARY TABLES ON {self.preparer.quote_identifier(plain)}.* TO {self.role};"]


class _Mssql(_Server):
    preparer = Names(mssql.dialect(paramstyle="named"))  # type: ignore[no-untyped-call]

    def right_on_columns(self, verb: str, names: Sequence[str]) -> str:
        # There is no right to insert into some columns only.
        return verb if verb == "INSERT" else super().right_on_columns(verb, names)

    def unmask(self, table: sa.TableClause, masks: Sequence[Mask]) -> Sequence[str]:
        if not all(mask.by_column for mask in masks):
            # Before SQL Server 2022 there is no smaller right.
            return [f"GRANT UNMASK TO {self.role};"]
        columns = self._columns([mask.column for mask in masks])
        return [f"GRANT UNMASK ON {self.preparer.format_table(table)} ({columns}) TO {self.role};"] if masks else []

    def description_of(self, table: TaskTable) -> Sequence[str]:
        # Columns, keys and collations, of columns that nobody else may see too; no row.
        return [self._grant(["VIEW DEFINITION"], table.name, table.schema)]


_SERVERS: dict[str, type[_Server]] = {"postgresql": _Postgresql, "mysql": _Mysql, "mssql": _Mssql}
