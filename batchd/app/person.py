"""Who acts at the command line: the operating system's user, and behind sudo the one who called it."""

import os
import pwd
import socket
from collections.abc import Mapping

_MARK = "user"
# Three of them, and the words between, fit the ledger's 200 characters.
_LONGEST_NAME = 60


def this_person(environ: Mapping[str, str] = os.environ) -> str:
    """``user alice@host``, or ``user alice as root@host`` under sudo; at most 200 characters.

    The account comes from the system. Who is behind sudo is what sudo says: whoever sets its variable by hand is
    still named by the account.
    """
    account, behind = _short(_account()), _short(environ.get("SUDO_USER", ""))
    name = f"{behind} as {account}" if behind and behind != account else account
    return f"{_MARK} {name}@{_short(socket.gethostname())}"


def _account() -> str:
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        # A container may run under a number that has no name.
        return f"uid {number}"


def _short(name: str) -> str:
    return "".join(one for one in name if one.isprintable())[:_LONGEST_NAME]
