"""``batchd init``, ``check-config``, ``config-schema``: setting up, in words."""

from dataclasses import asdict
from pathlib import Path

from batchd.app.check_config import check_config, config_problems
from batchd.app.init_config import Wish, write_config
from batchd.app.remarks import Report
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import plural, print_json
from batchd.config import ConfigProblemsError, config_json_schema
from batchd.errors import UsageError

_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


def init(call: Call, wish: Wish, out: Path) -> int:
    """Writes a config for a table, and says what to look at next."""
    written = write_config(wish, out)
    if call.as_json:
        print_json({"config": str(written.path), "task": written.task, "to_do": list(written.to_do)})
        return exit_codes.DONE
    say(f"Wrote {written.path}.")
    for sentence in written.to_do:
        say(f"To do: {sentence}")
    say(f"Next: read it, then: batchd check-config --config {out}")
    return exit_codes.DONE


def check(call: Call) -> int:
    """Tells everything that was found; 0 where a run could start."""
    try:
        config = call.config()
    except ConfigProblemsError as error:
        return _tell(call, config_problems(error))
    if call.task is not None and call.task not in config.tasks:
        raise UsageError(
            f"there is no task {call.task!r} in {config.path}",
            next_command=f"tasks here: {', '.join(config.tasks) or 'none'}",
        )
    return _tell(call, check_config(config, call.task))


def _tell(call: Call, report: Report) -> int:
    code = exit_codes.exit_code(problem.exit_code for problem in report.problems)
    if call.as_json:
        remarks = [asdict(remark) for remark in report.remarks]
        print_json({"ok": code == 0, "remarks": remarks, "prompts": report.prompts, "exit_code": code})
    else:
        _say(report)
    return code


def _say(report: Report) -> None:
    for remark in report.remarks:
        say(f"{_MARKS[remark.level]} {remark.subject}: {remark.sentence}")
        if remark.next_command:
            say(f"         next: {remark.next_command}")
    for task, prompt in report.prompts.items():
        say()
        say(f"A prompt of task {task}, made from a real row; its first {len(prompt)} characters:")
        say(prompt)
    say()
    if report.problems:
        say(f"{plural(len(report.problems), 'problem')}. Nothing was sent.")
        return
    say(f"Nothing stands in the way; nothing was sent. Next: {_next(report)}")


def _next(report: Report) -> str:
    commands = [one.next_command for one in report.remarks if one.next_command.startswith("batchd db")]
    return commands[0] if commands else "batchd submit"


def config_schema() -> int:
    """Prints the JSON Schema of the config file."""
    print_json(config_json_schema())
    return exit_codes.DONE
