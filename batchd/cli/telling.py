"""``batchd notify-test``: tells people by each way of the config that nothing is wrong, to see whether they hear it."""

import datetime as dt

from batchd.app.messengers import messengers_of
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.cli.out import print_json
from batchd.core.notices import Notice, trial_notice
from batchd.errors import ConfigError
from batchd.ports import Messenger, UntoldError

_NEXT = {
    "timeout": "see why it takes so long, or raise timeout in [notify]",
    "unreachable": "see whether this machine, and this user, may reach the server of the URL",
    "not_found": "give the program's whole path in [notify]",
    "not_started": "see whether this user may execute the program, and that its first line names what runs it",
    "http": "see whether the URL is still right, and what its server says",
    "exit": "run the program by hand as this user, and see what it says",
    "signal": "see in the system's log what killed the program",
}


def notify_test(call: Call) -> int:
    """0 where each way has worked, else 1. Reads the config alone.

    Raises:
        ConfigError: nobody is to be told, or the URL can't be read.
    """
    config = call.config()
    messengers = messengers_of(config)
    if not messengers:
        raise ConfigError(
            f"{config.path} has no [notify], so nobody is told of findings",
            next_command="write one: docs/how-to/be-notified.md",
        )
    notice = trial_notice(dt.datetime.now(dt.UTC))
    codes = {way: _code(messenger, notice) for way, messenger in messengers.items()}
    if call.as_json:
        print_json({"ways": [_facts(way, code) for way, code in codes.items()]})
    else:
        for way, code in codes.items():
            _say(way, code)
    return exit_codes.CHECK_FAILED if any(codes.values()) else exit_codes.DONE


def _code(messenger: Messenger, notice: Notice) -> str:
    try:
        messenger.tell(notice)
    except UntoldError as error:
        return error.code
    return ""


def _facts(way: str, code: str) -> dict[str, object]:
    return {"way": way, "told": not code, "code": code, "next_command": next_command(code)}


def _say(way: str, code: str) -> None:
    if not code:
        say(f"ok       {way}: told; see whether it has arrived")
        return
    say(f"problem  {way}: {code}")
    say(f"         next: {next_command(code)}")


def next_command(code: str) -> str:
    """What to do where a way has failed with this code; empty for none."""
    return _NEXT.get(code) or _NEXT.get(code.partition("_")[0], "")
