"""Who holds a lease: this process, named so that others on the same machine can tell when it is gone."""

import os
import socket
from pathlib import Path

_SEPARATOR = "/"


def this_owner() -> str:
    """``host/namespace/pid/start``: unique to this process for as long as the machine runs."""
    pid = os.getpid()
    return _SEPARATOR.join([socket.gethostname(), _namespace(), str(pid), _started(pid) or "0"])


def is_provably_dead(owner: str) -> bool:
    """True where the owner ran on this machine, in this process namespace, and is not there any more.

    Nothing is known of other machines and containers: their leases are waited for.
    """
    parts = owner.split(_SEPARATOR)
    if len(parts) != 4 or parts[:2] != [socket.gethostname(), _namespace()] or not parts[2].isdigit():  # noqa: PLR2004
        return False
    return bool(_namespace()) and _is_gone(int(parts[2]), parts[3])


def _is_gone(pid: int, started: str) -> bool:
    now = _started(pid)
    if now is None:
        # Not in sight is not dead: a service that systemd hides others from (ProtectProc=) sees its own user's alone.
        return not _exists(pid)
    # A process id is used again; the time it started at is not.
    return now != started


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _namespace() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
        return boot + "-" + Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """The time it started at; empty for one that has ended, None for one that is not in sight."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not looked yet. Field 22 of stat(5) is the start time.
    return "" if fields[0] == "Z" else fields[19]
