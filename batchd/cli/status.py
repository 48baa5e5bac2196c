"""``batchd status``: what is going on, in words and figures, on one screen."""

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.cli.place import opened_ledger
from batchd.cli.screen import screen_size
from batchd.cli.status_facts import Facts, status_document
from batchd.cli.status_screen import status_lines
from batchd.cli.watching import watch
from batchd.config import parse_duration
from batchd.errors import UsageError
from batchd.stop import Stop

# A screen that is drawn more often is not read any better, and its questions cost the database something.
_SHORTEST = 0.2


def status(call: Call, *, count: bool, every: float | None) -> int:
    """Prints one screen; again and again, with so many seconds between, where ``every`` is given."""
    if every is None:
        with opened_ledger(call) as desk:
            _show(call, status_document(desk, call.task, count=count))
        return exit_codes.DONE
    stop = Stop()
    stop.on_signals()
    with opened_ledger(call, stop) as desk:
        watch(call, stop, every, lambda: status_document(desk, call.task, count=count))
    return exit_codes.DONE


def pause_of(text: str) -> float:
    """Seconds, from a duration as it was typed. Raises UsageError."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--every: {error}", next_command="write it like 5s or 1m") from error
    return max(seconds, _SHORTEST)


def _show(call: Call, document: Facts) -> None:
    if call.as_json:
        print_json(document)
        return
    for line in status_lines(document, *screen_size()):
        say(line)
