"""Stores under test: what a test needs of a database beside the store. A new database is a file of its own beside."""

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pytest
import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.model import Batch, KeyPage, Lease, NewBatch, NewRequest
from batchd.core.tasks import AnswerSpec, KeyColumn, KeyEquality, TaskDefinition, WriteBack
from batchd.ports import Ledger
from batchd.store.engine import SqlStore
from batchd.store.grants import TaskTable, grants_for, place_of
from batchd.store.opening import Database
from batchd.store.source import SourceTable
from batchd.store.sql_folder import sql_root

# ``varchar`` and ``varbinary`` are short enough for a key; ``untyped`` takes any value, as SQLite's columns do.
Kind = Literal[
    "integer", "bigint", "decimal", "number", "boolean", "varchar", "text", "json", "varbinary", "binary", "guid",
    "date", "datetime", "moment", "rowversion", "untyped",
]  # fmt: skip


_TEXTS: tuple[Kind, ...] = ("varchar", "text")


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column of a user's table; ``more`` is SQL such as ``NOT NULL`` that every database takes."""

    name: str
    kind: Kind = "text"
    equality: KeyEquality | None = None
    more: str = ""


class StoreUnderTest(Protocol):
    """One database, empty but for the ledger, and a person with a connection of their own.

    Attributes:
        name: which database it is.
        types: its SQL for each kind of column that it has.
        equalities: its SQL for each equality that it has of ``varchar`` columns; a column may need a type for it.
        indexes: which kinds of unique indexes it has that don't keep a column unique.
        takes_offsets: a time may be given to it with its offset from UTC.
        refuses_not: reasons for which it refuses no value.
        usual_equality: that of a text column of which nothing else is said.
    """

    name: str
    types: Mapping[Kind, str]
    equalities: Mapping[KeyEquality, str]
    indexes: frozenset[str]
    takes_offsets: bool
    refuses_not: frozenset[str]
    usual_equality: KeyEquality

    def prepare(self) -> None:
        """Makes the ledger, or empties it."""

    def close(self) -> None:
        """Ends all connections, and leaves nothing behind."""

    def open(self) -> Database:
        """Another process opens the database as batchd's runtime login does; it waits for no lock."""

    def open_as_owner(self) -> Database:
        """The same for who has installed the ledger, and may do anything."""

    def grant(self, definition: TaskDefinition) -> None:
        """Gives batchd's runtime login what it needs for a task, and no more."""

    def grant_read(self, table: str) -> None:
        """Lets it read a table that only a predicate names."""

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        """A user's table, with ``key`` as its primary key. Skips the test where a column can't be had."""

    def refuse_updates(self, table: str, words: str) -> None:
        """A trigger of the user's, that lets no row be changed, and says so in these words."""

    def audit_updates(self, table: str) -> None:
        """A trigger of the user's, that adds two rows to the table ``audit`` for each row that is changed."""

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Runs one statement as a person would, with ``?`` for parameters; committed at once."""

    def quote(self, name: str) -> str:
        """A name of any characters, for use in SQL."""

    def clock(self) -> dt.datetime:
        """The database's own time, UTC, to the millisecond."""

    def locked(self) -> contextlib.AbstractContextManager[Any]:
        """A person holds what writers of the ledger need."""

    def passing_error(self) -> Exception:
        """An error of the driver after which the whole transaction is to be run again."""


def table_sql(db: StoreUnderTest, table: str, columns: Sequence[ColumnSpec], key: Sequence[str]) -> str:
    """The CREATE TABLE of a user's table."""
    lines = [f"{db.quote(one.name)} {column_type(db, one)} {one.more}" for one in columns]
    if key:
        lines.append(f"PRIMARY KEY ({', '.join(map(db.quote, key))})")
    return f"CREATE TABLE {db.quote(table)} ({', '.join(lines)})"


def column_type(db: StoreUnderTest, column: ColumnSpec) -> str:
    """Type and collation of a column. Skips the test where the database has no such column."""
    if column.kind not in db.types:
        pytest.skip(f"{db.name} has no columns of kind {column.kind}")
    if column.equality is None or column.kind not in _TEXTS:
        return db.types[column.kind]
    if column.equality not in db.equalities:
        pytest.skip(f"{db.name} has no text columns of equality {column.equality}")
    return db.equalities[column.equality]


def key_of(database: Database, names: Sequence[str], table: str = "item") -> tuple[KeyColumn, ...]:
    """The key's columns as batchd finds them in the table."""
    with database.dialect.reading(database.engine.connect()) as connection:
        return tuple(SourceTable(connection, database.dialect, table, None).key_columns(names))


def insert_distinct(db: StoreUnderTest, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
    """Rows of these values in ``item``, without those whose key the database takes for one that is there."""
    sql = f"INSERT INTO item ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    for row in rows:
        try:
            db.execute(sql, *row)
        except Exception as error:  # whatever the driver's kind of it is
            if "IntegrityError" not in {kind.__name__ for kind in type(error).__mro__}:
                raise


def grants_of(db: Database, definition: TaskDefinition, login: str) -> tuple[str, ...]:
    """The statements that let a login work on a task's table, as `batchd db grants` prints them."""
    named = _named(db, definition.table, definition.pending)
    written = () if definition.target else definition.outputs
    read = dict.fromkeys([*definition.key_columns, *definition.inputs, *written, *named])
    if definition.guard_column:
        read[definition.guard_column] = None
    place = place_of(db.url.render_as_string(hide_password=False), None)
    table = TaskTable(definition.table, definition.table_schema, tuple(read), written)
    return grants_for(place, table, login, _target_of(db, definition)).table


def _target_of(db: Database, definition: TaskDefinition) -> TaskTable | None:
    if definition.target is None:
        return None
    target, outputs = definition.target, definition.outputs
    key, named = tuple(column.name for column in target.key), _named(db, target.table, definition.pending)
    if target.mode == "insert":
        return TaskTable(target.table, target.table_schema, tuple({*key, *named}), (*key, *outputs), "INSERT")
    return TaskTable(target.table, target.table_schema, tuple({*key, *outputs, *named}), outputs)


def _named(db: Database, table: str, pending: str | None) -> list[str]:
    """The columns of a table that a predicate names."""
    columns = [column["name"] for column in sa.inspect(db.engine).get_columns(table)]
    return [name for name in columns if re.search(rf"\b{re.escape(name)}\b", pending or "")]


def runtime_role(db: Database) -> list[str]:
    """The statements of ``roles_runtime.sql``, the rights on batchd's own tables."""
    script = (sql_root() / db.dialect.name / "roles_runtime.sql").read_text(encoding="utf-8")
    return db.dialect.statements(script, db.dialect.default_schema)


_PARTS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[?%]""")


def formatted(sql: str) -> str:
    """``?`` as ``%s``, for drivers whose placeholders are those."""
    swaps = {"?": "%s", "%": "%%"}
    return _PARTS.sub(lambda found: swaps.get(found[0], found[0].replace("%", "%%")), sql)


def rows_of(cursor: Any) -> list[Any]:
    """What a statement returned, as tuples; nothing where it returns nothing."""
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def moment(value: str | dt.datetime) -> dt.datetime:
    """A time as the ledger keeps it: text in SQLite, elsewhere the database's own kind of time."""
    read = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return read.astimezone(dt.UTC) if read.tzinfo else read.replace(tzinfo=dt.UTC)


def hurry(engine: sa.Engine, *statements: str) -> None:
    """Has each connection of a store say these first: tests wait neither for locks nor for the disk."""

    def say(connection: Any, _record: object) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)

    sa.event.listen(engine.pool, "connect", say)
    # The one that was opened to see whether the database is there.
    with contextlib.closing(engine.raw_connection()) as connection:
        say(connection, None)


def a_definition(**changes: Any) -> TaskDefinition:
    """The task of the store tests: ``item`` gives ``body``, and takes ``answer`` and the marker ``done``."""
    usual: dict[str, Any] = {
        "name": "items",
        "vendor": "local",
        "table": "item",
        "key": (KeyColumn(name="id", kind="integer"),),
        "pending": "done IS NULL",
        "inputs": ("body",),
        "endpoint": "/v1/chat/completions",
        "model": "m",
        "prompt": "{{ body }}",
        "answer": AnswerSpec(columns=(WriteBack(column="answer", path="@"),)),
    }
    return TaskDefinition(**(usual | changes))


ITEM = (ColumnSpec("id", "integer"), ColumnSpec("body"), ColumnSpec("answer"), ColumnSpec("done"))


class Desk:
    """A process at work on one task of one database, with short forms of what the tests do most."""

    def __init__(self, db: StoreUnderTest, definition: TaskDefinition | None = None, actor: str = "tester") -> None:
        self.db = db
        self.dead: set[str] = set()
        given = definition or a_definition()
        db.grant(given)
        self.database = db.open()
        self.definition = given.model_copy(update={"key": key_of(self.database, given.key_columns, given.table)})
        self.store: SqlStore = self.database.store(actor=actor, is_dead=lambda owner: owner in self.dead)
        self.task_id, self.version_id = self.store.transact(self._enrolled)

    def _enrolled(self, ledger: Ledger) -> tuple[int, int]:
        known = ledger.tasks.find(self.definition.name)
        record = known or ledger.tasks.add(self.definition.name, self.definition.fingerprint)
        return record.id, ledger.tasks.save_version(record.id, self.definition)

    def page(self, after: tuple[Any, ...] | None = None, limit: int = 100) -> KeyPage:
        """One page of claimable keys."""
        return self.store.read(lambda ledger: ledger.rows(self.task_id, self.definition).claimable(after, limit))

    def pages(self, limit: int) -> list[KeyPage]:
        """All pages, one after the other."""
        pages = [self.page(None, limit)]
        while pages[-1].last is not None:
            pages.append(self.page(pages[-1].last, limit))
        return pages

    def claimable(self, limit: int = 100) -> list[RowKey]:
        """All claimable keys."""
        return [key for page in self.pages(limit) for key in page.keys]

    def build(self, keys: Sequence[RowKey], *, uid: str = "u1", retried: bool = False) -> Batch:
        """Records a batch of these rows."""

        def recorded(ledger: Ledger) -> Batch:
            batch_id = ledger.batches.add(NewBatch(uid, self.task_id, self.version_id, "local", "f", 1, "s"))
            read = {one.key.identity: one for one in ledger.rows(self.task_id, self.definition).read(keys)}
            requests = [
                NewRequest(seq, key, row.guard if row else "", row.guard_value if row else None, retried)
                for seq, key in enumerate(keys, 1)
                for row in [read.get(key.identity)]
            ]
            ledger.requests.add(batch_id, requests)
            ledger.gates.open(self.task_id, batch_id, requests)
            return ledger.batches.get(batch_id)

        return self.store.transact(recorded)

    def write(self, key: RowKey, **values: Any) -> None:
        """Writes one row."""
        self.write_all((key, values))

    def write_all(self, *rows: tuple[RowKey, dict[str, Any]]) -> None:
        """Writes several rows in one transaction."""
        self.store.transact(lambda ledger: ledger.rows(self.task_id, self.definition).write(rows))

    def lease(self, owner: str = "tester", seconds: float = 60.0) -> Lease | None:
        """Takes the task's lease."""
        return self.store.transact(lambda ledger: ledger.tasks.take_lease(self.task_id, owner, seconds))

    def held(self, owner: str = "tester", seconds: float = 60.0) -> Lease:
        """The same, where it must succeed."""
        found = self.lease(owner, seconds)
        assert found is not None
        return found

    def events(self) -> list[Any]:
        """(subject, action, from, to, reason) of every event but those of setting up."""
        return self.db.execute(
            "SELECT subject, action, from_state, to_state, reason FROM batchd_event WHERE action <> 'added' ORDER BY id"
        )
