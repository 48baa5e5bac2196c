"""``batchd check ID``: asks about one batch, and applies its results if it has ended."""

from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.causes import explain
from batchd.cli.lines import complain, say
from batchd.cli.out import plural, print_json
from batchd.cli.place import Desk, opened_ledger, workplace_for
from batchd.config import mask_url
from batchd.core.model import Batch
from batchd.errors import UsageError
from batchd.pipeline import CHECKING, run_pass
from batchd.ports import Counts, Orders, Scope
from batchd.stop import Stop
from batchd.store.reading import ask, batch_detail, failure_facts

_ENDS = {"closed", "failed", "abandoned"}


def check(call: Call, reference: str) -> int:
    """Polls, collects and applies one batch, named by its vendor's id, its uid or its number."""
    stop = Stop()
    stop.on_signals()
    with opened_ledger(call, stop) as desk:
        batch = find_batch(desk, reference)
        with workplace_for(call, desk, {batch.account}, stop) as place:
            counts = run_pass(CHECKING, place, Scope(batch_id=batch.id), Orders(eager=True))
        facts = ask(desk.database, lambda connection: batch_detail(connection, batch.id))
        failures = ask(desk.database, lambda connection: failure_facts(connection, batch=batch.id))
    causes = _causes(counts, facts, len(failures))
    code = exit_codes.INTERRUPTED if stop.asked() else exit_codes.exit_code(causes)
    if call.as_json:
        print_json({"batch": facts, "counts": counts.numbers, "rows_left": len(failures), "exit_code": code})
    else:
        _say(facts, len(failures))
    if stop.asked():
        complain("interrupted; nothing is lost")
    explain(causes - {exit_codes.HELD, exit_codes.ROWS_LEFT}, {batch.account})
    return code


def find_batch(desk: Desk, reference: str) -> Batch:
    """The batch a person means. Raises UsageError for an id the ledger does not know."""
    found = desk.store.read(lambda ledger: ledger.batches.find(reference))
    if found is None:
        where = mask_url(desk.config.database_url())
        raise UsageError(
            f"there is no batch {reference!r} in this ledger (database {where})",
            next_command="batchd batches",
        )
    return found


def _causes(counts: Counts, facts: dict[str, Any], failures: int) -> set[int]:
    causes = set(counts.causes)
    if facts["state"] == "held":
        causes.add(exit_codes.HELD)
    elif facts["state"] not in _ENDS:
        causes.add(exit_codes.NOT_ENDED)
    if failures:
        causes.add(exit_codes.ROWS_LEFT)
    return causes


def _say(facts: dict[str, Any], failures: int) -> None:
    name = f"Batch {facts['batch']} ({facts['vendor_batch_id'] or 'not sent yet'}, task {facts['task']})"
    if facts["state"] == "held":
        say(f"{name} is held at {facts['held_from']}: {facts['error_text'] or 'it waits for a person'}.")
        say(f"Next: batchd show {facts['batch']}, then batchd resolve {facts['batch']}")
    elif facts["state"] in _ENDS:
        say(f"{name} is {facts['state']}: {outcome_words(facts['outcomes'])}.")
    else:
        say(f"{name} has not ended: {facts['state']}, {_vendor_words(facts)}.")
        say(f"Next: {_next_command(facts)}")
    if failures:
        say(f"{plural(failures, 'row needs', 'rows need')} a person: batchd failures --task {facts['task']}")


def _next_command(facts: dict[str, Any]) -> str:
    # Checking sends nothing, so a batch that is not sent yet would stay where it is.
    if facts["state"] == "built":
        return f"batchd submit --task {facts['task']}"
    return f"batchd check {facts['vendor_batch_id'] or facts['batch']}"


def outcome_words(outcomes: dict[str, int]) -> str:
    """``298 applied, 2 invalid``."""
    return ", ".join(f"{number:,} {name}" for name, number in outcomes.items()) or "no outcome yet"


def _vendor_words(facts: dict[str, Any]) -> str:
    counted = facts["vendor_counts"]
    done = f", {counted['completed']:,} of {counted['total']:,} done" if counted["total"] else ""
    return f"the vendor says {facts['vendor_status'] or 'nothing yet'}{done}"
