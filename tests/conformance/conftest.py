"""The databases that every store test runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.stores import ITEM, Desk, SqliteUnderTest, StoreUnderTest


@pytest.fixture(params=["sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUnderTest]:
    """A database with an empty ledger."""
    del request
    under_test = SqliteUnderTest(tmp_path)
    yield under_test
    under_test.close()


@pytest.fixture
def desk(db: StoreUnderTest) -> Desk:
    """The task ``items`` over five pending rows."""
    db.create_table("item", *ITEM, key=["id"])
    for number in range(1, 6):
        db.execute("INSERT INTO item (id, body) VALUES (?, ?)", number, f"text {number}")
    return Desk(db)
