"""``batchd db``: the ledger's tables, and which installation they belong to."""

from batchd.app.owner import this_owner
from batchd.app.workplace import opened_database
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import plural, print_json
from batchd.config import Config, mask_url
from batchd.errors import UsageError
from batchd.store import by_hand, installation, migrate


def upgrade(call: Call, *, only_sql: bool) -> int:
    """Creates the ledger or brings it up to date; ``only_sql`` prints what a DBA runs instead, and touches nothing."""
    config = call.config()
    if only_sql:
        return _print_sql(call, config)
    with opened_database(config, create=True) as database:
        scripts = migrate.upgrade(database.engine, database.dialect, database.url)
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
    texts = by_hand.texts_for(config.database_url(), config.database.ledger_schema)
    if call.as_json:
        print_json({"scripts": [{"name": one.name, "sql": one.sql} for one in texts]})
        return exit_codes.DONE
    for text in texts:
        say(f"-- {text.name}")
        say(text.sql)
    return exit_codes.DONE


def adopt(call: Call, *, moved: bool, copied: bool) -> int:
    """Binds the ledger to where it is now, as a person says."""
    if moved == copied:
        raise UsageError(
            "say which it is: the database moved here and its old place is gone, or this is a copy",
            next_command="batchd db adopt --moved, or batchd db adopt --copied",
        )
    copy = None
    with opened_database(call.config()) as database:
        migrate.check_version(database.engine, database.dialect, database.url)
        place = database.dialect.binding(database.url)
        if copied:
            copy = installation.adopt_copied(database.engine, database.dialect, database.url, actor=this_owner())
        else:
            installation.adopt_moved(database.engine, database.dialect, database.url)
    if call.as_json:
        given_up = {"batches_given_up": copy.batches if copy else 0, "tasks_paused": copy.tasks if copy else ()}
        print_json({"bound_to": place, "new_installation": copied} | given_up)
        return exit_codes.DONE
    say(f"The ledger belongs to {place} now" + (", as an installation of its own." if copied else "."))
    if copy is not None:
        _say_copied(copy)
    return exit_codes.DONE


def _say_copied(copy: installation.Copied) -> None:
    if copy.batches:
        say(
            f"{plural(copy.batches, 'open batch', 'open batches')} of the original ended here and went on there: "
            f"{plural(copy.rows, 'row')} are due again."
        )
    if copy.tasks:
        say("Every task is paused: rows that are pending in both databases would be paid for in both.")
        say(f"Next: batchd resume {copy.tasks[0]}" + (", and so on for each task" if len(copy.tasks) > 1 else ""))
