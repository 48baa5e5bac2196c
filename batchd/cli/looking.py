"""``batchd batches``, ``show`` and ``failures``: the ledger, read for people."""

from functools import partial
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.checking import find_batch, outcome_words
from batchd.cli.lines import say
from batchd.cli.out import dollars, plural, print_json, say_table, shown
from batchd.cli.place import opened_ledger
from batchd.store.reading import ask, batch_detail, batch_facts, failure_facts

_TIMES = ("created_at", "submitted_at", "ended_at", "collected_at", "applied_at", "closed_at", "requests_removed_at")


def batches(call: Call, *, only_open: bool, limit: int) -> int:
    """Lists batches, newest first."""
    with opened_ledger(call) as desk:
        found = ask(desk.database, partial(batch_facts, task=call.task, most=limit, only_open=only_open))
    if call.as_json:
        print_json({"batches": found})
        return exit_codes.DONE
    if not found:
        say("There is no open batch." if only_open else "There is no batch yet. Next: batchd submit")
        return exit_codes.DONE
    say_table(
        ("batch", "task", "state", "rows", "outcomes", "cost", "vendor id"),
        [
            (
                one["batch"],
                one["task"],
                one["state"],
                one["requests"],
                outcome_words(one["outcomes"]),
                dollars(one["cost_usd"]),
                one["vendor_batch_id"],
            )
            for one in found
        ],
    )
    return exit_codes.DONE


def show(call: Call, reference: str) -> int:
    """Shows one batch: its counts and its timeline."""
    with opened_ledger(call) as desk:
        batch = find_batch(desk, reference)
        facts = ask(desk.database, lambda connection: batch_detail(connection, batch.id))
    if call.as_json:
        print_json({"batch": facts})
        return exit_codes.DONE
    _say_batch(facts)
    say()
    say_table(
        ("when", "what", "from", "to", "why"),
        [(one["at"], one["action"], one["from"], one["to"], one["reason"]) for one in facts["timeline"]],
    )
    return exit_codes.DONE


def _say_batch(facts: dict[str, Any]) -> None:
    held = f" (at {facts['held_from']})" if facts["held_from"] else ""
    lines = [
        ("batch", f"{facts['batch']}, uid {facts['uid']}"),
        ("task", facts["task"]),
        ("state", f"{facts['state']}{held}"),
        ("vendor", f"{facts['vendor']}, {facts['vendor_batch_id'] or 'not sent yet'}"),
        ("vendor says", _vendor_words(facts)),
        ("requests", f"{facts['requests']:,} in {facts['input_bytes']:,} bytes, try {facts['attempt']}"),
        ("outcomes", outcome_words(facts["outcomes"])),
        ("tokens in", f"{facts['input_tokens']:,} ({facts['cached_tokens']:,} from the vendor's cache)"),
        ("tokens out", f"{facts['output_tokens']:,} ({facts['reasoning_tokens']:,} for reasoning)"),
        ("cost", dollars(facts["cost_usd"])),
    ]
    if facts["error_code"]:
        lines.append(("last error", f"{facts['error_code']}: {facts['error_text']}"))
    lines += [(name.removesuffix("_at"), shown(facts[name])) for name in _TIMES if facts[name]]
    for label, words in lines:
        say(f"{label:<12} {words}")


def _vendor_words(facts: dict[str, Any]) -> str:
    done, failed, total = (shown(facts["vendor_counts"][name]) for name in ("completed", "failed", "total"))
    return f"{shown(facts['vendor_status'])}, {done} completed, {failed} failed of {total}"


def failures(call: Call, *, limit: int) -> int:
    """Lists the rows that need a person, with the next step for each."""
    with opened_ledger(call) as desk:
        found = ask(desk.database, partial(failure_facts, task=call.task, most=limit))
    if call.as_json:
        print_json({"failures": found})
        return exit_codes.DONE
    if not found:
        say("No row needs a person.")
        return exit_codes.DONE
    say_table(
        ("task", "key", "state", "outcome", "batch", "reason", "next"),
        [
            (
                one["task"],
                one["key"],
                one["state"],
                one["outcome"],
                one["batch"],
                one["reason"] or one["code"],
                one["next_step"],
            )
            for one in found
        ],
    )
    if len(found) == limit:
        say(f"The first {plural(limit, 'row')}; --limit shows more.")
    return exit_codes.DONE
