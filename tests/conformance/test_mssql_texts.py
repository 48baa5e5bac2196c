"""Texts as a table of SQL Server may hold them, read by real ODBC drivers; a fake server sends them."""

import contextlib

import pytest
import sqlalchemy as sa

from batchd.store.dialects.mssql import MssqlDialect
from tests.conformance.odbc_drivers import MICROSOFT, OdbcDriver, each_driver
from tests.fakes.tds_server import Answer, FakeTdsServer, Value


@each_driver
@pytest.mark.parametrize("text", ["a\ud800b", "\udc00", "😀\ud83d", "a\0b", "\ufeffx", "\uffff", "漢 😀 é"])
def test_a_text_is_read_as_it_stands(driver: OdbcDriver, text: str) -> None:
    """LEFT of an emoji leaves half a character; its row is told of, so it must not keep all others from being read."""
    answers: dict[str, Answer] = {
        "asked": Value(text),
        "ProductVersion": Value("16.0.1000.6"),
        "schema_name": Value("dbo"),
        "SELECT": Value(1),
    }
    with FakeTdsServer(answers=answers).serving() as server:
        url = sa.URL.create(
            "mssql+pyodbc", "somebody", "something", "127.0.0.1", server.port, "app",
            {"driver": str(driver.file), "Encrypt": "no"} if driver is MICROSOFT else {"driver": str(driver.file)},
        )  # fmt: skip
        engine = MssqlDialect().create_engine(url)
        with contextlib.closing(engine.raw_connection()) as connection:
            found = connection.cursor().execute("SELECT asked").fetchone()[0]
        engine.dispose()

    assert ascii(text) == ascii(found)
