"""The place that a ledger is bound to: two URLs of one database are one place, and a copy's is another."""

import pytest
import sqlalchemy as sa

from batchd.store.dialects import dialect_for


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://h/a", "postgresql://h/b", False),
        ("postgresql://h/a", "postgresql://g/a", False),
        ("postgresql://h/a", "postgresql://h:5433/a", False),
        ("postgresql://h/a", "postgresql://h:5432/a", True),
        ("postgresql://h/a", "postgresql+psycopg://somebody:something@H/a?sslmode=require", True),
        ("postgresql://localhost/a", "postgresql:///a?host=/run/postgresql", True),
        ("postgresql://localhost/a", "postgresql://h/a", False),
        ("mysql://h/a", "mariadb+pymysql://h:3306/a", True),
        ("mysql://h/a", "mysql://h/b", False),
        ("mysql://h/a", "postgresql://h/a", False),
        ("mssql+pyodbc://h/a", "mssql+pyodbc://h:1433/a?driver=FreeTDS", True),
        ("mssql+pyodbc://h/a", "mssql+pyodbc://h/a?driver=FreeTDS&port=1500", False),
        ("mssql+pyodbc://h/a", "mssql+pyodbc://h/a?driver=FreeTDS&PORT=1500", False),
        ("mssql+pyodbc://h:1500/a", "mssql+pyodbc://h/a?driver=FreeTDS&Port=1500", True),
        ("mssql+pyodbc://h/a", "mssql+pyodbc://h/b", False),
    ],
)
def test_a_place_is_server_and_database(one: str, other: str, *, same: bool) -> None:
    """Whatever the login, the driver and its settings; a server on this machine is not another machine's."""
    first, second = (dialect_for(url).binding(url) for url in map(sa.make_url, (one, other)))

    assert same == (first == second), (first, second)
    assert "something" not in second
