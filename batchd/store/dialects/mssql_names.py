"""SQL Server's names as statements write them."""

import re

from sqlalchemy.dialects import mssql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import IdentifierPreparer

# Which words are names only in quotes differs with the server; batchd's own are none on any.
_OWN = re.compile(r"batchd[a-z0-9_]*")
_OF_SQLALCHEMY: type[IdentifierPreparer] = type(mssql.dialect().identifier_preparer)  # type: ignore[no-untyped-call]


class Names(_OF_SQLALCHEMY):  # type: ignore[misc, valid-type]
    """Quotes each name that is not batchd's own: with brackets, and with double quotes where a bracket is part of it.

    Both mean the same, since QUOTED_IDENTIFIER is on; not every server that speaks T-SQL reads ``]]``.
    """

    def _requires_quotes(self, value: str) -> bool:
        return _OWN.fullmatch(value) is None

    def quote_identifier(self, value: str) -> str:
        """The name in quotes."""
        doubled = value.replace('"', '""')
        return f'"{doubled}"' if "]" in value else f"[{value}]"

    def quote_schema(self, schema: str) -> str:
        """One name, whatever dots and brackets it has; SQLAlchemy would read a database and a schema out of them."""
        return str(self.quote(schema))


def use_names(dialect: Dialect) -> None:
    """Has a dialect of SQLAlchemy write names so."""
    dialect.preparer = Names
    dialect.identifier_preparer = Names(dialect)
