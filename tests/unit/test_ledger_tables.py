"""The ledger's tables as SQLAlchemy is told of them."""

import pytest
import sqlalchemy as sa

from batchd.store import tables


@pytest.mark.parametrize("table", tables.metadata.tables.values(), ids=lambda table: str(table.name))
def test_a_key_that_we_give_is_not_taken_for_the_databases_own(table: sa.Table) -> None:
    """SQL Server would be told IDENTITY_INSERT for it, and refuses that for a column that is none."""
    given = [column for column in table.primary_key if column.server_default is None]

    assert not any(column is table._autoincrement_column for column in given)
