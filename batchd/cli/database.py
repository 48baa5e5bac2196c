"""``batchd db``: the ledger's tables, and which installation they belong to."""

from batchd.app.workplace import database_of
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.config import Config, mask_url
from batchd.errors import UsageError
from batchd.store import installation, migrate
from batchd.store.opening import dialect_of


def upgrade(call: Call, *, only_sql: bool) -> int:
    """Creates the ledger or brings it up to date; ``only_sql`` prints the DDL and touches nothing."""
    config = call.config()
    if only_sql:
        return _print_sql(call, config)
    database = database_of(config, create=True)
    scripts = migrate.upgrade(database.engine, database.dialect, database.url)
    database.engine.dispose()
    where = mask_url(config.database_url())
    if call.as_json:
        version = migrate.ledger_version(database.dialect)
        print_json({"database": where, "ran": scripts, "ledger_version": version})
    elif scripts:
        say(f"The ledger in {where} is up to date: ran {', '.join(scripts)}.")
    else:
        say(f"The ledger in {where} is up to date already.")
    return exit_codes.DONE


def _print_sql(call: Call, config: Config) -> int:
    scripts = migrate.scripts(dialect_of(config.database_url()))
    if call.as_json:
        print_json({"scripts": [{"name": one.name, "sql": one.text} for one in scripts]})
        return exit_codes.DONE
    for script in scripts:
        say(f"-- {script.name}")
        say(script.text)
    return exit_codes.DONE


def adopt(call: Call, *, moved: bool, copied: bool) -> int:
    """Binds the ledger to where it is now, as a person says."""
    if moved == copied:
        raise UsageError(
            "say which it is: the database moved here and its old place is gone, or this is a copy",
            next_command="batchd db adopt --moved, or batchd db adopt --copied",
        )
    database = database_of(call.config())
    migrate.check_version(database.engine, database.dialect)
    installation.adopt(database.engine, database.dialect, database.url, copied=copied)
    place = database.dialect.binding(database.url)
    database.engine.dispose()
    if call.as_json:
        print_json({"bound_to": place, "new_installation": copied})
        return exit_codes.DONE
    say(f"The ledger belongs to {place} now" + (", as an installation of its own." if copied else "."))
    return exit_codes.DONE
