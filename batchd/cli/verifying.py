"""``batchd verify``: the promises, proven from ledger, spool and vendor. Changes none of them."""

import contextlib
from collections.abc import Mapping

from batchd.app.accounts import connect_named
from batchd.app.workplace import workplace
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import complain, say
from batchd.cli.out import plural, print_json, say_table
from batchd.cli.place import Desk, opened_ledger
from batchd.cli.progress import TerminalProgress
from batchd.config.vendors import SandboxVendorConfig
from batchd.errors import ConfigError
from batchd.inspection import Verdict
from batchd.inspection import verify as judge
from batchd.ports import Account

_LOOKED_AT = {
    "batches": ("batch", "batches"),
    "requests": ("request", "requests"),
    "gates": ("gate", "gates"),
    "input_files": ("unsent input file", "unsent input files"),
    "result_files": ("result file", "result files"),
    "result_lines": ("result line", "result lines"),
    "vendor_batches": ("batch at a vendor", "batches at vendors"),
}


def verify(call: Call) -> int:
    """Proves promises 1 to 6, or lists where one is broken."""
    with opened_ledger(call) as desk, contextlib.ExitStack() as stack:
        progress = stack.enter_context(TerminalProgress(shown=call.is_watched))
        accounts = _accounts(call, desk, stack)
        verdict = judge(workplace(desk.config, desk.store, {}, accounts, progress), call.task)
    code = exit_codes.DONE if verdict.is_sound else exit_codes.CHECK_FAILED
    if call.as_json:
        print_json(_document(verdict) | {"exit_code": code})
    else:
        _say(verdict)
    return code


def _accounts(call: Call, desk: Desk, stack: contextlib.ExitStack) -> dict[str, Account]:
    """The accounts that batches were sent to, and those of the tasks; one that can't be connected is left out."""
    sent = desk.store.read(lambda ledger: ledger.audit(call.task).accounts())
    used = {task.vendor for name, task in desk.config.tasks.items() if call.task in (None, name)}
    found: dict[str, Account] = {}
    for name in sorted({name for name, _ in sent} | used):
        vendor = desk.config.vendors.get(name)
        # To ask a sandbox that was never there would make it.
        if isinstance(vendor, SandboxVendorConfig) and not vendor.state.exists():
            continue
        try:
            found |= connect_named(desk.config, stack, {name})
        except ConfigError as error:
            complain(f"vendor {name} is not asked: {error}")
    return found


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "ok": verdict.is_sound,
        "violations": [
            {
                "promise": one.promise,
                "check": one.check,
                "subject": one.subject,
                "sentence": one.sentence,
                "next_command": one.next_command,
            }
            for one in verdict.violations
        ],
        "totals": dict(verdict.totals),
        "notes": [{"subject": one.subject, "sentence": one.sentence} for one in verdict.notes],
        "more_notes": verdict.more_notes,
        "looked_at": {name: verdict.looked_at.get(name, 0) for name in _LOOKED_AT},
    }


def _say(verdict: Verdict) -> None:
    if verdict.is_sound:
        say("Promises 1 to 6 hold, in all that could be looked at.")
    else:
        say(f"{plural(sum(verdict.totals.values()), 'violation')} of promises.")
        say_table(
            ("promise", "where", "what is wrong", "next", "check"),
            [(one.promise, one.subject, one.sentence, one.next_command, one.check) for one in verdict.violations],
        )
        for check, more in _left_out(verdict).items():
            say(f"and {more:,} more of {check}")
    say(f"Looked at: {_words(verdict.looked_at)}.")
    for note in verdict.notes:
        say(f"Note: {note.subject}: {note.sentence}.")
    if verdict.more_notes:
        say(f"and {plural(verdict.more_notes, 'more note', 'more notes')}")


def _left_out(verdict: Verdict) -> dict[str, int]:
    named = [one.check for one in verdict.violations]
    return {check: total - named.count(check) for check, total in verdict.totals.items() if total > named.count(check)}


def _words(looked_at: Mapping[str, int]) -> str:
    seen = [plural(looked_at[name], *words) for name, words in _LOOKED_AT.items() if looked_at.get(name)]
    return ", ".join(seen) or "nothing, since the ledger is empty"
