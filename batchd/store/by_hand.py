"""What a DBA runs in place of ``batchd db upgrade``: the scripts, then the ledger's one row. No database is asked."""

from dataclasses import dataclass

import sqlalchemy as sa

from batchd.store.migrate import ledger_version, scripts
from batchd.store.opening import dialect_of
from batchd.store.sql_folder import INSTALLATION, installation_text


@dataclass(frozen=True, slots=True)
class Text:
    """SQL as the database's own client takes it, under the name of its file."""

    name: str
    sql: str


def texts_for(url_text: str, ledger_schema: str | None) -> list[Text]:
    """All of it in order, for a ledger at this URL. Raises ConfigError."""
    dialect, url = dialect_of(url_text), sa.make_url(url_text)
    schema = ledger_schema or dialect.default_schema
    # The schema's name comes first: a place may have the same word in it, and keeps it.
    row = dialect.script_for(installation_text(dialect.name), schema)
    row = row.replace(":ledger_version", str(ledger_version(dialect)))
    row = row.replace(":bound_to", dialect.literal(dialect.binding(url)))
    made = [Text(script.name, dialect.script_for(script.text, schema)) for script in scripts(dialect)]
    return [*made, Text(INSTALLATION, row)]
