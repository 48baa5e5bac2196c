"""Which rights the login has that batchd never needs. Nothing is changed to find out.

PostgreSQL and SQL Server say for each right whether the login has it, by whatever role. MySQL says which rights were
granted, and of a single table it is asked to plan a statement.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect
from batchd.store.grants import LEDGER_RIGHTS, TaskTable
from batchd.store.migrate import schema_of

_WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Excess:
    """What the login may do to one table, or to all, and need not.

    Attributes:
        where: ``table item``, or "" where it is about more than one table.
        what: such as ``may DELETE``, or ``is a superuser``.
        is_all: it may do anything, so that nothing else is worth saying.
    """

    where: str
    what: str
    is_all: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A table, and its name as SQL writes it."""

    name: str
    schema: str | None
    written: str


def excess_on_task(connection: Connection, dialect: LedgerDialect, needed: Sequence[TaskTable]) -> list[Excess]:
    """What the login may do to the tables of a task beyond what the task does there."""
    server = _SERVERS[dialect.name](connection, dialect)
    places = [_place(connection, one.name, one.schema) for one in needed]
    powers = list(server.powers(places))
    if any(one.is_all for one in powers):
        return powers
    return powers + [
        Excess(f"table {one.name}", f"may {what}")
        for one, place in zip(needed, places, strict=True)
        for what in _beyond(server, place, one)
    ]


def excess_on_ledger(connection: Connection, dialect: LedgerDialect) -> list[Excess]:
    """The same of batchd's own tables, which keep what was written down."""
    server, schema = _SERVERS[dialect.name](connection, dialect), schema_of(connection)
    places = {name: _place(connection, name, schema) for name in _ledger_tables()}
    powers = list(server.powers(list(places.values())))
    if any(one.is_all for one in powers):
        return powers
    found = {
        name: [verb for verb in _WRITES if verb not in LEDGER_RIGHTS[name] and server.may(verb, place)]
        for name, place in places.items()
    }
    return powers + [Excess(f"table {name}", f"may {', '.join(verbs)}") for name, verbs in found.items() if verbs]


def _ledger_tables() -> list[str]:
    return [table.name for table in tables.metadata.tables.values() if table.name in LEDGER_RIGHTS]


def _beyond(server: "_Server", place: _Place, needed: TaskTable) -> Iterator[str]:
    yield from (verb for verb in ("DELETE", "INSERT") if verb != needed.verb and server.may(verb, place))
    allowed = server.updatable(place)
    written = set(needed.written) if needed.verb == "UPDATE" else set()
    if others := [name for name in allowed if name.lower() not in {one.lower() for one in written}]:
        shown = ", ".join(others[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
        yield f"UPDATE {shown}"


_SHOWN = 5


def _place(connection: Connection, name: str, schema: str | None) -> _Place:
    return _Place(name, schema, connection.dialect.identifier_preparer.format_table(sa.table(name, schema=schema)))


class _Server(Protocol):
    """How one kind of server is asked."""

    def powers(self, places: Sequence[_Place]) -> Iterator[Excess]:
        """Rights on more than rows: of a superuser, of an owner, to make and change tables."""

    def may(self, verb: str, place: _Place) -> bool:
        """Whether a verb is allowed on all of a table."""

    def updatable(self, place: _Place) -> Collection[str]:
        """The columns that may be updated."""


_SCHEMA_OF = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:place)
"""


class _Postgresql:
    def __init__(self, connection: Connection, _dialect: LedgerDialect) -> None:
        self._connection = connection

    def powers(self, places: Sequence[_Place]) -> Iterator[Excess]:
        if self._asked("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            yield Excess("", "is a superuser", is_all=True)
            return
        owns = "SELECT pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = to_regclass(:place)"
        owned = [one.name for one in places if self._asked(owns, place=one.written)]
        if owned:
            yield Excess("", f"owns {_listed(owned)}, and may change and drop what it owns")
        for name in dict.fromkeys(self._asked(_SCHEMA_OF, place=one.written) for one in places):
            if name and self._asked("SELECT has_schema_privilege(:schema, 'CREATE')", schema=name):
                yield Excess("", f"may make tables in schema {name}")

    def may(self, verb: str, place: _Place) -> bool:
        query = "SELECT has_table_privilege(to_regclass(:place), :verb)"
        return bool(self._asked(query, place=place.written, verb=verb))

    def updatable(self, place: _Place) -> list[str]:
        query = sa.text(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:place) AND attnum > 0 "
            "AND NOT attisdropped AND has_column_privilege(attrelid, attnum, 'UPDATE') ORDER BY attnum"
        )
        return list(self._connection.scalars(query, {"place": place.written}))

    def _asked(self, query: str, **values: Any) -> Any:
        return self._connection.scalar(sa.text(query), values)


class _Mssql:
    def __init__(self, connection: Connection, _dialect: LedgerDialect) -> None:
        self._connection = connection

    def powers(self, places: Sequence[_Place]) -> Iterator[Excess]:
        roles = "SELECT IS_SRVROLEMEMBER(N'sysadmin'), IS_ROLEMEMBER(N'db_owner'), IS_ROLEMEMBER(N'db_ddladmin')"
        sysadmin, owner, ddl = self._connection.execute(sa.text(roles)).one()
        if sysadmin or owner:
            yield Excess("", f"is a member of {'sysadmin' if sysadmin else 'db_owner'}", is_all=True)
            return
        if ddl:
            yield Excess("", "is a member of db_ddladmin, and may change and drop every table")
        for schema in dict.fromkeys(one.schema for one in places):
            query = "SELECT HAS_PERMS_BY_NAME(QUOTENAME(COALESCE(:schema, SCHEMA_NAME())), N'SCHEMA', N'ALTER')"
            if not ddl and self._connection.scalar(sa.text(query), {"schema": schema}):
                yield Excess("", f"may make and drop tables in schema {schema or 'of its own'}")

    def may(self, verb: str, place: _Place) -> bool:
        query = sa.text("SELECT HAS_PERMS_BY_NAME(:place, N'OBJECT', :verb)")
        return bool(self._connection.scalar(query, {"place": place.written, "verb": verb}))

    def updatable(self, place: _Place) -> list[str]:
        query = sa.text(
            "SELECT CAST(name AS NVARCHAR(128)) FROM sys.columns WHERE object_id = OBJECT_ID(:place) "
            "AND HAS_PERMS_BY_NAME(:place, N'OBJECT', N'UPDATE', QUOTENAME(name), N'COLUMN') = 1 ORDER BY column_id"
        )
        return list(self._connection.scalars(query, {"place": place.written}))


class _Mysql:
    # ``GRANT SELECT, INSERT (a) ON `shop`.`item` TO …``; what is granted of roles has no ON.
    _GRANTED = re.compile(r"GRANT (?P<rights>.+?) ON (?P<scope>(?:`(?:[^`]|``)*`|\*)\.(?:`(?:[^`]|``)*`|\*)) TO ")
    _DDL = ("CREATE", "ALTER", "DROP", "INDEX", "TRIGGER")

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def powers(self, places: Sequence[_Place]) -> Iterator[Excess]:
        granted = self._granted()
        everywhere = granted.get("*.*", set())
        if everywhere & {"ALL PRIVILEGES", "SUPER"}:
            yield Excess("", "may do anything on this server", is_all=True)
            return
        here = str(self._connection.scalar(sa.text("SELECT DATABASE()")))
        for database in dict.fromkeys(one.schema or here for one in places):
            rights = everywhere | {right for scope in _scopes(database) for right in granted.get(scope, set())}
            found = ["everything"] if "ALL PRIVILEGES" in rights else [verb for verb in self._DDL if verb in rights]
            if found:
                yield Excess("", f"may {', '.join(found)} in database {database}")

    def may(self, verb: str, place: _Place) -> bool:
        table = sa.table(place.name, schema=place.schema)
        if verb == "DELETE":
            return self._takes(sa.delete(table).where(sa.text("1 = 0")))
        column = self._columns(place)[:1]
        if not column:
            return False
        named = sa.table(place.name, sa.column(column[0]), schema=place.schema)
        if verb == "UPDATE":
            return self._takes(sa.update(named).values({column[0]: sa.null()}).where(sa.text("1 = 0")))
        nothing = sa.select(sa.null()).where(sa.text("1 = 0"))
        return self._takes(sa.insert(named).from_select(column, nothing))

    def updatable(self, place: _Place) -> list[str]:
        return [name for name in self._columns(place) if self._may_update(place, name)]

    def _may_update(self, place: _Place, name: str) -> bool:
        named = sa.table(place.name, sa.column(name), schema=place.schema)
        return self._takes(sa.update(named).values({name: sa.null()}).where(sa.text("1 = 0")))

    def _columns(self, place: _Place) -> list[str]:
        return list(self._dialect.columns(self._connection, place.name, place.schema))

    def _takes(self, write: sa.Update | sa.Delete | sa.Insert) -> bool:
        """It was planned: whatever else it is refused for is no right too many."""
        try:
            self._dialect.check_write(self._connection, write)
        except DBAPIError:
            return False
        return True

    def _granted(self) -> Mapping[str, set[str]]:
        """By ``database.table``, as it is written, the rights on all columns."""
        found: dict[str, set[str]] = {}
        for line in self._connection.exec_driver_sql("SHOW GRANTS").scalars():
            if matched := self._GRANTED.match(line):
                rights = {one.strip() for one in re.sub(r"\([^)]*\)", "", matched["rights"]).split(",")}
                found.setdefault(matched["scope"], set()).update(rights)
        return found


def _scopes(database: str) -> tuple[str, ...]:
    """How a grant on all of a database is written: ``_`` and ``%`` stand for any letters, unless told not to."""
    plain, quoted = database.replace("`", "``"), re.sub(r"([\\_%])", r"\\\1", database).replace("`", "``")
    return f"`{plain}`.*", f"`{quoted}`.*"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


_SERVERS: dict[str, type[_Postgresql] | type[_Mssql] | type[_Mysql]] = {
    "postgresql": _Postgresql,
    "mssql": _Mssql,
    "mysql": _Mysql,
}
