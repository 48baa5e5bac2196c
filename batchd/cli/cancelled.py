"""What came of ``batchd cancel``, in words and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call, error_document, report
from batchd.cli.causes import explain
from batchd.cli.checking import outcome_words
from batchd.cli.lines import complain, say
from batchd.cli.out import plural, print_json
from batchd.cli.waiting import Waited
from batchd.core.states import ENDS
from batchd.errors import BatchdError
from batchd.operations import Done
from batchd.store.reading import Facts

_ENDS = frozenset(state.value for state in ENDS)


@dataclass(frozen=True, slots=True)
class End:
    """How far the batches have come that were cancelled.

    Attributes:
        done: what was done about each.
        errors: why others were left alone.
        batches: each as the ledger has it now.
        waited: how the waiting ended.
        failed: rows of them that need a person, and not because they were cancelled.
        waits: the vendor's end was to be waited for.
        interrupted: a person, or a signal, did not want to wait any longer.
    """

    done: Sequence[Done]
    errors: Sequence[BatchdError]
    batches: Sequence[Facts]
    waited: Waited
    failed: int
    waits: bool
    interrupted: bool

    @property
    def open(self) -> list[Facts]:
        """Those that have not come to an end, and are not held."""
        return [one for one in self.batches if one["state"] not in _ENDS and one["state"] != "held"]

    @property
    def code(self) -> int:
        """The exit code. Who did not want to wait is told no failure where a batch is still open."""
        if self.interrupted:
            return exit_codes.INTERRUPTED
        causes = {refusal_code(self.errors)} - {exit_codes.USAGE}
        if self.waits:
            causes |= self.waited.causes
            causes |= {exit_codes.NOT_ENDED} if self.open else set()
            causes |= {exit_codes.HELD} if any(one["state"] == "held" for one in self.batches) else set()
            causes |= {exit_codes.ROWS_LEFT} if self.failed else set()
        return exit_codes.exit_code(causes) or refusal_code(self.errors)


def refusal_code(errors: Sequence[BatchdError]) -> int:
    """The exit code of several refusals: wrong usage where they are nothing else."""
    causes = {error.exit_code for error in errors}
    return exit_codes.exit_code(causes - {exit_codes.USAGE}) or (exit_codes.USAGE if causes else exit_codes.DONE)


def tell_end(call: Call, end: End) -> int:
    """Says how each batch stands, and what goes on by itself; returns the exit code."""
    if call.as_json:
        print_json(_document(end))
        return end.code
    if not end.done and not end.errors:
        say("There is nothing to cancel.")
    by_number = {one["batch"]: one for one in end.batches}
    for facts in by_number.values():
        say(_stands(facts))
    # What the ledger has forgotten has no number here.
    for done in end.done if not end.batches else ():
        say(f"{done.sentence[0].upper()}{done.sentence[1:]}.")
    _say_next(end)
    for error in end.errors:
        report(error, as_json=False)
    if end.interrupted:
        complain("interrupted; what was cancelled stays cancelled, and nothing is lost")
    explain(end.waited.causes, {one["vendor"] for one in end.open})
    return end.code


def _stands(facts: Facts) -> str:
    name = f"Batch {facts['batch']}"
    if facts["state"] in _ENDS:
        return f"{name} is {facts['state']}: {outcome_words(facts['outcomes'])}."
    if facts["state"] == "held":
        return f"{name} is held at {facts['held_from']}: {facts['error_text'] or 'it waits for a person'}."
    return f"{name} is being cancelled at the vendor, which says {facts['vendor_status'] or 'nothing yet'}."


def _say_next(end: End) -> None:
    for task in dict.fromkeys(one["task"] for one in end.batches):
        cancelled = sum(one["outcomes"].get("cancelled", 0) for one in end.batches if one["task"] == task)
        if cancelled:
            say(f"{plural(cancelled, 'row waits', 'rows wait')} for: batchd retry --task {task} --only cancelled")
    if end.failed:
        say(f"{plural(end.failed, 'row needs', 'rows need')} a person: batchd failures")
    _say_what_goes_on(end)


def _say_what_goes_on(end: End) -> None:
    for batch in end.waited.paused:
        say(f"Its results are on disk, and are written once the task goes on: batchd resume {batch.task}")
    waiting = {batch.id for batch in end.waited.paused}
    for one in end.open:
        if one["batch"] not in waiting:
            say(
                "A running batchd brings home what the vendor finishes of it; without one: "
                f"batchd check {one['vendor_batch_id'] or one['batch']}"
            )
    for one in end.batches:
        if one["state"] == "held":
            say(f"Next: batchd show {one['batch']}, then batchd resolve {one['batch']}")


def _document(end: End) -> dict[str, Any]:
    told = ("batch", "task", "state", "held_from", "vendor_batch_id", "vendor_status", "outcomes")
    return {
        "done": "; ".join(one.sentence for one in end.done),
        "number": len(end.done),
        "dry_run": False,
        "batches": [{name: one[name] for name in told} for one in end.batches],
        "errors": [error_document(one) for one in end.errors],
        "exit_code": end.code,
    }
