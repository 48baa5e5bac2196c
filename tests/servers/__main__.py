"""Starts the servers that tests want. See ``scripts/servers``."""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.servers.catalog import wanted
from tests.servers.given import is_ci
from tests.servers.packages import install, missing

_FORWARDED = (signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Runs what the command line asks for; returns the exit code."""
    arguments = _arguments()
    if arguments.with_servers or is_ci():
        install(missing())
    with _servers() as urls:
        _say_what_is_missing(urls)
        if arguments.command:
            return _run(arguments.command, os.environ | urls)
        sys.stdout.writelines(f"export {name}={shlex.quote(url)}\n" for name, url in urls.items())
        sys.stdout.flush()
        sys.stderr.write("servers: Ctrl-C ends them\n")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/servers", description=__doc__)
    parser.add_argument("--with-servers", action="store_true", help="install what is missing (Debian, as root)")
    verbs = parser.add_subparsers(dest="verb")
    run = verbs.add_parser("run", help="run a command with the servers' URLs in its environment")
    run.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    arguments.command = getattr(arguments, "command", [])
    if arguments.verb == "run" and not arguments.command:
        run.error("which command?")
    if arguments.command and shutil.which(arguments.command[0]) is None:
        run.error(f"no command {arguments.command[0]!r} here")
    return arguments


@contextlib.contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """Variables and URLs of servers that run as long as this process does."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is meant for the command: the servers go when it has ended.
        start_new_session=True,
    )
    try:
        yield json.loads((keeper.stdout.readline() if keeper.stdout else "") or "{}")
    finally:
        if keeper.stdin:
            keeper.stdin.close()
        keeper.wait()


def _say_what_is_missing(urls: dict[str, str]) -> None:
    for server in wanted():
        if server.given.variable not in urls:
            sys.stderr.write(
                f"servers: no {server.given.name} here; its tests will say so (--with-servers installs it)\n"
            )


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)
    # The terminal sends Ctrl-C to the command as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _FORWARDED:
        signal.signal(number, lambda sent, _: process.send_signal(sent))
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
