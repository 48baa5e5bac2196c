"""Where a cycle runs: a database, the storage that it and the spool are on, and fresh copies of the rows."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

TABLE = """CREATE TABLE candidate (
    id BIGINT PRIMARY KEY, resume TEXT NOT NULL, full_name VARCHAR(200), years_experience DOUBLE PRECISION,
    skills TEXT, level VARCHAR(10), summary TEXT, done_at {time}
)"""
# The right answer in the right row: the vendor's answer names the row that it was asked about.
RIGHT = "done_at IS NOT NULL AND level = 'senior' AND full_name = {name}"


class Place(Protocol):
    """One database on one storage.

    Attributes:
        name: as the command line has it.
        kind: sqlite, postgresql or mariadb.
        folder: on the same storage; for the spool and the scripts' files.
        version: of the database.
    """

    name: str
    kind: str
    folder: Path
    version: str

    def fill(self, rows: Iterator[str]) -> None:
        """Makes the rows that each run begins with."""

    def fresh(self, *, ledger: bool, port: int | None = None) -> None:
        """A new copy of these rows, none of them done, with or without an empty ledger; by way of that port."""

    def settings(self, port: int | None = None) -> dict[str, Any]:
        """What the driver is given to connect; ``port`` is that of a proxy before the server."""

    def url(self, port: int | None = None) -> str:
        """The same for batchd's config, without a password."""

    @property
    def password(self) -> str:
        """Of the login, empty where none is needed."""

    def execute(self, sql: str) -> list[Any]:
        """One statement by somebody else, committed at once."""

    def add_rows(self, rows: int, columns: Mapping[str, str], table: str = "candidate") -> None:
        """So many rows by one statement in the database: columns to SQL over ``i``, which counts from 1."""

    def settle(self) -> None:
        """What a database does some time after a load is done now."""

    def name_of_key(self) -> str:
        """SQL for the name that the right answer gives a row."""

    def close(self) -> None:
        """Leaves nothing behind."""


def right_rows(place: Place) -> int:
    """How many rows hold the answer that was meant for them."""
    right = RIGHT.format(name=place.name_of_key())
    return int(place.execute(f"SELECT count(*) FROM candidate WHERE {right}")[0][0])


def ledger_rows(place: Place) -> dict[str, int]:
    """What the ledger holds of a cycle: requests applied, gates left, before-images, batches closed."""
    counted = {
        "applied": "batchd_request WHERE outcome = 'applied'",
        "gates": "batchd_gate",
        "images": "batchd_content WHERE kind = 'before'",
        "open": "batchd_batch WHERE state <> 'closed'",
    }
    return {name: int(place.execute(f"SELECT count(*) FROM {what}")[0][0]) for name, what in counted.items()}
