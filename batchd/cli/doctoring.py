"""``batchd doctor``: what batchd stands on, line by line. Changes nothing."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from batchd.app.doctor import examine, examine_without
from batchd.app.remarks import Remark
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import as_called, say
from batchd.cli.out import plural, print_json
from batchd.errors import ConfigError, UsageError

_MARKS = {"ok": "OK", "warning": "warning", "problem": "FAIL"}
_INDENT = 9


def doctor(call: Call) -> int:
    """Tells what was found, as it is found; 0 where nothing has failed."""
    remarks = []
    for remark in _remarks(call):
        remarks.append(remark)
        if not call.as_json:
            _say(remark)
    code = _code(remarks)
    if call.as_json:
        print_json({"ok": code == 0, "remarks": [asdict(one) for one in remarks], "exit_code": code})
    else:
        _say_end(remarks)
    return code


def _remarks(call: Call) -> Iterator[Remark]:
    try:
        config = call.config()
    except ConfigError as error:
        yield from examine_without(error)
        return
    if call.task is not None and call.task not in config.tasks:
        raise UsageError(
            f"there is no task {call.task!r} in {config.path}",
            next_command=f"tasks here: {', '.join(config.tasks) or 'none'}",
        )
    yield from examine(config, call.task)


def _code(remarks: Sequence[Remark]) -> int:
    """That a check has failed is the least of causes: any other says more."""
    failed = {one.exit_code for one in remarks if one.level == "problem"}
    named = failed - {exit_codes.DONE, exit_codes.CHECK_FAILED}
    return exit_codes.exit_code(named or ({exit_codes.CHECK_FAILED} if failed else ()))


def _say(remark: Remark) -> None:
    for line in _wrapped(f"{_MARKS[remark.level]:{_INDENT}}", f"{remark.subject}: {remark.sentence}"):
        say(line)
    if remark.next_command:
        for line in _wrapped(f"{'':{_INDENT}}next: ", remark.next_command):
            say(line)


def _wrapped(first: str, text: str) -> list[str]:
    """On a terminal as wide as that is; elsewhere each remark is a line that a program can search."""
    if not sys.stdout.isatty():
        return [f"{first}{text}"]
    width = shutil.get_terminal_size().columns
    # A path or a command is taken up from the screen as a whole.
    return textwrap.wrap(
        as_called(text),
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _say_end(remarks: Sequence[Remark]) -> None:
    number = {level: sum(one.level == level for one in remarks) for level in _MARKS}
    say()
    if number["problem"]:
        say(f"{plural(number['problem'], 'failure')}, {plural(number['warning'], 'warning')}. Nothing was changed.")
    elif number["warning"]:
        say(f"{plural(number['warning'], 'warning')}, no failure. Nothing was changed.")
    else:
        say("All is well. Nothing was changed.")
